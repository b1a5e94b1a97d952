# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets an agent kill itself at an exact moment: in front of its n-th change of the file system or start of a process.

Python loads this file by its name. The number is in the file that CHAOS_KILL_FILE names; it may be written while the
agent runs, and counts from then on. A kind of change behind it, such as `os.rename`, lets only those count. Killing by
a clock alone would hardly ever meet the short moments between, say, a link and a rename.
"""

import os
import signal
import sys

_CHANGES = frozenset(
    ("os.link", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.symlink",
     "subprocess.Popen", "os.posix_spawn", "os.fork")
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_file = os.environ.get("CHAOS_KILL_FILE", "")
_left = [0]
_only = [""]


def _watch(event, arguments):
    if event == "open":
        if not isinstance(arguments[2], int) or not arguments[2] & _WRITING:
            return
    elif event not in _CHANGES:
        return
    if not _left[0]:
        try:
            with open(_file, encoding="ascii") as file:
                number, _unused, _only[0] = file.read().partition(" ")
            _left[0] = int(number)
            os.unlink(_file)
        except (OSError, ValueError):
            return
    if _only[0] not in ("", event):
        return
    _left[0] -= 1
    if not _left[0]:
        os.kill(os.getpid(), signal.SIGKILL)


if _file:
    sys.addaudithook(_watch)
