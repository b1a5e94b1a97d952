# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes on a core of their own, what they cost (from /proc), and their sure end, each by its own id."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence

HOST = "127.0.0.1"
_TICKS = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 10


class BenchError(Exception):
    """The benchmark cannot go on; the text says what is missing or what a process said."""


def cores() -> tuple[int, int]:
    """(servers' core, load's core). On a machine with one core both are that one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[min(1, len(allowed) - 1)]


def model() -> str:
    """What kind of processor this is."""
    information = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in information if "model name" in line]
    return models[0] if models else platform.machine()


def free_port() -> int:
    """A port on loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server process on the servers' core; end it with ``stop``."""

    def __init__(self, command: Sequence[str], log: pathlib.Path, port: int, environment: dict[str, str]) -> None:
        core = cores()[0]
        self.name = command[0]
        self.port = port
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches this program alone, which then ends its servers in order
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )

    def wait_until_it_listens(self, seconds: float = 20) -> None:
        """Returns when the port takes connections. Raises BenchError with the end of the log."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                return
            time.sleep(0.02)
        said = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        raise BenchError(f"{self.name} does not listen on {HOST}:{self.port}. It said: {' / '.join(said)}")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; no process of its tree is left."""
        tree = process_tree(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in tree[1:]:
            if os.path.exists(f"/proc/{pid}"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server, listening; ended at the end of the block, whatever happens in it."""
    try:
        server.wait_until_it_listens()
        yield server
    finally:
        server.stop()


def process_tree(pid: int) -> list[int]:
    """``pid`` and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                children.setdefault(int(_stat(int(entry))[1]), []).append(int(entry))
    tree = [pid]
    for parent in tree:
        tree += children.get(parent, [])
    return tree


def cpu_seconds(pid: int) -> float:
    """Processor time of the tree so far, ended children included; resolution 10 ms."""
    total = 0
    for member in process_tree(pid):
        with contextlib.suppress(OSError):
            total += sum(int(ticks) for ticks in _stat(member)[11:15])
    return total / _TICKS


def running_nanoseconds(pid: int) -> int:
    """Time the living threads of the tree have run, to the nanosecond: shows a single wake-up."""
    total = 0
    for member in process_tree(pid):
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{member}/task"):
                total += int(pathlib.Path(f"/proc/{member}/task/{thread}/schedstat").read_text().split()[0])
    return total


def resident_megabytes(pid: int) -> float:
    """Resident memory of the tree, in units of 2^20 bytes."""
    kilobytes = 0
    for member in process_tree(pid):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{member}/smaps_rollup").read_text()
            kilobytes += sum(int(number) for number in re.findall(r"^Rss:\s+(\d+)", text, re.MULTILINE))
    return kilobytes / 1024


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may hold blanks: state, parent, ..."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
