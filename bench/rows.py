# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured, how, and the floor our agent must not fall below; what we want beyond that is in goals.py.

A floor is a ratio to nginx in the same run, because absolute figures depend on the machine and on its neighbours;
memory and idle CPU are absolute. README.md says where the floors come from.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import time
from typing import Any, Union

import processes
from peers import Peer, Scp
from processes import BenchError, Server
from workplace import Workplace

Cell = dict[str, Any]  # value, and where they mean something: cpu_ms, p50_ms, p99_ms, load_cpu_percent; or error
_IDLE_CONNECTIONS = 1000
_STARTS = 9
_MODEST_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Floor:
    """``limit`` is compared with the ratio to nginx, or with the value itself; ``most`` where less is better."""

    limit: float
    most: bool = False
    ratio: bool = True

    def holds(self, figure: float) -> bool:
        return figure <= self.limit if self.most else figure >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.most else '≥'} {self.limit:.2f}" if self.ratio else f"≤ {self.limit:g}"


@dataclasses.dataclass(frozen=True)
class LoadRow:
    """Operations a second, by the load generator against a server that has been running for a while."""

    key: str
    title: str
    mode: str
    clients: int
    seconds: float
    kinds: tuple[str, ...]
    floor: Floor | None = None
    dotnet: bool = False
    client: str = "rsa"
    unit: str = "/s"
    digits: int = 0

    def measure(self, place: Workplace, peer: Peer, server: Server, quick: bool) -> Cell:
        seconds = self.seconds / (4 if quick else 1)
        options = ["--clients", str(self.clients), "--seconds", f"{seconds:g}"]
        if self.dotnet and peer.kind == "halibut":
            options.append("--dotnet")
        return _run_load(place, peer, server, place.load_command(self.mode, server.port, *options, client=self.client))


@dataclasses.dataclass(frozen=True)
class OtherCertificateRow(LoadRow):
    """The same, against a server of its own with another certificate."""

    identity: str = "server-p256"

    def measure(self, place: Workplace, peer: Peer, server: Server, quick: bool) -> Cell:
        with processes.serving(peer.start(self.identity)) as other:
            http = ["--http"] if peer.kind == "http" else []
            place.measure(place.load_command(self.mode, other.port, "--seconds", "0.2", *http))
            return super().measure(place, peer, other, quick)


@dataclasses.dataclass(frozen=True)
class BesideUploadRow:
    """How long a small call takes (99 of 100, in ms) while another connection uploads large files, one by one."""

    key: str
    title: str
    floor: Floor | None = None
    kinds: tuple[str, ...] = ("halibut", "http")
    unit: str = "ms"
    digits: int = 1

    def measure(self, place: Workplace, peer: Peer, server: Server, quick: bool) -> Cell:
        http = ["--http"] if peer.kind == "http" else []
        options = ["--seconds", "0.5" if quick else "2", "--pause", "2", *http]
        upload = ["--bytes", str(place.file_bytes), "--remote", "beside.bin", *http]
        uploads = 0
        with subprocess.Popen(
            place.load_command("call", server.port, *options), stdout=subprocess.PIPE, text=True
        ) as calls:
            while calls.poll() is None:
                counted = place.measure(place.load_command("upload", server.port, *upload))
                if counted["errors"]:
                    calls.kill()
                    return {"error": f"upload: {counted['error']}"}
                uploads += 1
            counted = json.loads(calls.stdout.read() if calls.stdout else "{}")
        (peer.home / "beside.bin").unlink(missing_ok=True)
        if counted["errors"] or not counted["operations"]:
            return {"error": f"{counted['errors']} failed, {counted['operations']} did not: {counted['error']}"}
        return {"value": counted["p99_ms"], "middle": counted["p50_ms"], "uploads": uploads}


@dataclasses.dataclass(frozen=True)
class HashRow:
    """MB a second of SHA-1 on the servers' core: with nginx's upload, the bound for everybody who hashes on the way."""

    key: str
    title: str
    floor: Floor | None = None
    kinds: tuple[str, ...] = ("http",)
    unit: str = "MB/s"
    digits: int = 0

    def measure(self, place: Workplace, peer: Peer, server: Server, quick: bool) -> Cell:
        pinned = ["taskset", "-c", str(processes.cores()[0])]
        return {"value": place.measure([*pinned, str(place.load), "sha1", "--bytes", str(place.file_bytes)])["rate"]}


