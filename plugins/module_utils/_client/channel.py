# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One connection to one agent: the protocol core driven over a TLS stream.

The order is `open`, `greet`, then `exchange` once; before every further exchange `proceed`. Each method raises
ClientError and nothing else for whatever the other side or the network does; after one the channel is of no more use.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Optional, Protocol

from .._halibut import events, thumbprint
from .._halibut.bson import Guid
from .._halibut.connection import Connection, Role
from .._halibut.errors import HalibutError, LocalProtocolError
from .._halibut.messages import Request, Response, streams_of
from .._halibut.objects import DataStream
from . import failures, transport
from .endpoint import Endpoint, Timeouts
from .errors import ClientError
from .identity import Identity, context

if TYPE_CHECKING:
    from .proxy import Proxy

COPY_SIZE = 256 * 1024  # bytes of a file in memory at a time
_SEEN = 512  # bytes of an answer that are kept in case it is none

Sources = Mapping[Guid, BinaryIO]


class Sink(Protocol):
    """Where the bytes of an incoming data stream go."""

    def write(self, data: Any, /) -> Any: ...


Receive = Callable[[DataStream], Optional[Sink]]
Progress = Callable[[int, int], None]


class Channel:
    """One connection, with at most one call under way."""

    def __init__(
        self,
        stream: transport.TlsStream,
        endpoint: Endpoint,
        identity: Identity | None,
        timeouts: Timeouts,
        types: Mapping[str, Any] | None = None,
    ) -> None:
        self.stream = stream
        self.used = time.monotonic()
        self._where = str(endpoint)
        self._identity = identity
        self._timeouts = timeouts
        self._protocol = Connection(Role.CLIENT, types)
        self._events: deque[Any] = deque()
        self._seen = b""
        self._ended = False

    @classmethod
    def open(
        cls,
        endpoint: Endpoint,
        identity: Identity | None,
        timeouts: Timeouts,
        types: Mapping[str, Any] | None = None,
        proxy: Proxy | None = None,
    ) -> Channel:
        """Connect, agree on TLS, and compare the thumbprint before anything is said."""
        try:
            stream = _agree(endpoint, identity, timeouts, proxy, weak=False)
        except transport.HandshakeError as error:
            if not (endpoint.thumbprint and failures.is_weakness(error.error)):
                raise failures.no_handshake(error.error, error.first, str(endpoint), identity) from error
            try:
                stream = _agree(endpoint, identity, timeouts, proxy, weak=True)
            except transport.HandshakeError as again:
                raise failures.no_handshake(again.error, again.first, str(endpoint), identity) from again
        try:
            check_pin(endpoint, stream.certificate)
        except ClientError:
            stream.close()
            raise
        return cls(stream, endpoint, identity, timeouts, types)

    def greet(self) -> events.PeerIdentified:
        """Say who we are. The answer proves that the agent trusts our certificate."""
        deadline = time.monotonic() + self._timeouts.handshake
        try:
            with contextlib.suppress(
                ConnectionError
            ):  # what the other side said before it cut comes with the next read
                self._send(events.Hello())
            event = self._next(max(deadline - time.monotonic(), 0.001))
        except (OSError, HalibutError) as error:
            self.close()
            raise failures.not_identified(
                None if self._ended else error, self._seen, self._where, self._identity
            ) from error
        if not isinstance(event, events.PeerIdentified):
            self.close()
            raise failures.not_identified(None, self._seen, self._where, self._identity)
        return event

    def proceed(self) -> None:
        """Take the idle connection up again. Failing is harmless: agents close idle connections (§10, Q18)."""
        try:
            self._send(events.Next())
            event = self._next(self._timeouts.receive)
        except (OSError, HalibutError) as error:
            self.close()
            raise failures.not_proceeding(error, self._where) from error
        if not isinstance(event, events.ProceedReceived):
            self.close()
            raise failures.not_proceeding(None, self._where)

    def exchange(
        self, request: Request, sources: Sources, receive: Receive | None, progress: Progress | None
    ) -> Response:
        """Send a request with its streams and take the response with its own."""
        called = f"{request.service}.{request.method}"
        try:
            self._send(request)
            for stream in streams_of(request):
                self._send_stream(stream, sources[stream.id], progress)
            response = self._receive_response(receive)
        except LocalProtocolError as error:
            self.close()
            raise failures.not_exchanged(error, self._where, called, 0) from error
        except (OSError, HalibutError) as error:
            self.close()
            raise failures.not_exchanged(
                None if self._ended else error, self._where, called, self._timeouts.response
            ) from error
        except BaseException:
            self.close()
            raise
        self.used = time.monotonic()
        return response

    def close(self, goodbye: bool = False) -> None:
        """End the connection, politely where that makes sense; never fails."""
        if goodbye and not self._ended:
            with contextlib.suppress(OSError, HalibutError):
                self._send(events.Goodbye())
        self.stream.close()

    def _send_stream(self, stream: DataStream, source: BinaryIO, progress: Progress | None) -> None:
        sent = 0
        while sent < stream.length:
            piece = source.read(min(COPY_SIZE, stream.length - sent))
            if not piece:
                raise ClientError(
                    "invalid_input",
                    f"The file to send ended after {sent} of {stream.length} bytes: it was changed meanwhile.",
                )
            self._send(events.StreamData(piece))
            sent += len(piece)
            if progress is not None:
                progress(sent, stream.length)
        self._send(events.StreamEnd())

    def _receive_response(self, receive: Receive | None) -> Response:
        event = self._next(self._timeouts.response)
        if not isinstance(event, events.ResponseReceived):
            raise ConnectionResetError
        response, sink = event.response, None
        while not isinstance(event, events.MessageEnded):
            event = self._next(self._timeouts.receive)
            if isinstance(event, events.StreamStarted):
                sink = receive(event.stream) if receive is not None else None
            elif isinstance(event, events.StreamData) and sink is not None:
                sink.write(event.data)
            elif isinstance(event, events.PeerClosed):
                raise ConnectionResetError
        return response

    def _send(self, event: Any) -> None:
        self._protocol.send(event)
        self.stream.write(self._protocol.data_to_send(), self._timeouts.receive)

    def _next(self, timeout: float) -> Any:
        while not self._events:
            found = self._protocol.events()
            if found:
                self._events.extend(found)
                break
            data = self.stream.read(timeout)
            if data:
                self._seen = (self._seen + data)[:_SEEN] if len(self._seen) < _SEEN else self._seen
                self._protocol.receive_data(data)
            else:
                self._ended = True
                self._protocol.receive_eof()
        return self._events.popleft()


