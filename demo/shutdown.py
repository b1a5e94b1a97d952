# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of everything that the demo started, each process by its own id."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterable

import surroundings
from surroundings import PLACE, Host

_STOP_SECONDS = 60
_GOODBYE_SECONDS = 5


def end(hosts: Iterable[Host]) -> list[str]:
    """End web sites and agents; returns what was ended, and is content when nothing runs."""
    ended = []
    for host in hosts:
        if _end_site(host):
            ended.append(f"site of {host.name}")
        if _end_agent(host):
            ended.append(f"agent of {host.name}")
    # A run that was broken off may have left an agent whose records were not yet complete.
    return ended + [f"process {pid}" for pid in _leftovers() if _end_process(pid)]


def _end_site(host: Host) -> bool:
    try:
        pid = int(host.site_pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    return str(host.home) in _command_line(pid) and _end_process(pid)


def _end_agent(host: Host) -> bool:
    """Through its own command line, as an administrator would."""
    if not host.executable.exists():
        return False
    command = [str(host.executable), "service", "--stop", "--manager=standalone", f"--instance={host.name}"]
    variables = surroundings.environment(TentacleMachineConfigurationHomeDirectory=str(host.configuration_home))
    running = any(str(host.executable.parent) in _command_line(pid) for pid in _leftovers())
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, env=variables, capture_output=True, timeout=_STOP_SECONDS, check=False)
    return running


def _leftovers() -> list[int]:
    """Processes that run something below the demo's hosts: programs of an agent, or a site."""
    place = os.path.join(str(PLACE / "hosts"), "")
    pids = [int(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and place in _command_line(pid)]


def _command_line(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def _end_process(pid: int) -> bool:
    """SIGTERM, then SIGKILL; False when it was gone already or belongs to somebody else."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _GOODBYE_SECONDS
        while _command_line(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        if _command_line(pid):
            os.kill(pid, signal.SIGKILL)
        return True
    return False