@dataclasses.dataclass(frozen=True)
class TransferRow:
    """MB (10^6 bytes) a second of one large file."""

    key: str
    title: str
    floor: Floor | None = None
    kinds: tuple[str, ...] = ("halibut", "http", "scp")
    unit: str = "MB/s"
    digits: int = 0

    def measure(self, place: Workplace, peer: Peer, server: Server, quick: bool) -> Cell:
        remote = peer.home / ("upload.bin" if self.key == "upload" else place.download.name)
        if isinstance(peer, Scp):
            cell = self._copy(place, peer, server)
        else:
            options = ["--bytes", str(place.file_bytes), "--remote", remote.name]
            cell = _run_load(place, peer, server, place.load_command(self.key, server.port, *options))
            if "value" in cell:
                cell["value"] = place.file_bytes / 1e3 / cell["p50_ms"]
        if self.key == "upload":
            size = remote.stat().st_size if remote.exists() else 0
            remote.unlink(missing_ok=True)
            if size != place.file_bytes:
                return {"error": f"{size} bytes arrived instead of {place.file_bytes}"}
        return cell

    def _copy(self, place: Workplace, peer: Scp, server: Server) -> Cell:
        target = place.path / "copied.bin"
        source, end = str(place.download), f":{peer.home}/upload.bin"
        if self.key == "download":
            source, end = f":{peer.home}/{place.download.name}", str(target)
        before, since = processes.cpu_seconds(server.process.pid), time.monotonic()
        command = peer.copy_command(server.port, source, end)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        elapsed = time.monotonic() - since
        cpu = processes.cpu_seconds(server.process.pid) - before
        target.unlink(missing_ok=True)
        if result.returncode:
            return {"error": f"scp: {result.stderr.strip()}"}
        return {"value": place.file_bytes / 1e6 / elapsed, "cpu_ms": cpu * 1e3}


@dataclasses.dataclass(frozen=True)
class FreshRow:
    """A figure of a process that was started for it; all of them come from ``measure_fresh`` at once."""

    key: str
    title: str
    unit: str
    floor: Floor | None = None
    kinds: tuple[str, ...] = ("halibut", "http")
    digits: int = 1


_BOTH = ("halibut", "http")
_ONE_HALIBUT = ("halibut",)
_HELLO = "new connection, mutual TLS, hello, one capabilities call"
Row = Union[LoadRow, TransferRow, FreshRow, BesideUploadRow, HashRow]
ROWS: tuple[Row, ...] = (
    LoadRow("connect-1", f"{_HELLO}; 1 client", "connect", 1, 2, _BOTH, Floor(0.783)),
    LoadRow("connect-50", "the same; 50 clients", "connect", 50, 2.5, _BOTH, Floor(0.702), client="p256"),
    OtherCertificateRow("connect-p256", "the same; 1 client, server's certificate P-256", "connect", 1, 2, _BOTH),
    LoadRow("call-1", "small RPC; 1 open connection", "call", 1, 1.5, _BOTH, Floor(0.657)),
    LoadRow("call-50", "small RPC; 50 open connections", "call", 50, 1.5, _BOTH, Floor(0.243)),
    TransferRow("upload", "upload of one large file", Floor(0.405)),
    HashRow("sha1", "SHA-1 of one large file, by OpenSSL alone"),
    TransferRow("download", "download of one large file", Floor(0.666)),
    LoadRow("small", "uploads of 2 KB as .NET writes them; 1 open connection", "small", 1, 1.5, _BOTH, dotnet=True),
    BesideUploadRow("call-upload", "a small RPC while 1 GB is uploaded, 99 of 100 take at most"),
    FreshRow("rss-idle", "resident memory, idle", "MB", Floor(32, most=True, ratio=False)),
    FreshRow("rss-1000", f"resident memory, {_IDLE_CONNECTIONS:,} idle connections", "MB"),
    FreshRow("kb-connection", "resident memory for each idle connection", "KB"),
    FreshRow("cpu-idle", "CPU when idle", "%", Floor(0, most=True, ratio=False)),
    FreshRow("start", "process start to first answered handshake", "ms", Floor(5.39, most=True)),
    LoadRow("script-1", "script round trips; 1 at once", "script", 1, 2, _ONE_HALIBUT, digits=1),
    LoadRow("script-10", "script round trips; 10 at once", "script", 10, 2, _ONE_HALIBUT, digits=1),
    LoadRow("script-200", "script round trips; 200 at once", "script", 200, 1, _ONE_HALIBUT, digits=1),
)


