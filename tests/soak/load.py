# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mixed load: every kind of caller in a thread of its own, each at its own pace, until told to stop."""

from __future__ import annotations

import collections
import contextlib
import pathlib
import random
import signal
import socket
import threading
import time
from collections.abc import Callable

from agent_process import AgentProcess, Identity
from chaos.caller import COMPLETE, Caller, expect, texts
from wire_client import WireClient

HELLO = b"MX\n\nMX-CLIENT 1.0\r\n\r\n"
PATIENCE_SECONDS = 30
DRIBBLERS = 12

Work = Callable[[random.Random, contextlib.ExitStack], Callable[[], None]]


class Load:
    """Starts with `begin`; `end` stops it. `counts` are calls and the like by kind, `problems` what went wrong."""

    def __init__(self, agent: AgentProcess, server: Identity, other: Identity, stranger: Identity) -> None:
        self._agent = agent
        self._server = server
        self._other = other
        self._stranger = stranger
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.problems: list[str] = []

    def begin(self) -> None:
        """Start all callers."""
        for work, pause in (
            (self._scripts, 0.3), (self._first_version, 2.0), (self._talk_much, 5.0), (self._cancel, 3.0),
            (self._files, 0.7), (self._call, 0.05), (self._connect, 0.2), (self._strangers, 0.4),
            (self._dribble, 0.5), (self._reload, 7.0),
        ):
            thread = threading.Thread(target=self._repeat, args=(work, pause), daemon=True)
            thread.start()
            self._threads.append(thread)

    def end(self) -> None:
        """Stop, and wait until everybody has."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    @property
    def calls(self) -> int:
        """Calls that were answered."""
        return sum(count for kind, count in self.counts.items() if kind not in ("strangers", "reloads", "connections"))

    def _repeat(self, work: Work, pause: float) -> None:
        rng = random.Random(work.__name__)
        while not self._stop.is_set() and len(self.problems) < 20:
            try:
                with contextlib.ExitStack() as stack:
                    step = work(rng, stack)
                    while not self._stop.wait(pause * (0.5 + rng.random())):
                        step()
            except Exception as problem:
                if not self._stop.is_set():
                    self.problems.append(f"{work.__name__.strip('_')}: {type(problem).__name__} {problem}")

    # Callers: each prepares itself and returns its step ----------------------------------------------------------

    def _open(self, stack: contextlib.ExitStack, who: Identity | None = None) -> Caller:
        self.counts["connections"] += 1
        return stack.enter_context(Caller(self._agent, who or self._server))

    def _scripts(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        caller = self._open(stack)

        def step() -> None:
            ticket = f"soak-{rng.getrandbits(60):x}"
            files = {"data": rng.randbytes(rng.randrange(20_000))} if rng.random() < 0.3 else None
            status = caller.start(ticket, "echo one; cat data 2>/dev/null | wc -c; echo two >&2; exit 3", 20, files)
            expect(status.exit_code == 3 and "one" in texts(status), f"{ticket} reads {status.exit_code}")
            expect(caller.status(ticket).exit_code == 3, f"{ticket} has another result a moment later")
            caller.complete(ticket)
            self.counts["scripts"] += 3

        return step

    def _first_version(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        caller = self._open(stack)

        def step() -> None:
            ticket = caller.start_v1("echo one; sleep 0.2; echo two")
            limit = time.monotonic() + PATIENCE_SECONDS
            while (status := caller.status_v1(ticket)).state != COMPLETE:
                expect(time.monotonic() < limit, f"{ticket} does not end")
                time.sleep(0.1)
            expect("two" in texts(status), f"{ticket} has lost its output")
            caller.complete_v1(ticket)
            self.counts["scripts of version 1"] += 3

        return step

    def _talk_much(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        caller = self._open(stack)

        def step() -> None:
            ticket, lines = f"much-{rng.getrandbits(60):x}", rng.randrange(20_000)
            status = caller.start(ticket, f"seq {lines}", 0.05)
            seen, after = list(status.logs), status.next_log_sequence
            while status.state != COMPLETE:
                status = caller.status(ticket, after)
                seen, after = seen + list(status.logs), status.next_log_sequence
                time.sleep(0.02)
            written = [line.text for line in seen if line.source == 0][3:]
            expect(written == [str(number + 1) for number in range(lines)], f"{ticket} has lost lines")
            caller.complete(ticket)
            self.counts["long outputs"] += 3

        return step

    def _cancel(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        caller = self._open(stack)

        def step() -> None:
            ticket = f"cancel-{rng.getrandbits(60):x}"
            caller.start(ticket, "echo begun; sleep 300", 0.1)
            caller.cancel(ticket)
            limit = time.monotonic() + PATIENCE_SECONDS
            while caller.status(ticket).state != COMPLETE:
                expect(time.monotonic() < limit, f"{ticket} does not end")
                time.sleep(0.02)
            caller.complete(ticket)
            self.counts["cancelled scripts"] += 4

        return step

    def _files(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        caller = self._open(stack)

        def step() -> None:
            content, path = rng.randbytes(rng.choice((0, 10, 5000, 1_000_000))), f"Files/{rng.randrange(20)}.bin"
            caller.upload(path, content)
            expect(caller.client.download(path) == content, f"{path} comes back different")
            expect(caller.client.download("Files/none") is None, "a missing file is there")
            self.counts["files"] += 3

        return step

    def _call(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        caller = self._open(stack)

        def step() -> None:
            caller.client.capabilities()
            self.counts["small calls"] += 1

        return step

    def _connect(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        context = self._open(stack).client.context

        def step() -> None:
            client = WireClient(self._agent.port, context=context)
            self.counts["connections"] += 1
            client.capabilities()
            self.counts["calls on new connections"] += 1
            if rng.random() < 0.5:
                client.say_goodbye()
            client.reset() if rng.random() < 0.2 else client.close()

        return step

    def _strangers(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        def step() -> None:
            self.counts["strangers"] += 1
            way = rng.randrange(4)
            if way == 0:
                with socket.create_connection(("127.0.0.1", self._agent.port), timeout=20) as sock:
                    sock.sendall(rng.randbytes(100))
                return
            client = WireClient(self._agent.port, (self._stranger.path if way == 1 else None))
            try:
                client.send(b"GET / HTTP/1.1\r\n\r\n" if way == 2 else HELLO)
                answer = client.read_to_end()
                expect(bool(answer) == (way == 2), f"a stranger got {answer[:40]!r}")
            finally:
                client.close()

        return step

    def _dribble(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        sockets: list[socket.socket] = []
        stack.callback(lambda: [sock.close() for sock in sockets])

        def step() -> None:
            if len(sockets) >= DRIBBLERS:
                sockets.pop(0).close()
            sockets.append(socket.create_connection(("127.0.0.1", self._agent.port), timeout=20))
            self.counts["strangers"] += 1
            for sock in sockets:
                with contextlib.suppress(OSError):
                    sock.send(b"\x16")

        return step

    def _reload(self, rng: random.Random, stack: contextlib.ExitStack) -> Callable[[], None]:
        def step() -> None:
            self.counts["reloads"] += 1
            trusted = [self._server.thumbprint]
            if self.counts["reloads"] % 2:
                trusted.append(self._other.thumbprint)
            self._agent.trust(trusted)
            if rng.random() < 0.5:
                self._agent.signal(signal.SIGHUP)

        return step


def leftovers(home: pathlib.Path) -> list[str]:
    """What is still in the directory of workspaces, where everything was completed."""
    return sorted(path.name for path in (home / "Work").iterdir()) if (home / "Work").exists() else []
