# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers that say one byte a second hardly delay the trusted server.

Latency of small calls on an open connection and of new connections, with and without them, in turns in one run: the
median of the rounds' 99th percentiles, disturbed, is at most twice the undisturbed one.
"""

from __future__ import annotations

import multiprocessing
import pathlib
import resource
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

from agent_process import AgentProcess, make_identity
from wire_client import WireClient

from .caller import Caller, expect

TURNS = 5
CALLS, CONNECTIONS = 600, 120
FACTOR = 2.0
FLOOR = 0.001
"""Seconds below which a difference says nothing: a percentile of half a millisecond doubles with one wake-up."""
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)


def run(strangers: int, seed: int, directory: pathlib.Path, say: Callable[[str], None]) -> str:
    """With so many strangers; fewer than 1,000 are measured but not judged. Raises Broken."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    identity = make_identity(directory / "server.pem")
    with AgentProcess(directory, [identity.thumbprint]) as agent:
        turns: list[tuple[list[float], list[float]]] = []
        _measure(agent, identity)
        for number in range(TURNS if strangers >= 1000 else 1):
            alone = _measure(agent, identity)
            with Dribblers(agent.port, strangers) as dribblers:
                disturbed = _measure(agent, identity)
                there = dribblers.connected()
                expect(there >= strangers * 0.9, f"only {there} strangers are connected")
            turns.append((alone, disturbed))
            say(f"turn {number + 1}: {_told(alone)} alone, {_told(disturbed)} with {strangers} strangers")
        threads = agent.threads()
    medians = [[statistics.median(turn[which][kind] for turn in turns) for which in (0, 1)] for kind in (0, 1)]
    for what, (alone, disturbed) in zip(("a call", "a new connection"), medians):
        allowed = max(FACTOR * alone, alone + FLOOR)
        expect(strangers < 1000 or disturbed <= allowed,
               f"{what}: p99 {disturbed * 1000:.2f} ms with {strangers} strangers, {alone * 1000:.2f} ms without")
    ratios = [f"{disturbed / alone:.2f}" for alone, disturbed in medians]
    judged = "" if strangers >= 1000 else " (not judged)"
    changes = [f"x {ratio} ({alone * 1000:.2f} -> {disturbed * 1000:.2f} ms)"
               for ratio, (alone, disturbed) in zip(ratios, medians)]
    return f"p99 of a call {changes[0]}, of a connection {changes[1]}, {threads} threads{judged}"


def _told(values: list[float]) -> str:
    return f"p99 {values[0] * 1000:.2f} and {values[1] * 1000:.2f} ms"


def _measure(agent: AgentProcess, identity: Any) -> list[float]:
    """99th percentiles in seconds: of calls on an open connection, and of new connections with one call."""
    calls, connections = [], []
    with Caller(agent, identity) as caller:
        context = caller.client.context
        caller.client.capabilities()
        for _unused in range(CALLS):
            began = time.perf_counter()
            caller.client.capabilities()
            calls.append(time.perf_counter() - began)
            time.sleep(0.001)
    for _unused in range(CONNECTIONS):
        began = time.perf_counter()
        client = WireClient(agent.port, context=context)
        client.capabilities()
        connections.append(time.perf_counter() - began)
        client.close()
    return [sorted(values)[int(len(values) * 0.99)] for values in (calls, connections)]


class Dribblers:
    """Connections in a process of their own, each of which sends a byte of a handshake every second."""

    def __init__(self, port: int, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connected = context.Value("i", 0)
        self._process = context.Process(target=_dribble, args=(port, count, self._connected), daemon=True)
        self._count = count

    def connected(self) -> int:
        """How many are."""
        return int(self._connected.value)

    def __enter__(self) -> Dribblers:
        self._process.start()
        limit = time.monotonic() + 30
        while self.connected() < self._count and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(1)
        return self

    def __exit__(self, *_unused: object) -> None:
        self._process.terminate()
        self._process.join()


def _dribble(port: int, count: int, connected: Any) -> None:
    sockets: list[tuple[socket.socket, int]] = []
    for number in range(count):
        sockets.append((socket.create_connection(("127.0.0.1", port), timeout=10), 0))
        connected.value = number + 1
        time.sleep(0.002)
    while True:
        for number, (sock, said) in enumerate(sockets):
            try:
                sock.send(HELLO[said : said + 1])
                sockets[number] = sock, said + 1
            except OSError:  # the agent's patience has ended; another stranger comes
                sock.close()
                sockets[number] = socket.create_connection(("127.0.0.1", port), timeout=10), 0
            time.sleep(1.0 / count)
