# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on loopback that are wrong in one way each: what a check meets in the field, made for real."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Handler = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(handler: Handler, address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Serve each connection with `handler` in a thread of its own; yields the port. Ended with all its connections."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family)
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, ValueError), connection:
            handler(connection)

    def accept() -> None:
        while True:
            try:
                connection, _dummy = listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            connections.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        thread.join(10)


def closed_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def says(*words: bytes, first: bool = False) -> Handler:
    """Says something in plain text: at once, or as an answer; then waits for the other side to close."""

    def handler(connection: socket.socket) -> None:
        if not first:
            connection.recv(65536)
        for word in words:
            connection.sendall(word)
        while connection.recv(65536):
            pass

    return handler


def silent(connection: socket.socket) -> None:
    """Accepts, and says nothing."""
    while connection.recv(65536):
        pass


def closes(connection: socket.socket) -> None:
    """Accepts, and ends the connection behind the first bytes."""
    connection.recv(65536)


def resets(connection: socket.socket) -> None:
    """Accepts, and resets the connection behind the first bytes."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def echoes(connection: socket.socket) -> None:
    """Sends back what it is sent."""
    while data := connection.recv(65536):
        connection.sendall(data)


def tls(
    inside: Callable[[ssl.SSLSocket], None],
    certificate: pathlib.Path,
    *,
    versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    ciphers: str | None = None,
    demand: pathlib.Path | None = None,
) -> Handler:
    """TLS with something else than a Tentacle inside. `demand`: only clients whose certificate is in that file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers:
        context.set_ciphers(ciphers)
    context.load_cert_chain(certificate)
    context.minimum_version, context.maximum_version = versions
    if demand:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(demand)

    def handler(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            inside(wrapped)

    return handler
