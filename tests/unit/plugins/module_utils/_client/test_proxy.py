# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proxy's answer to the request for a tunnel stands for."""

from __future__ import annotations

import socket

import pytest

from module_utils._client.endpoint import Endpoint
from module_utils._client.proxy import Proxy, ProxyError, tunnel

WAY = Proxy("203.0.113.20", 3128)
AGENT = Endpoint("web01.example.com", 10933)


def asked(answer: bytes, timeout: float = 5.0) -> None:
    """Ask a proxy that says this and then waits for more."""
    ours, theirs = socket.socketpair()
    with theirs, ours:
        theirs.sendall(answer)
        tunnel(ours, WAY, AGENT, timeout)


@pytest.mark.parametrize(
    ("answer", "word", "said"),
    [
        (b"HTTP/1.1 503 Unavailable\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n", "proxy_no_route", "FAIL 111"),
        (b"HTTP/1.1 500 Internal\r\nX-Squid-Error: ERR_CANNOT_FORWARD 0\r\n\r\n", "proxy_no_route", "FORWARD"),
        (b"HTTP/1.1 500 Unable to connect\r\n\r\n", "proxy_no_route", "500"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "unknown", "500"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "proxy_not_tunnel", "SSH-2.0"),
        (b"220", "proxy_not_tunnel", "220"),
    ],
)
def test_answers(answer: bytes, word: str, said: str) -> None:
    with pytest.raises(ProxyError) as caught:
        asked(answer)
    assert caught.value.cause == word
    assert said in caught.value.evidence


def test_a_head_that_never_ends_is_waited_for_only_so_long() -> None:
    with pytest.raises(ProxyError) as caught:
        asked(b"HTTP/1.1 200 OK\r\n", timeout=0.2)
    assert caught.value.cause == "proxy_unreachable"


def test_the_tunnel_is_open_and_nothing_behind_the_head_is_read() -> None:
    ours, theirs = socket.socketpair()
    with theirs, ours:
        theirs.sendall(b"HTTP/1.0 200 OK\r\n\r\nMX")
        assert tunnel(ours, WAY, AGENT, 5.0).status == 200
        assert ours.recv(9) == b"MX"
