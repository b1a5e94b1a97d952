# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about a host that a run must not have touched, and what differs between two looks at it.

Counts: of every file that the host wrote over its base, and of every file in memory, what it is, its mode, owner,
size, time of last change and content; of every directory its time of last change, so that a file which was made and
removed again is seen too; each start of a service; the rules that filter its packets.  It is read from outside, so
looking leaves no trace.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import stat
import subprocess

from proofs.running import Host

State = dict[str, str]

# What is written by itself, or because somebody logs in.
NOT_COUNTED = re.compile(
    r"""
      /tmp/\.ansible-[^/]*                        # Ansible's own modules, for as long as a task takes
    | /var/log/journal | /run/log/journal
    | /var/log/(wtmp|btmp|lastlog)(\.db)? | /var/lib/(wtmpdb|lastlog)(/.*)? | /run/utmp    # logins
    | /run/sudo | /var/lib/sudo                   # when who was asked for a password
    | /run/motd\.dynamic | /run/user | /run/lock | /run/sshd
    | /run/systemd/(?!system$|system/|units$|units/)[^/]+          # sessions, notifications
    | /run/systemd/units/log-.*
    | /run/systemd/units/invocation:(run-|session-|user|init\.scope|systemd-|dbus|polkit|ssh@).*
    | /run/systemd/units/invocation:(apt-|dpkg-|e2scrub|fstrim|logrotate|man-db).*                 # by timers
    | /var/cache/apt(/.*)? | /var/log/apt | /var/log/apt/eipp\.log\.xz    # apt, asked what it would do
    | /var/lib/systemd/(timers|random-seed|timesync)(/.*)?
    | /(tmp|var/tmp)/systemd-private-.*
    | .*/Logs/(OctopusTentacle|Audit)[^/]*\.txt   # a running agent notes its callers,
    | .*/livez\.heartbeat                         # and that it lives
    """,
    re.VERBOSE,
)
# Directories where what is not counted comes and goes.
TIMES_NOT_COUNTED = {"/", "/tmp", "/run", "/run/systemd", "/run/systemd/units", "/var/tmp", "/var/log", "/dev/shm"}


def look(host: Host) -> State:
    """What is there now: a line for each path, and for each rule."""
    state = {}
    for place in host.places():
        for path in _paths(host, place):
            try:
                state[host.name_of(path)] = _described(path, host.name_of(path))
            except FileNotFoundError:
                continue  # it has just gone
    state["rules"] = _rules(host)
    return state


def _paths(host: Host, place: pathlib.Path) -> list[pathlib.Path]:
    found = []
    for folder, folders, files in os.walk(place):
        here = pathlib.Path(folder)
        folders[:] = [name for name in folders if not NOT_COUNTED.fullmatch(host.name_of(here / name))]
        found += [here / name for name in (*folders, *files) if not NOT_COUNTED.fullmatch(host.name_of(here / name))]
    return found


def _described(path: pathlib.Path, name: str) -> str:
    status = path.lstat()
    words = [stat.filemode(status.st_mode), f"{status.st_uid}:{status.st_gid}"]
    if stat.S_ISLNK(status.st_mode):
        return " ".join([*words, "to", os.readlink(path)])
    if stat.S_ISREG(status.st_mode):
        words += [f"{status.st_size} bytes", hashlib.sha256(path.read_bytes()).hexdigest()[:16]]
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return "removed"  # how an overlay says so
    if name not in TIMES_NOT_COUNTED:
        words.append(f"of {status.st_mtime_ns / 1e9:.6f}")
    return " ".join(words)


def _rules(host: Host) -> str:
    """The whole ruleset without counters, as the host's own program shows it."""
    command = ["nsenter", "-t", str(host.leader), "-a", "nft", "--stateless", "list", "ruleset"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def differences(before: State, after: State) -> list[str]:
    """A sentence for each path that is new, gone or another."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, "absent"), after.get(name, "absent")
        if was != now:
            found.append(f"{name} was {was} and is {now}")
    return found
