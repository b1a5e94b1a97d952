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

from typing import Union

from .messages import Request, Response
from .objects import DataStream
from .values import value


@value(frozen=True)
class PrefaceReceived:
    """A Halibut client said hello: the moment to decide on trust. Nothing more is read before `Accept` is sent."""

    line: bytes


@value(frozen=True)
class PageRequested:
    """Somebody else said something, most likely a browser: send the page and close. Nothing more is read."""

    line: bytes


@value(frozen=True)
class PeerIdentified:
    """The peer's identity; `kind` is MX-CLIENT, MX-SERVER or MX-SUBSCRIBER, the last with a `subscription`."""

    kind: str
    version: str
    subscription: str | None = None


@value(frozen=True)
class RequestReceived:
    """A call came in; its streams follow, then MessageEnded."""

    request: Request


@value(frozen=True)
class ResponseReceived:
    """The answer came in; its streams follow, then MessageEnded."""

    response: Response


@value(frozen=True)
class StreamStarted:
    """A data stream begins; its length is the one of the frame, which is what counts."""

    stream: DataStream


@value(frozen=True)
class StreamData:
    """Some bytes of the current data stream, at least one."""

    data: bytes | memoryview


@value(frozen=True)
class StreamEnded:
    """The current data stream is whole."""

    stream: DataStream


@value(frozen=True)
class MessageEnded:
    """The message and all its streams are whole."""


@value(frozen=True)
class NextReceived:
    """The client wants to send another request; PROCEED has been answered."""


@value(frozen=True)
class ProceedReceived:
    """The service is ready for another request."""


@value(frozen=True)
class GoodbyeReceived:
    """The client said END."""


@value(frozen=True)
class PeerClosed:
    """The peer ended the connection at a point where that is no error."""


@value(frozen=True)
class Accept:
    """Service: the client's certificate is trusted, go on."""


@value(frozen=True)
class Hello:
    """Client: send preface and identity."""


@value(frozen=True)
class Next:
    """Client: ask whether the connection still serves, before another request."""


@value(frozen=True)
class StreamEnd:
    """The current data stream is complete."""


@value(frozen=True)
class Goodbye:
    """Client: END."""


Received = Union[
    PrefaceReceived, PageRequested, PeerIdentified, RequestReceived, ResponseReceived, StreamStarted, StreamData,
    StreamEnded, MessageEnded, NextReceived, ProceedReceived, GoodbyeReceived, PeerClosed,
]
Sent = Union[Accept, Hello, Next, Request, Response, StreamData, StreamEnd, Goodbye]
Event = Union[Received, Sent]