def _agree(
    endpoint: Endpoint, identity: Identity | None, timeouts: Timeouts, proxy: Proxy | None, *, weak: bool
) -> transport.TlsStream:
    if proxy is not None:
        from . import proxy as proxies  # only here: most connections are made without one

        connection = proxies.dial(proxy, endpoint, timeouts.connect)
    else:
        connection = _dial(endpoint, timeouts.connect)
    return transport.TlsStream.open(connection, context(identity, weak=weak), endpoint.host, timeouts.handshake)


def _dial(endpoint: Endpoint, timeout: float) -> socket.socket:
    try:
        addresses = transport.resolve(endpoint.host, endpoint.port)
    except (OSError, UnicodeError) as error:
        raise failures.not_resolved(error, endpoint.host) from error
    try:
        return transport.dial(addresses, timeout)
    except OSError as error:
        raise failures.not_connected(error, str(endpoint), timeout) from error


def check_pin(endpoint: Endpoint, der: bytes) -> None:
    """Compare the presented certificate with the expected thumbprint; ClientError (agent_thumbprint_mismatch)."""
    if endpoint.thumbprint and thumbprint.matches(der, (endpoint.thumbprint,)) is None:
        raise mismatch(endpoint, der)


def mismatch(endpoint: Endpoint, der: bytes) -> ClientError:
    """The failure of a certificate that is not the expected one."""
    seen = thumbprint.of_der(der)
    shown = seen.sha1 if len(endpoint.thumbprint or "") == 40 else seen.sha256
    return ClientError(
        "agent_thumbprint_mismatch",
        f"{endpoint} showed certificate {shown}, expected {endpoint.thumbprint}.",
        also=("tls_intercepted", "shared_identity", "wrong_address"),
    )
