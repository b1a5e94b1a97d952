# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch what everybody on a machine can see of its processes: `processes.py PREFIX PID`, until it is ended.

Reads secrets, one a line, and prints a line for each process of the hosts of PREFIX, or started by PID, that has one
among its arguments or in its environment.  Processes are read while they are young: a secret that is not there in the
first seconds does not come later.
"""

from __future__ import annotations

import pathlib
import re
import sys
import time

PAUSE = 0.05
YOUNG = 2.0


def watch(patterns: list[bytes], ours: re.Pattern[str], parent: int) -> None:
    seen: dict[str, float] = {}
    told: set[str] = set()
    while True:
        now = time.monotonic()
        there = {path.name: path for path in pathlib.Path("/proc").glob("[0-9]*")}
        seen = {pid: seen.get(pid, now) for pid in there}
        for pid, path in there.items():
            if pid in told or now - seen[pid] > YOUNG:
                continue
            sentence = shown(path, patterns)
            if sentence and (ours.search(_read(path / "cgroup").decode()) or _is_child(path, parent)):
                print(sentence, flush=True)
                told.add(pid)
        time.sleep(PAUSE)


def shown(process: pathlib.Path, patterns: list[bytes]) -> str:
    """What shows of a process, without the secret; empty where nothing does."""
    arguments = _read(process / "cmdline")
    for what, text in (("arguments", arguments), ("environment", _read(process / "environ"))):
        if any(pattern in text for pattern in patterns):
            words = arguments.replace(b"\0", b" ").decode("utf-8", "replace")
            for pattern in patterns:
                words = words.replace(pattern.decode(), "<SECRET>")
            return f"the {what} of the process {words[:200]}"
    return ""


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def _is_child(process: pathlib.Path, parent: int) -> bool:
    pid = int(process.name)
    while pid > 1 and pid != parent:
        found = re.search(rb"^PPid:\t(\d+)", _read(pathlib.Path(f"/proc/{pid}/status")), re.MULTILINE)
        pid = int(found.group(1)) if found else 0
    return pid == parent


if __name__ == "__main__":
    prefix, parent = sys.argv[1:]
    wanted = [line.encode() for line in sys.stdin.read().splitlines()]
    watch(wanted, re.compile(rf"/{re.escape(prefix)}-"), int(parent))
