# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether a running agent is what its unit says, so that a service manager need not be asked.

This module util is **private** to the collection. It reads files alone: asking ``systemctl`` three times, as a task for
services does, is a fifth of what an unchanged host costs.
"""

from __future__ import annotations

import os
import time

from ._instance import unit

PROC = "/proc"


def is_current(pid: int, name: str, directory: str | None = None, proc: str = PROC) -> bool:
    """Whether the process was started by the unit ``name`` as it is now, and the unit starts with the host.

    False wherever that cannot be told. ``directory`` is where units lie; without it the machine's, then the account's.
    """
    places = (
        [(directory, unit.SYSTEM_TARGET)]
        if directory
        else [(unit.SYSTEM_DIRECTORY, unit.SYSTEM_TARGET), (unit.user_directory(), unit.USER_TARGET)]
    )
    for place, target in places:
        path = os.path.join(place, name)
        if os.path.exists(path):
            link = os.path.join(place, f"{target}.wants", name)
            try:
                return _runs_in(pid, name, proc) and max(_changes(path, link)) < _start(pid, proc)
            except (OSError, ValueError, IndexError):
                return False
    return False


def _runs_in(pid: int, name: str, proc: str) -> bool:
    with open(os.path.join(proc, str(pid), "cgroup"), encoding="utf-8") as handle:
        return any(line.rstrip("\n").endswith(f"/{name}") for line in handle)


def _changes(path: str, link: str) -> list[float]:
    """When the unit, its drop-ins and the link that starts it with the host last changed, in seconds since 1970."""
    changed = [os.stat(path).st_ctime, os.lstat(link).st_ctime]
    if os.path.isdir(f"{path}.d"):
        changed.append(os.stat(f"{path}.d").st_ctime)
        changed += [entry.stat().st_ctime for entry in os.scandir(f"{path}.d")]
    return changed


def _start(pid: int, proc: str) -> float:
    """When the process was started; the kernel counts from the boot, whatever the clock was set to since."""
    with open(os.path.join(proc, str(pid), "stat"), encoding="utf-8") as handle:
        ticks = int(handle.read().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age
