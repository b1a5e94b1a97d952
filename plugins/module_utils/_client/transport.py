# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Names, TCP and TLS of a client, with the standard library alone.

Raises what the operating system and `ssl` raise; `failures.py` turns that into causes. Three details matter:

* Every list item to write becomes a TLS record of its own, because old peers depend on it
  (docs/protocol/halibut-wire.md §10, Q4). So small packets follow each other: Nagle's algorithm is off on our side, and
  on Linux our acknowledgements are never delayed, as the other side's Nagle waits for them.
* Nobody sends close_notify (§1.5): an unexpected end of the stream is an end.
* The first bytes that the other side says are kept, so that a web server or another service at this port can be named.
  For this TLS works on memory, and the socket is ours.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable
from typing import NamedTuple

from .._halibut import limits
from . import records

FIRST_BYTES = 512  # how much of a foreign answer is kept as evidence
READ_SIZE = 65536
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class Address(NamedTuple):
    """One address that a name stands for."""

    family: socket.AddressFamily
    place: tuple[str | int, ...]

    @property
    def text(self) -> str:
        """The IP address, as a user would write it."""
        return str(self.place[0])

    @property
    def version(self) -> str:
        return "IPv6" if self.family == socket.AF_INET6 else "IPv4"


def resolve(host: str, port: int) -> list[Address]:
    """All addresses of a host, in the order of preference of this machine; socket.gaierror if there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(Address(entry[0], entry[4]) for entry in found))  # type: ignore[arg-type]


def dial(addresses: Iterable[Address], timeout: float) -> socket.socket:
    """Connect to the first address that answers; the last address's error if none does. `timeout` is for each."""
    failure: OSError | None = None
    for address in addresses:
        connection = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            prepare(connection)
            connection.settimeout(timeout)
            connection.connect(address.place)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure or OSError("there is no address to connect to")


def prepare(connection: socket.socket) -> None:
    """Set the options that every connection of ours has; those that a system lacks are left out."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in zip(("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"), limits.KEEPALIVE):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_tls(first: bytes) -> bool:
    """Whether the first bytes of an answer begin a record of TLS: an alert or a handshake message."""
    return first[:1] in (b"\x15", b"\x16") and first[1:2] in (b"\x03", b"")


class HandshakeError(Exception):
    """TLS could not be agreed. `error` says why, `first` holds the first bytes that the other side sent."""

    def __init__(self, error: OSError, first: bytes, first_at: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.first = first
        self.first_at = first_at


class TlsStream:
    """The client's end of a TLS connection that blocks, each wait within its own time."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self.first = b""
        self.first_at: float | None = None  # when the first byte came, as time.monotonic tells it
        self.certificate = b""
        self.version = ""
        self.cipher = ""
        self.asked: bool | None = None  # whether the other side asked for our certificate, as every Tentacle does
        self._said = b""
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=_server_name(host))

    @classmethod
    def open(cls, connection: socket.socket, context: ssl.SSLContext, host: str, timeout: float) -> TlsStream:
        """Agree on TLS within `timeout` seconds. Owns the connection from here on, and closes it on failure."""
        try:
            stream = cls(connection, context, host)
        except BaseException:
            connection.close()
            raise
        try:
            stream._shake_hands(time.monotonic() + timeout)
        except OSError as error:  # ssl.SSLError and time-outs are among them
            stream.close()
            raise HandshakeError(error, stream.first, stream.first_at) from error
        except BaseException:
            stream.close()
            raise
        return stream

    def read(self, timeout: float) -> bytes:
        """Some bytes as soon as there are any; b"" at the end of the stream; TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self._tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                self._flush(deadline)
                self._receive(deadline)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def write(self, pieces: Iterable[bytes | memoryview], timeout: float) -> None:
        """Send each piece as a write of its own; `timeout` seconds for each."""
        for piece in pieces:
            self._tls.write(piece)
            self._flush(time.monotonic() + timeout)

    def close(self) -> None:
        """End the connection as .NET does: no close_notify."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _shake_hands(self, deadline: float) -> None:
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush(deadline)
                self._receive(deadline)
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush(deadline)  # the alert that tells the other side why
                raise
        self._flush(deadline)
        self.certificate = self._tls.getpeercert(binary_form=True) or b""
        self.version = self._tls.version() or ""
        cipher = self._tls.cipher()
        self.cipher = cipher[0] if cipher else ""
        self.asked = records.asked_for_certificate(self._said, self.version, self.cipher)
        self._said = b""

    def _flush(self, deadline: float) -> None:
        data = self._outgoing.read()
        if data:
            if not self.version and len(self._said) < records.MAX_FLIGHTS:
                self._said += data
            self._connection.settimeout(_left(deadline))
            self._connection.sendall(data)

    def _receive(self, deadline: float) -> None:
        self._connection.settimeout(_left(deadline))
        if _QUICKACK is not None:
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)  # the kernel forgets it again and again
        data = self._connection.recv(READ_SIZE)
        if self.first_at is None and data:
            self.first_at = time.monotonic()
        if len(self.first) < FIRST_BYTES:
            self.first += data[: FIRST_BYTES - len(self.first)]
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("there was no time left")
    return left


def _server_name(host: str) -> str | None:
    """The name to send along; None where it cannot be one. Python leaves IP addresses out by itself."""
    name = host.split("%")[0].rstrip(".").lower()
    return name if name and all(0 < len(label) < 64 for label in name.split(".")) else None
