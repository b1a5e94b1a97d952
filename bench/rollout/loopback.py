# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet on one machine: each "host" is a loopback address and a directory, reached with the connection `local`.

So controller and hosts share the machine's cores, and one host's share of them is what is measured: it must be the same
in a large fleet. Memory is that of the controller alone, without the modules that run here as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import re
import signal
import sys
import threading
from typing import Any, NamedTuple

import processes
from ansible_command import environment
from hosts import PlayRun, play

_NETWORK = "127.0.20"
_PORT = 10933
_SUBREAPER = 36  # prctl: orphans of our processes become our children, so that they can be found and ended
_SAMPLE_SECONDS = 1.0


class Memory(NamedTuple):
    """The greatest resident memory in MB: of the main process, and of it with its forks (shared pages counted once)."""

    main: float
    all: float


class FleetRun(NamedTuple):
    size: int
    first: PlayRun
    second: PlayRun
    memory: Memory


def measure(directory: pathlib.Path, size: int, forks: int, role: dict[str, Any]) -> FleetRun:
    """Roll out to so many addresses, twice. Raises BenchError when a run fails or the second changes something."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    inventory, book = directory / "inventory.json", directory / "play.json"
    inventory.write_text(json.dumps(_inventory(directory, size)), encoding="utf-8")
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": [role]}]), encoding="utf-8")
    variables = {**environment(), "TMPDIR": str(directory), "ANSIBLE_LOCAL_TEMP": str(directory / "local")}
    command = ["--inventory", str(inventory), "--forks", str(forks), str(book)]
    try:
        with _Sampler() as sampler:
            first = play(command, variables)
            second = play(command, variables)
    finally:
        _end_agents()
    if first.changed < size or second.changed:
        changes = f"{first.changed} changes, then {second.changed}"
        raise processes.BenchError(f"{size} hosts: {changes}; wanted: some, then none")
    return FleetRun(size, first, second, sampler.greatest)


def _inventory(directory: pathlib.Path, size: int) -> dict[str, Any]:
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_remote_tmp": str(directory / "tmp"),
        "tentacle_agent_python": sys.executable,
        "tentacle_service_manager": "standalone",
        "tentacle_listen_port": _PORT,
    }
    members = {}
    for number in range(1, size + 1):
        home = directory / f"h{number}"
        members[f"h{number}"] = {
            "ansible_host": f"{_NETWORK}.{number}",
            "tentacle_listen_address": f"{_NETWORK}.{number}",
            "tentacle_programs_directory": str(home / "programs"),
            "tentacle_configuration_home": str(home / "etc"),
            "tentacle_home_directory": str(home / "home"),
        }
    return {"all": {"vars": common, "hosts": members}}


def _end_agents() -> None:
    """End what this process has started and what that has left behind, by their process ids."""
    for pid in processes.process_tree(os.getpid())[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


class _Sampler:
    """Looks at the controller's processes now and then: what ran between two looks is not seen."""

    def __init__(self) -> None:
        self.greatest = Memory(0, 0)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            found = [pid for pid in processes.process_tree(os.getpid())[1:] if _is_controller(pid)]
            if found:
                main, *forks = [_proportional_and_resident(pid) for pid in found]
                together = main[0] + sum(fork[0] for fork in forks)
                self.greatest = Memory(max(self.greatest.main, main[1]), max(self.greatest.all, together))


def _is_controller(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"ansible-playbook" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _proportional_and_resident(pid: int) -> tuple[float, float]:
    """Memory in MB, shared pages counted in part and in whole; nothing for a process that has just ended."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        sizes = {name: int(number) / 1024 for name, number in re.findall(r"^(Pss|Rss):\s+(\d+)", text, re.MULTILINE)}
        return sizes.get("Pss", 0.0), sizes.get("Rss", 0.0)
    return 0.0, 0.0
