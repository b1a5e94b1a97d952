# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Everything that can happen on a connection, as values: what `Connection.events` reports and `Connection.send` takes.

Received by a service: PrefaceReceived or PageRequested, PeerIdentified, then for each call RequestReceived, its streams
and MessageEnded; NextReceived between calls, GoodbyeReceived or PeerClosed at the end.
Received by a client: PeerIdentified, then for each call ResponseReceived, the streams, MessageEnded; ProceedReceived
before each call but the first.

Sent by a service: Accept, Response and its streams. Sent by a client: Hello, Request and its streams, Next, Goodbye.
The streams of a message are sent and received alike: StreamData as often as needed, then StreamEnd (sent) or
StreamEnded (received), in document order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from .messages import Request, Response
from .objects import DataStream


@dataclass(frozen=True)
class PrefaceReceived:
    """A Halibut client said hello: the moment to decide on trust. Nothing more is read before `Accept` is sent."""

    line: bytes


@dataclass(frozen=True)
class PageRequested:
    """Somebody else said something, most likely a browser: send the page and close. Nothing more is read."""

    line: bytes


@dataclass(frozen=True)
class PeerIdentified:
    """The peer's identity; `kind` is MX-CLIENT, MX-SERVER or MX-SUBSCRIBER, the last with a `subscription`."""

    kind: str
    version: str
    subscription: str | None = None


@dataclass(frozen=True)
class RequestReceived:
    """A call came in; its streams follow, then MessageEnded."""

    request: Request


@dataclass(frozen=True)
class ResponseReceived:
    """The answer came in; its streams follow, then MessageEnded."""

    response: Response


@dataclass(frozen=True)
class StreamStarted:
    """A data stream begins; its length is the one of the frame, which is what counts."""

    stream: DataStream


@dataclass(frozen=True, init=False)
class StreamData:
    """Some bytes of the current data stream, at least one."""

    data: bytes | memoryview

    def __init__(self, data: bytes | memoryview) -> None:
        self.__dict__["data"] = data  # there is one for each TLS record: this is the fastest way past `frozen`


@dataclass(frozen=True)
class StreamEnded:
    """The current data stream is whole."""

    stream: DataStream


@dataclass(frozen=True)
class MessageEnded:
    """The message and all its streams are whole."""


@dataclass(frozen=True)
class NextReceived:
    """The client wants to send another request; PROCEED has been answered."""


@dataclass(frozen=True)
class ProceedReceived:
    """The service is ready for another request."""


@dataclass(frozen=True)
class GoodbyeReceived:
    """The client said END."""


@dataclass(frozen=True)
class PeerClosed:
    """The peer ended the connection at a point where that is no error."""


@dataclass(frozen=True)
class Accept:
    """Service: the client's certificate is trusted, go on."""


@dataclass(frozen=True)
class Hello:
    """Client: send preface and identity."""


@dataclass(frozen=True)
class Next:
    """Client: ask whether the connection still serves, before another request."""


@dataclass(frozen=True)
class StreamEnd:
    """The current data stream is complete."""


@dataclass(frozen=True)
class Goodbye:
    """Client: END."""


Received = Union[
    PrefaceReceived, PageRequested, PeerIdentified, RequestReceived, ResponseReceived, StreamStarted, StreamData,
    StreamEnded, MessageEnded, NextReceived, ProceedReceived, GoodbyeReceived, PeerClosed,
]
Sent = Union[Accept, Hello, Next, Request, Response, StreamData, StreamEnd, Goodbye]
Event = Union[Received, Sent]
