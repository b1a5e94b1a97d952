# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The way that worked once: further connections of a check take it again, through the same proxy where there is one."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING

from .._client import transport
from .._client.endpoint import Endpoint
from .._client.identity import Identity, context

if TYPE_CHECKING:
    from .._client.proxy import Proxy


class Way:
    """Where to connect to, how long to wait for each step, and whether weak TLS parameters had to be allowed."""

    def __init__(
        self, endpoint: Endpoint, address: transport.Address, timeout: float, proxy: Proxy | None = None
    ) -> None:
        self.endpoint = endpoint
        self.address = address
        self.timeout = timeout
        self.proxy = proxy
        self.weak = False

    def stream(self, identity: Identity | None = None, only: ssl.TLSVersion | None = None) -> transport.TlsStream:
        """A new connection with TLS. Raises OSError, HandshakeError, and ClientError for what a proxy says."""
        connection = transport.dial([self.address], self.timeout)
        if self.proxy is not None:
            from .._client.proxy import tunnel  # only here: most checks go straight

            tunnel(connection, self.proxy, self.endpoint, self.timeout)
        settings = context(identity, weak=self.weak, only=only)
        return transport.TlsStream.open(connection, settings, self.endpoint.host, self.timeout)


def position(address: transport.Address) -> str:
    """Where this process is, seen from an address: on its host (`loopback`, `own_address`) or `elsewhere`."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(address.text.partition("%")[0]).is_loopback:
            return "loopback"
    with socket.socket(address.family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address.text, 0, *address.place[2:]))
        except OSError:
            return "elsewhere"
    return "own_address"
