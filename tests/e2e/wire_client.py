# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client for tests that can do everything wrong: bytes as they are, or calls through the protocol core."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import ssl
import struct
import time
from typing import Any

from module_utils._halibut.bson import Guid
from module_utils._halibut.connection import Connection, Role
from module_utils._halibut.contracts import DataStream
from module_utils._halibut.events import (
    Goodbye,
    Hello,
    MessageEnded,
    Next,
    PeerIdentified,
    ProceedReceived,
    ResponseReceived,
    StreamData,
    StreamEnd,
    StreamStarted,
)
from module_utils._halibut.messages import Request, Response, streams_of

TIMEOUT = 20.0
WIRE_HELLO = b"MX\n\n" + b"MX-CLIENT 1.0\r\n\r\n"


class Ended(Exception):
    """The agent closed the connection."""


class WireClient:
    """One TLS connection to an agent on 127.0.0.1, with a certificate or without."""

    def __init__(
        self,
        port: int,
        identity: pathlib.Path | None = None,
        *,
        version: ssl.TLSVersion | None = None,
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
        address: str = "127.0.0.1",
        nagle: bool = False,
    ) -> None:
        self.context = context or client_context(identity, version)
        raw = socket.create_connection((address, port), timeout=TIMEOUT)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(not nagle))
        try:
            self.sock = self.context.wrap_socket(raw, session=session)
        except BaseException:
            raw.close()
            raise
        self.received = bytearray()  # every byte of the agent's, inside TLS
        self.sent = bytearray()  # every byte of the protocol core's, inside TLS
        self._core: Connection | None = None
        self._calls = 0

    def send(self, data: bytes) -> None:
        """Write bytes, as one TLS record if they fit."""
        self.sock.sendall(data)

    def read(self, timeout: float = TIMEOUT) -> bytes:
        """The agent's next bytes; b"" at the end. Raises TimeoutError."""
        self.sock.settimeout(timeout)
        data = self.sock.recv(65536)
        self.received += data
        return data

    def read_to_end(self, timeout: float = TIMEOUT) -> bytes:
        """All bytes until the agent ends the connection. Raises TimeoutError when it does not."""
        limit, data = time.monotonic() + timeout, b""
        while True:
            piece = self.read(max(limit - time.monotonic(), 0.01))
            if not piece:
                return data
            data += piece

    def ends_by_reset(self, timeout: float = TIMEOUT) -> bool:
        """Wait for the end of the TCP connection; whether it was a reset, which `ssl` does not tell."""
        with socket.socket(fileno=os.dup(self.sock.fileno())) as plain:
            plain.settimeout(timeout)
            try:
                while plain.recv(65536):
                    pass
            except ConnectionResetError:
                return True
        return False

    def finish(self) -> None:
        """End our side by TCP's FIN, without close_notify."""
        socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection off."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the socket without a word."""
        self.sock.close()

    # Calls

    def call(self, service: str, method: str, *params: Any, payloads: dict[bytes, bytes] | None = None) -> Response:
        """Make a call and return its answer; `streams` then holds the bytes of the answer's streams.

        Every part is a write of its own, as with .NET. Raises `Ended`.
        """
        self._ready()
        for stream in streams_of(self.begin(service, method, *params)):
            self.fill((payloads or {})[stream.id])
        return self.answer()

    def answer(self) -> Response:
        """Wait for the answer to what was begun; `streams` then holds the bytes of its streams. Raises `Ended`."""
        response: Response | None = None
        position = -1
        self.streams: list[bytearray] = []
        while True:
            for event in self._events():
                if isinstance(event, ResponseReceived):
                    response = event.response
                    self.streams = [bytearray() for _unused in streams_of(response)]
                elif isinstance(event, StreamStarted):
                    position += 1
                elif isinstance(event, StreamData):
                    self.streams[position] += event.data
                elif isinstance(event, MessageEnded):
                    assert response is not None
                    return response

    def begin(self, service: str, method: str, *params: Any) -> Request:
        """Send a request, without the bytes of its streams; `next` has to have been called, or nothing yet."""
        core = self._core or self._ready()
        self._calls += 1
        name = f"{service}::{method}Async[{self._calls}] / test"
        request = Request(name, Guid(os.urandom(16)), service, method, params)
        core.send(request)
        self._write()
        return request

    def fill(self, data: bytes, end: bool = True) -> None:
        """Send bytes of the stream whose turn it is, and its end or not yet."""
        assert self._core is not None
        self._core.send(StreamData(data))
        if end:
            self._core.send(StreamEnd())
        self._write()

    def capabilities(self) -> Response:
        """The smallest call there is."""
        return self.call("ICapabilitiesServiceV2", "GetCapabilities")

    def upload(self, path: str, content: bytes) -> Response:
        """Send a file."""
        stream = DataStream(Guid(os.urandom(16)), len(content))
        return self.call("IFileTransferService", "UploadFile", path, stream, payloads={stream.id: content})

    def download(self, path: str) -> bytes | None:
        """Fetch a file; None when there is none."""
        response = self.call("IFileTransferService", "DownloadFile", path)
        assert response.error is None, response.error
        return None if response.result is None else bytes(self.streams[0])

    def say_goodbye(self) -> None:
        """END."""
        assert self._core is not None
        self._core.send(Goodbye())
        self._write()

    def next(self) -> None:
        """NEXT, PROCEED."""
        assert self._core is not None
        self._core.send(Next())
        self._write()
        while not any(isinstance(event, ProceedReceived) for event in self._events()):
            pass

    def _ready(self) -> Connection:
        """Shake hands if nothing was said yet, else ask for the next request."""
        if self._core is not None:
            self.next()
            return self._core
        self._core = core = Connection(Role.CLIENT)
        core.send(Hello())
        self._write()
        while not any(isinstance(event, PeerIdentified) for event in self._events()):
            pass
        return core

    def _events(self) -> list[Any]:
        assert self._core is not None
        found = self._core.events()
        if not found:
            data = self.read()
            if not data:
                raise Ended
            self._core.receive_data(data)
        return list(found)

    def _write(self) -> None:
        assert self._core is not None
        for data in self._core.data_to_send():
            self.sent += data
            self.sock.sendall(data)


def client_context(identity: pathlib.Path | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A context that takes every server and shows `identity`, in one version of TLS or any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if identity is not None:
        context.load_cert_chain(identity)
    return context


def client_hello() -> bytes:
    """A real ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = client_context(None).wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def read_to_end(sock: socket.socket, timeout: float = TIMEOUT) -> bytes:
    """What comes until the other side ends or resets the connection."""
    sock.settimeout(timeout)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while True:
            piece = sock.recv(65536)
            if not piece:
                break
            data += piece
    return data
