# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
"""One Halibut connection, as a client or as a service, without any input or output (docs/protocol/halibut-wire.md §3).

A driver does four things, in a loop:

* `receive_data(bytes)` or `receive_eof()` with what came from the peer, inside TLS;
* `events()`, again and again until it returns nothing: what that meant;
* `send(event)`: what our side wants to say;
* `data_to_send()`: the writes that this takes, each of which must become a TLS record of its own (§10, Q4).

The two sides alternate strictly, and nothing is read while it is our turn. A service stops reading behind the first
request line, until `Accept`, and behind a message with its streams, until the `Response` with its streams is sent. So
bytes that come early stay where they are, and a client that ends its sending side behind a request is still answered.

What a peer may do is limited in size (limits.py), not in time: the core has no clock. `state` tells what is awaited.
"""

from __future__ import annotations

import enum
from typing import Callable

from . import bson, control
from .buffer import Buffer
from .control import PrefaceReader
from .errors import LocalProtocolError, RemoteProtocolError
from .events import (
    Accept,
    Goodbye,
    GoodbyeReceived,
    Hello,
    Next,
    NextReceived,
    PageRequested,
    PeerClosed,
    PeerIdentified,
    PrefaceReceived,
    ProceedReceived,
    Received,
    Sent,
    StreamData,
    StreamEnd,
)
from .incoming import MessageReader, RequestDecoder, ResponseDecoder
from .limits import MAX_BACKLOG
from .messages import (
    Request,
    Response,
    Types,
    encode_response,
    request_document,
    response_document,
    streams_of,
)
from .objects import Contract
from .outgoing import MessageWriter, Write
from .repeats import RequestMemory

_NEXT_RECEIVED = NextReceived()


class Role(enum.Enum):
    """Which side of the conversation we are."""

    CLIENT = "client"
    SERVICE = "service"


class State(enum.Enum):
    """What is going on; the comment says whose turn it is."""

    PREFACE = "preface"  # service: the peer's; client: ours (Hello)
    DECIDING = "deciding"  # service: ours (Accept)
    IDENTITY = "identity"  # the peer's
    READY = "ready"  # client: ours (Request)
    AWAIT_MESSAGE = "await message"  # the peer's, no byte of it has come
    IN_MESSAGE = "in message"  # the peer's
    STREAMS = "streams"  # the peer's
    BUSY = "busy"  # service: ours (Response)
    SENDING_STREAMS = "sending streams"  # ours (StreamData, StreamEnd)
    IDLE = "idle"  # client: ours (Next)
    AWAIT_CONTROL = "await control"  # the peer's
    CLOSED = "closed"  # nobody's: ended in order
    FAILED = "failed"  # nobody's: somebody broke the protocol


