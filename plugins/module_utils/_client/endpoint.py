# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Where an agent is, who calls, and how long to wait."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from .._halibut import limits, thumbprint
from .._halibut.values import value
from .errors import ClientError

DEFAULT_PORT = 10933
PROXY_PORT = 8080  # of an HTTP proxy on the way, where none is named
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


class Endpoint(NamedTuple):
    """An agent's address, and the thumbprint that its certificate must have (None: any is accepted)."""

    host: str
    port: int = DEFAULT_PORT
    thumbprint: str | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def uri(self) -> str:
        """The address in Halibut's spelling (docs/protocol/halibut-wire.md §4.6)."""
        return f"https://{self}/".lower()


@value(frozen=True)
class Timeouts:
    """How long to wait, in seconds, and how often to try (docs/protocol/halibut-wire.md §7.1, §7.4)."""

    connect: float = limits.CONNECT_SECONDS
    handshake: float = limits.HANDSHAKE_SECONDS
    receive: float = limits.RECEIVE_SECONDS
    response: float = limits.RESPONSE_SECONDS
    attempts: int = limits.RETRY_COUNT
    pause: float = limits.RETRY_SLEEP_SECONDS
    total: float = limits.RETRY_SECONDS

    @classmethod
    def of(cls, seconds: float, attempts: int = 3) -> Timeouts:
        """One waiting time for everything but the response itself, which may take as long as the work does."""
        return cls(connect=seconds, handshake=seconds, receive=seconds, attempts=attempts)


def endpoint(host: str, port: int = DEFAULT_PORT, pin: str | None = None) -> Endpoint:
    """A checked endpoint from what a user wrote; ClientError (invalid_input) with a sentence otherwise."""
    if not 0 < port < 65536:
        raise ClientError("invalid_input", f"{port} is no port: a number from 1 to 65535 is expected.")
    try:
        expected = thumbprint.normalise(pin) if pin and pin.strip() else None
    except ValueError as error:
        raise ClientError("invalid_input", str(error)) from error
    return Endpoint(host_name(host), port, expected)


def host_name(text: str) -> str:
    """A host name or IP address without brackets, as written by a user; ClientError with a sentence otherwise."""
    host = text.strip()
    if not host:
        raise ClientError("invalid_input", "The host is empty: a name or an IP address is expected.")
    if "://" in host or "/" in host:
        raise ClientError(
            "invalid_input", f"{text!r} is a URL: give only the name or address as host, and the port apart."
        )
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        ipaddress.ip_address(host.split("%")[0])
        return host
    except ValueError:
        pass
    if re.fullmatch(r"[\d.]+", host):
        raise ClientError("invalid_input", f"{text!r} looks like an IP address, but is none.")
    if ":" in host:
        raise ClientError(
            "invalid_input", f"{text!r} holds a colon but is no IPv6 address: give the port apart from the host."
        )
    return _domain_name(host, text)


def _domain_name(host: str, text: str) -> str:
    try:
        ascii_name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ClientError("invalid_input", f"{text!r} is no host name: {error}.") from error
    labels = ascii_name.rstrip(".").split(".")
    if len(ascii_name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ClientError("invalid_input", f"{text!r} is no host name: letters, digits, dashes and dots are expected.")
    return ascii_name