def measure_fresh(place: Workplace, peer: Peer, quick: bool) -> dict[str, Cell]:
    """Start time, memory and idle CPU of new processes of this peer, by the keys of the rows."""
    return {"start": _time_starts(place, peer, 1 if quick else _STARTS), **_watch_idle(place, peer, 1 if quick else 3)}


def _run_load(place: Workplace, peer: Peer, server: Server, command: list[str]) -> Cell:
    before = processes.cpu_seconds(server.process.pid)
    counted = place.measure([*command, "--http"] if peer.kind == "http" else command)
    if counted["errors"] or not counted["operations"]:
        return {"error": f"{counted['errors']} failed, {counted['operations']} did not: {counted['error']}"}
    cpu = processes.cpu_seconds(server.process.pid) - before
    kept = {name: counted[name] for name in ("p50_ms", "p99_ms", "load_cpu_percent", "operations")}
    return {"value": counted["rate"], "cpu_ms": cpu * 1e3 / counted["operations"], **kept}


def _time_starts(place: Workplace, peer: Peer, count: int) -> Cell:
    """The median of so many starts, one after the other: a single one is as much the machine's mood as the peer's."""
    http = ["--http"] if peer.kind == "http" else []
    times: dict[str, list[float]] = {"handshake_ms": [], "call_ms": []}
    for _unused in range(count):
        port = processes.free_port()
        options = [*http, "--server-core", str(processes.cores()[0]), "--", *peer.command(port)]
        counted = place.measure(place.load_command("start", port, *options))
        if counted["errors"]:
            return {"error": counted["error"]}
        for key, values in times.items():
            values.append(counted[key])
    return {"value": statistics.median(times["handshake_ms"]), "call_ms": statistics.median(times["call_ms"])}


def _watch_idle(place: Workplace, peer: Peer, seconds: float) -> dict[str, Cell]:
    http = ["--http"] if peer.kind == "http" else []
    with processes.serving(peer.start()) as server:
        pid = server.process.pid
        warm = place.measure(place.load_command("connect", server.port, "--seconds", "0.01", *http))
        if warm["errors"]:
            return {key: {"error": warm["error"]} for key in ("rss-idle", "rss-1000", "kb-connection", "cpu-idle")}
        time.sleep(1)
        cells = {"rss-idle": {"value": processes.resident_megabytes(pid)}}
        before, since = processes.running_nanoseconds(pid), time.monotonic()
        time.sleep(seconds)
        percent = (processes.running_nanoseconds(pid) - before) / 1e7 / (time.monotonic() - since)
        cells["cpu-idle"] = {"value": round(percent, 1), "exactly": percent}
        held = cells["rss-1000"] = cells["kb-connection"] = _hold_connections(place, server, http)
        if "value" in held:
            kilobytes = (held["value"] - cells["rss-idle"]["value"]) * 1024 / _IDLE_CONNECTIONS
            cells["kb-connection"] = {"value": kilobytes}
        return cells


def _hold_connections(place: Workplace, server: Server, http: list[str]) -> Cell:
    command = place.load_command("idle", server.port, "--clients", str(_IDLE_CONNECTIONS), *http)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            counted = json.loads(holder.stdout.readline() if holder.stdout else "")
            time.sleep(1)
            megabytes = processes.resident_megabytes(server.process.pid)
        except ValueError:
            raise BenchError("the load generator could not hold idle connections") from None
        finally:
            if holder.stdin:
                holder.stdin.close()
            try:
                holder.wait(_MODEST_SECONDS)
            except subprocess.TimeoutExpired:
                holder.kill()
    return {"error": counted["error"]} if counted["errors"] else {"value": megabytes}