class Connection:
    """The state of one connection. `types` maps every acceptable `$type` to its class (None: `contracts.TYPES`).

    `memory` may be shared by all connections of a service; it saves each of them reading what the last one has read.
    """

    def __init__(self, role: Role, types: Types | None = None, memory: RequestMemory | None = None) -> None:
        if types is None:
            from .contracts import TYPES  # only here: who makes one harmless call needs few of them

            types = TYPES
        self._role = role
        self._state = State.PREFACE
        self._error: RemoteProtocolError | None = None
        self._eof = False
        self._open = True
        self._buffer = Buffer()
        self._preface = PrefaceReader()
        self._identity: bytes | None = None
        service = role is Role.SERVICE
        requests = RequestDecoder(types, memory or RequestMemory()) if service else None
        self._reader = MessageReader(self._buffer, requests or ResponseDecoder(types))
        self._writer = MessageWriter()
        self._step: _Step = Connection._read_preface if service else Connection._wait

    @property
    def state(self) -> State:
        if self._state is State.IN_MESSAGE and self._reader.in_streams:
            return State.STREAMS
        return self._state

    @property
    def exhausted(self) -> bool:
        """True when every received byte is used and more may come: `events` would return nothing."""
        return not (self._buffer or self._eof or self._error)

    # Receiving

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer. Never fails; call `events` afterwards. The bytes must not change later."""
        if data and self._open:
            self._buffer.append(data)

    def receive_eof(self) -> None:
        """Take note that the peer will send nothing more."""
        self._eof = True

    def events(self) -> list[Received]:
        """What happened, as far as the state allows to read on; call it until it returns nothing.

        Raises RemoteProtocolError when the peer broke the protocol and no event is left in front of that; the same
        error comes again with every later call. The connection is to be closed then, without another byte.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)
        found: list[Received] = []
        try:
            while self._step(self, found):
                pass
        except RemoteProtocolError as error:
            self._error = error
            self._finish(State.FAILED)
            if not found:
                raise
        return found

    def data_to_send(self) -> list[Write]:
        """The writes that are due, in order; each is to be a write of its own. They are handed out once."""
        return self._writer.collect()

    # Reading, one method for each state; True if the next state can be read at once

    def _ignore(self, found: list[Received]) -> bool:
        """Nothing is read any more."""
        return False

    def _wait(self, found: list[Received]) -> bool:
        """It is our turn; the peer's bytes wait."""
        if self._buffer and len(self._buffer) > MAX_BACKLOG:
            raise RemoteProtocolError(f"The peer sent more than {MAX_BACKLOG} bytes out of turn.")
        return False

    def _read_preface(self, found: list[Received]) -> bool:
        preface = self._preface
        while not preface.complete:
            data = self._buffer.take_chunk()
            if not data:
                if not self._eof:
                    return False
                if not len(preface):
                    return self._closed_by_peer(found)
                if len(preface) < 2:
                    raise RemoteProtocolError("The connection ended behind its first character.")
                break
            taken = preface.feed(data)
            if taken < len(data):
                self._buffer.put_back(data[taken:])
        if preface.speaks_halibut:
            found.append(PrefaceReceived(preface.line))
            self._become(State.DECIDING, Connection._wait)
        else:
            found.append(PageRequested(preface.line))
            self._finish(State.CLOSED)
        return False

    def _read_identity(self, found: list[Received]) -> bool:
        while True:
            line = self._buffer.take_line()
            if line is None:
                if self._eof and self._role is Role.CLIENT and self._identity is None and not self._buffer:
                    return self._closed_by_peer(found)
                return self._need_more("within the peer's identity")
            if self._identity is not None:
                break
            if not line:
                raise RemoteProtocolError("The peer sent an empty line where its identity was expected.")
            self._identity = line
        if line:
            raise RemoteProtocolError("The line behind the peer's identity is not empty.")
        return self._judge_identity(control.parse_identity(self._identity), found)

    def _judge_identity(self, identity: control.Identity, found: list[Received]) -> bool:
        found.append(PeerIdentified(identity.kind, identity.version, identity.subscription))
        if self._role is Role.CLIENT:
            if identity.kind != control.SERVER:
                raise RemoteProtocolError(f"The peer identifies itself as {identity.kind}, MX-SERVER was expected.")
            self._become(State.READY, Connection._wait)
            return False
        self._writer.write(control.SERVER_IDENTITY)  # the original answers before it looks at the kind (§3.3)
        if identity.kind != control.CLIENT:
            raise RemoteProtocolError(f"The peer identifies itself as {identity.kind}, MX-CLIENT was expected.")
        self._become(State.AWAIT_MESSAGE, Connection._await_message)
        return True

    def _await_message(self, found: list[Received]) -> bool:
        if not self._buffer:
            if not self._eof:
                return False
            if self._role is Role.SERVICE:
                return self._closed_by_peer(found)
            raise RemoteProtocolError("The connection ended before the response: the call may have run.")
        if self._role is Role.SERVICE:
            # No deflate stream begins like this: goodbye may be said at any time (§10, Q17).
            goodbye = self._buffer.starts_with(control.END_LINE)
            if goodbye:
                return self._goodbye(found)
            if goodbye is None and not self._eof:
                return False
        self._become(State.IN_MESSAGE, Connection._read_message)
        return True

    def _read_message(self, found: list[Received]) -> bool:
        if not self._reader.read(found):
            if self._eof:
                raise self._reader.end_of_stream()
            return False
        self._reader.start()
        self._become(State.BUSY if self._role is Role.SERVICE else State.IDLE, Connection._wait)
        return False

    def _read_control(self, found: list[Received]) -> bool:
        line = self._buffer.take_line()
        while line == b"":  # any number of empty lines (§3.2)
            line = self._buffer.take_line()
        if line is None:
            if self._eof and not self._buffer:
                return self._closed_by_peer(found)
            return self._need_more("within a control line")
        if self._role is Role.CLIENT:
            if line != control.PROCEED:
                raise RemoteProtocolError(f"The peer sent {control.quote(line)}, PROCEED was expected.")
            found.append(ProceedReceived())
            self._become(State.READY, Connection._wait)
            return False
        if line == control.NEXT:
            self._writer.write(control.PROCEED_LINE)
            found.append(_NEXT_RECEIVED)
            self._become(State.AWAIT_MESSAGE, Connection._await_message)
            return True
        if line == control.END:
            return self._goodbye(found)
        raise RemoteProtocolError(f"The peer sent {control.quote(line)}, NEXT or END was expected.")

    def _goodbye(self, found: list[Received]) -> bool:
        found.append(GoodbyeReceived())
        self._finish(State.CLOSED)
        return False

    def _closed_by_peer(self, found: list[Received]) -> bool:
        found.append(PeerClosed())
        self._finish(State.CLOSED)
        return False

    def _need_more(self, where: str) -> bool:
        if self._eof:
            raise RemoteProtocolError(f"The connection ended {where}.")
        return False

    # Sending

    def send(self, event: Sent) -> None:
        """Say something. Raises LocalProtocolError when it is not our turn to say that, or it cannot be expressed.

        A message that cannot be expressed leaves everything as it was, so that an error can be answered instead. A
        stream with more or fewer bytes than its message declared ends the connection.
        """
        if type(event) is StreamData:
            self._expect(State.SENDING_STREAMS, event)
            self._stream(self._writer.stream_data, event.data)
        elif isinstance(event, Response):
            self._expect(State.BUSY, event)
            bulk = event.result.bulk() if isinstance(event.result, Contract) else None
            if bulk is None:
                self._writer.message(encode_response(event), streams_of(event))
            else:
                self._writer.write(bulk.content.within(response_document(event), ("Message", "result", bulk.member)))
            self._message_sent()
        elif isinstance(event, Request):
            self._expect(State.READY, event)
            self._writer.message(bson.encode(request_document(event)), streams_of(event))
            self._message_sent()
        elif isinstance(event, StreamEnd):
            self._expect(State.SENDING_STREAMS, event)
            self._stream(self._writer.stream_end)
            self._message_sent()
        else:
            self._send_control(event)

    def _send_control(self, event: Sent) -> None:
        client = self._role is Role.CLIENT
        if isinstance(event, Accept):
            self._expect(State.DECIDING, event)
            self._become(State.IDENTITY, Connection._read_identity)
        elif isinstance(event, Hello) and client:
            self._expect(State.PREFACE, event)
            self._writer.write(control.PREFACE)
            self._writer.write(control.CLIENT_IDENTITY)
            self._become(State.IDENTITY, Connection._read_identity)
        elif isinstance(event, Next):
            self._expect(State.IDLE, event)
            self._writer.write(control.NEXT_LINE)
            self._become(State.AWAIT_CONTROL, Connection._read_control)
        elif isinstance(event, Goodbye) and client:
            if self._state is not State.CLOSED:  # allowed at any time (§3.4), and harmless when it comes late
                self._writer.write(control.END_LINE)
                self._finish(State.CLOSED)
        else:
            raise LocalProtocolError(f"A {self._role.value} does not send {type(event).__name__}.")

    def _message_sent(self) -> None:
        if self._writer.in_streams:
            self._become(State.SENDING_STREAMS, Connection._wait)
        elif self._role is Role.SERVICE:
            self._become(State.AWAIT_CONTROL, Connection._read_control)
        else:
            self._become(State.AWAIT_MESSAGE, Connection._await_message)

    def _stream(self, write: Callable[..., None], *arguments: bytes | memoryview) -> None:
        try:
            write(*arguments)
        except LocalProtocolError:
            self._finish(State.FAILED)
            raise

    def _expect(self, state: State, event: Sent) -> None:
        if self._state is not state:
            raise LocalProtocolError(f"{type(event).__name__} cannot be sent in state {self.state.value!r}.")

    def _become(self, state: State, step: _Step) -> None:
        self._state = state
        self._step = step

    def _finish(self, state: State) -> None:
        self._become(state, Connection._ignore)
        self._open = False
        self._buffer.clear()


_Step = Callable[[Connection, "list[Received]"], bool]
