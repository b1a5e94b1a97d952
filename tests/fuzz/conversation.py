# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One input against the protocol core in this process, in either role, and what must hold whatever it is.

* Reading raises nothing but RemoteProtocolError, the same one again and again, and gives nothing behind it.
* Answering in a state in which it is our turn raises nothing.
* How the bytes were cut makes no difference, and neither does what a service remembers of earlier connections.
"""

from __future__ import annotations

import functools
import random
from typing import Any, NamedTuple

from module_utils._halibut.bson import Guid, Int64
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.contracts import CapabilitiesResponseV2, DataStream
from module_utils._halibut.errors import RemoteProtocolError
from module_utils._halibut.events import (
    Accept,
    Hello,
    MessageEnded,
    Next,
    PeerIdentified,
    PrefaceReceived,
    ProceedReceived,
    RequestReceived,
    StreamData,
    StreamEnd,
)
from module_utils._halibut.messages import Request, Response, ServerError
from module_utils._halibut.repeats import RequestMemory

from . import corpus, mutations

ROLES = ("service", "client")
SIDES = {"service": "client", "client": "server"}  # whose bytes a role reads
LINES = {"service": b"NEXT\r\n", "client": b"PROCEED\r\n"}
SERIES = 32
"""Inputs that share one start of the random numbers, because starting them takes as long as making an input."""
CUT_TWICE = 0.06
"""How many inputs are read a second time, in other pieces and with another memory."""
_STREAM = DataStream(Guid(range(16)), 3)
_RESULTS: tuple[Any, ...] = (None, CapabilitiesResponseV2(("x",)), _STREAM, "text", Int64(5), None)
_FAILED = ServerError("it failed", "because")


class Violation(Exception):
    """A promise is broken; the text says which."""


class Input(NamedTuple):
    """What one connection reads: the pieces, and whether a service has seen the recorded `endpoint` before."""

    role: str
    pieces: list[bytes]
    primed: bool
    again: list[bytes] | None = None  # the same bytes in other pieces

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


def series(seed: int, number: int) -> list[Input]:
    """The inputs of the series that begins with this number (a multiple of `SERIES`)."""
    rng = random.Random((seed << 48) + number)
    return [_make(rng) for _unused in range(SERIES)]


def nth(seed: int, number: int) -> Input:
    """One input."""
    return series(seed, number - number % SERIES)[number % SERIES]


def _make(rng: random.Random) -> Input:
    role = ROLES[rng.random() < 0.35]
    parts = mutations.make(rng, corpus.load(SIDES[role]), LINES[role])
    pieces = mutations.cut(rng, parts)
    again = mutations.cut(rng, parts) if rng.random() < CUT_TWICE else None
    return Input(role, pieces, rng.random() < 0.5, again)


def check(item: Input) -> int:
    """Feed an input; returns how many events came of it. Raises Violation, or whatever the core let through."""
    if item.again is None:
        return len(Listening(item, None).read(item.pieces))
    logs: list[list[Any]] = [[], []]
    Listening(item, logs[0]).read(item.pieces)
    Listening(item._replace(primed=not item.primed), logs[1]).read(item.again)
    if logs[0] != logs[1]:
        raise Violation(f"other pieces or another memory, other events: {_first_difference(*logs)}")
    return len(logs[0])


def _first_difference(first: list[Any], second: list[Any]) -> str:
    for one, other in zip(first, second):
        if one != other:
            return f"{one!r:.300} and {other!r:.300}"
    return f"{len(first)} and {len(second)} events"


class Listening:
    """Our side of one conversation; `log` collects events in a form that does not tell how bytes were cut."""

    def __init__(self, item: Input, log: list[Any] | None) -> None:
        self._service = item.role == "service"
        self._log = log
        self._calls = 0
        self._id: str | None = None
        self._found: list[Any] = []
        if self._service:
            memory = RequestMemory()
            if item.primed:
                memory.endpoint.last, memory.endpoint.validated, memory.known = remembered()
            self._core = Connection(Role.SERVICE, memory=memory)
        else:
            self._core = Connection(Role.CLIENT)
            self._core.send(Hello())

    def read(self, pieces: list[bytes]) -> list[Any]:
        """Take everything and the end; returns all events."""
        core = self._core
        try:
            for piece in pieces:
                core.receive_data(piece)
                self._take_events()
            core.receive_eof()
            self._take_events()
        except RemoteProtocolError as error:
            self._note(str(error))
            self._must_stay_failed(error)
        else:
            if core.state in (State.IN_MESSAGE, State.STREAMS, State.AWAIT_MESSAGE, State.AWAIT_CONTROL):
                raise Violation(f"after the peer's end the core waits for more ({core.state.value})")
        core.data_to_send()
        return self._found

    def _take_events(self) -> None:
        events = self._core.events
        while found := events():
            self._found += found
            for event in found:
                kind = type(event)
                if kind is RequestReceived:
                    self._id = event.request.id
                elif kind is MessageEnded or kind is PrefaceReceived or kind is PeerIdentified:
                    self._react(kind)
                elif kind is ProceedReceived:
                    self._ask()
                if self._log is not None:
                    self._note(event)

    def _react(self, kind: type) -> None:
        core = self._core
        if kind is PrefaceReceived:
            core.send(Accept())
        elif kind is MessageEnded and self._service:
            self._answer()
        elif kind is MessageEnded:
            core.send(Next())
        elif not self._service and core.state is State.READY:
            self._ask()

    def _answer(self) -> None:
        self._calls += 1
        result = _RESULTS[self._calls % len(_RESULTS)]
        self._core.send(Response(self._id, result, None if self._calls % 3 else _FAILED))
        self._send_streams(result)

    def _ask(self) -> None:
        self._calls += 1
        parameter = _RESULTS[self._calls % len(_RESULTS)]
        self._core.send(Request("id", Guid(bytes(16)), "Service", "Method", (parameter,)))
        self._send_streams(parameter)

    def _send_streams(self, value: Any) -> None:
        if value is _STREAM:
            self._core.send(StreamData(b"abc"))
            self._core.send(StreamEnd())

    def _must_stay_failed(self, error: RemoteProtocolError) -> None:
        self._core.receive_data(b"NEXT\r\n")
        try:
            found = self._core.events()
        except RemoteProtocolError as repeated:
            if repeated is not error:
                raise Violation(f"another error follows: {repeated}") from None
            return
        raise Violation(f"events {found!r:.200} follow the error {error}")

    def _note(self, event: Any) -> None:
        """Keep what happened; neighbouring bytes of a stream count as one."""
        if self._log is None:
            return
        if not isinstance(event, StreamData):
            self._log.append(repr(event))
        elif self._log and isinstance(self._log[-1], bytearray):
            self._log[-1] += event.data
        else:
            self._log.append(bytearray(event.data))


@functools.lru_cache(maxsize=1)
def remembered() -> tuple[Any, Any, Any]:
    """What a service remembers of a recorded request: its `endpoint`, that this is valid, and all but its ids."""
    memory = RequestMemory()
    core = Connection(Role.SERVICE, memory=memory)
    hello = b"".join(corpus.load("client").hellos[0])
    message = next(message for message in corpus.load("client").messages if "GetCapabilities" in message.method)
    core.receive_data(hello + mutations.stored(message.document))
    core.events()
    core.send(Accept())
    core.events()
    return memory.endpoint.last, memory.endpoint.validated, memory.known
