# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Ending a process with everything below it.

The tree is known by parentage alone: children may have made sessions and process groups of their own, and do (servers
start their tools under ``setsid``). Killing the parent first would let its children be adopted by init and escape, so
the tree is frozen from the root down until a look at it finds nobody new, and only then killed. A process whose parent
had died before that has left the tree and lives on, as with the original (docs/protocol/tentacle-services.md §2.10).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time

_LOG = logging.getLogger("tentacle_agent.script")
_ROUNDS = 200  # Looks at the tree before we kill what is known; a fork bomb must not keep us here for ever.
_PAUSE = 0.001  # Seconds that a running process gets to notice its SIGSTOP.


def kill_tree(root: int) -> int:
    """Freeze the process ``root`` and its descendants, then kill them all; return how many were killed.

    The caller must own ``root`` as an unreaped child, so that its number cannot have passed to somebody else.
    Processes of other users that we may not signal are left alone and named in the log.
    """
    frozen = _freeze(root)
    killed = 0
    for pid in frozen:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def _freeze(root: int) -> list[int]:
    known: dict[int, bool] = {root: _stop(root)}
    for _unused in range(_ROUNDS):
        fresh = [pid for parent in known for pid in children(parent) if pid not in known]
        for pid in fresh:
            known[pid] = _stop(pid)
        if not fresh and not any(stopped and _runs(pid) for pid, stopped in known.items()):
            break
        time.sleep(_PAUSE)
    return list(known)


def _stop(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    except PermissionError:
        _LOG.warning("Process %d belongs to another user and cannot be ended with its script.", pid)
        return False
    return True


def _runs(pid: int) -> bool:
    """True until the process has noticed its signal: it may still be making children."""
    return _status(pid)[0] in "RS"


def _status(pid: int) -> tuple[str, int]:
    """State letter and parent of a process, from /proc; ("X", 0) if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return fields[0].decode("ascii"), int(fields[1])
    except (OSError, IndexError, ValueError):
        return "X", 0


def children(parent: int) -> list[int]:
    """The direct children of a process, as far as the kernel tells; none if it is gone."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{parent}/task"):
            with open(f"/proc/{parent}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except FileNotFoundError:
        if os.path.exists(f"/proc/{parent}/task"):  # A kernel without the file "children": look at everybody.
            return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _status(pid)[1] == parent]
    except OSError:
        pass
    return found
