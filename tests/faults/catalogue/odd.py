# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that nobody thought of: the right word, or `unknown` with evidence, and never a wrong confident one."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from entry import fault
from faulty_servers import Handler, closes, echoes, resets, says, silent, tls
from stage import Stage

UNTOLD = {"thumbprint": None}  # as on a first visit, before anybody knows the agent's certificate


@fault("odd-echo", "port_mismatch", "caller", r"an echo service")
def echo(stage: Stage) -> None:
    stage.serve(echoes)


@fault("odd-tls-echo", "unknown", None, r"neither HTTP nor Halibut|sends back", fits="port_mismatch")
def echo_behind_tls(stage: Stage) -> dict[str, Any]:
    stage.serve(tls(echoes, stage.identities.other.path))
    return UNTOLD


@fault("odd-random", "unknown", None, r"answers the TLS hello with something else", fits="port_mismatch")
def random_bytes(stage: Stage) -> None:
    stage.serve(says(b"\x8f" + os.urandom(511)))


@fault("odd-random-tls", "unknown", None, r"neither HTTP nor Halibut", fits="port_mismatch")
def random_bytes_behind_tls(stage: Stage) -> dict[str, Any]:
    stage.serve(tls(says(b"\x8f" + os.urandom(511)), stage.identities.other.path))
    return UNTOLD


@fault("odd-endless", "unknown", None, r"answers the TLS hello with something else", fits="port_mismatch")
def endless_data(stage: Stage) -> None:
    stage.serve(_endless(b"\xaa" * 65536))


@fault("odd-endless-tls", "unknown", None, r"neither HTTP nor Halibut", fits="port_mismatch")
def endless_data_behind_tls(stage: Stage) -> dict[str, Any]:
    stage.serve(tls(_endless(b"\xaa" * 16384), stage.identities.other.path))
    return UNTOLD


@fault("odd-endless-header", "http_injected", "network", r"HTTP", fits="port_mismatch")
def endless_header(stage: Stage) -> dict[str, Any]:
    stage.serve(tls(_endless(b"X-More: of the same\r\n" * 700, b"HTTP/1.1 200 OK\r\n"), stage.identities.other.path))
    return UNTOLD


@fault("odd-drip", "unknown", None, r"does not (answer|finish) the TLS hello")
def one_byte_now_and_then(stage: Stage) -> None:
    """The beginning of a TLS record that never ends."""

    def handler(connection: socket.socket) -> None:
        for byte in b"\x16\x03\x03\x40\x00" + bytes(16384):
            connection.sendall(bytes([byte]))
            time.sleep(0.2)

    stage.serve(handler)


@fault("odd-half-close", "unknown", None, r"closes it without a word", fits="port_mismatch")
def half_close_at_once(stage: Stage) -> None:
    def handler(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_WR)
        silent(connection)

    stage.serve(handler)


@fault("odd-close", "unknown", None, r"closes it without a word", fits="port_mismatch")
def close_behind_the_first_bytes(stage: Stage) -> None:
    """As PostgreSQL does with what is no message of its own."""
    stage.serve(closes)


@fault("odd-reset", "reset", "network", r"resets it during the TLS handshake")
def reset_behind_the_first_bytes(stage: Stage) -> None:
    stage.serve(resets)


@fault("odd-alert", "unknown", None, r"alert 'internal error'")
def alert_for_everybody(stage: Stage) -> None:
    stage.serve(says(b"\x15\x03\x03\x00\x02\x02\x50"))


@fault("odd-telnet", "unknown", None, r"answers the TLS hello with something else", fits="port_mismatch")
def telnet(stage: Stage) -> None:
    stage.serve(says(b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27", first=True))


@fault("odd-h2c", "port_mismatch", "caller", r"an HTTP/2 server: it says the bytes 00 00 0c 04", fits="port_taken")
def http2_without_tls(stage: Stage) -> None:
    """Settings first, as HTTP/2 with prior knowledge begins."""
    stage.serve(says(b"\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0", first=True))


@fault("odd-websocket", "http_injected", "network", r"426|HTTP", fits="port_mismatch")
def websocket(stage: Stage) -> dict[str, Any]:
    """Wants an upgrade from whoever comes, as polling over WebSocket does."""
    stage.serve(tls(says(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n"),
                    stage.identities.other.path))  # fmt: skip
    return UNTOLD


@fault("odd-known-clients", "unknown", None, r"refuses the caller's certificate in TLS itself", fits="tls_offloaded")
def only_known_client_certificates(stage: Stage) -> dict[str, Any]:
    other = stage.identities.other.path
    stage.serve(tls(silent, other, demand=other))
    return UNTOLD


@fault("odd-tls-silent", "unknown", None, r"does not answer the Halibut hello", fits="port_mismatch")
def silent_behind_tls(stage: Stage) -> dict[str, Any]:
    stage.serve(tls(silent, stage.identities.other.path))
    return UNTOLD


@fault("odd-tls-close", "unknown", None, r"never asks for the caller.s certificate", fits="tls_offloaded")
def closes_behind_tls(stage: Stage) -> dict[str, Any]:
    """Neither shows a page nor says a word; nothing says that this is an agent at all."""
    stage.serve(tls(lambda connection: None, stage.identities.other.path))
    return UNTOLD


@fault("odd-halibut", "unknown", None, r"breaks the protocol|unreadable")
def halibut_that_answers_garbage(stage: Stage) -> None:
    """The right certificate, the right greeting, and then nonsense in place of a response."""

    def inside(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"MX-SERVER 1.0\r\n\r\n")
        connection.recv(65536)
        connection.sendall(os.urandom(64))

    stage.serve(tls(inside, stage.identities.agent.path))


@fault("odd-halibut-greeting", "unknown", None, r"breaks the protocol|neither HTTP nor Halibut")
def halibut_of_another_kind(stage: Stage) -> None:
    """The right certificate and a greeting that no version of the protocol has."""
    stage.serve(tls(says(b"MX-QUEUE 7.3\r\n\r\n"), stage.identities.agent.path))


def _endless(piece: bytes, first: bytes = b"") -> Handler:
    def handler(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(first)
        while True:
            connection.sendall(piece)

    return handler
