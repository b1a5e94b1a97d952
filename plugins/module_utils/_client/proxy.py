# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The way through an HTTP proxy, asked for as the Octopus Server does (docs/protocol/halibut-wire.md §8).

`CONNECT host:port HTTP/1.0`, a `Host` line, and with a user name a Basic login that is sent at once. Only the status
200 opens the tunnel. Of the answer nothing behind its blank line is read: that belongs to the agent.
"""

from __future__ import annotations

import base64
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import transport
from .endpoint import PROXY_PORT, Endpoint, host_name
from .errors import ClientError

ANSWER_SECONDS = 15.0  # what the Octopus Server waits
MAX_ANSWER = 16 * 1024
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?: ([^\r\n]*))?")
_BEGINNING = b"HTTP/"
_NO_ROUTE = (502, 503, 504)
_SQUID_NO_ROUTE = ("ERR_CANNOT_FORWARD", "ERR_CONNECT_FAIL", "ERR_DNS_FAIL")  # squid 5 says some of them with a 500
_NO_TUNNEL = (400, 404, 405, 501, 505)


@dataclass(frozen=True)
class Proxy:
    """Where the proxy is, and the login for it. The password is not part of its representation."""

    host: str
    port: int = PROXY_PORT
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return str(Endpoint(self.host, self.port))


class Answer(NamedTuple):
    """What the proxy said: status (None: no HTTP), its words, and the name that it gives itself."""

    status: int | None
    reason: str
    server: str | None
    code: str | None
    data: bytes

    def as_dict(self) -> dict[str, Any]:
        return {"status": self.status, "reason": self.reason or None, "server": self.server}


class ProxyError(ClientError):
    """The way through a proxy failed; `answer` is what the proxy said, None where it said nothing."""

    answer: Answer | None = None


def proxy(host: str, port: int = PROXY_PORT, username: str | None = None, password: str | None = None) -> Proxy:
    """A checked proxy from what a user wrote; ClientError (invalid_input) with a sentence otherwise."""
    if not 0 < port < 65536:
        raise ClientError("invalid_input", f"{port} is no port of a proxy: a number from 1 to 65535 is expected.")
    if password and not username:
        raise ClientError("invalid_input", "A password for the proxy was given without a user name.")
    if username and ":" in username:
        raise ClientError("invalid_input", "The user name for the proxy holds a colon, which Basic login cannot send.")
    if not f"{username or ''}{password or ''}".isprintable():
        raise ClientError("invalid_input", "The login for the proxy holds a character that cannot be printed.")
    return Proxy(host_name(host), port, username or None, password or None)


def request(way: Proxy, endpoint: Endpoint) -> bytes:
    """The request for a tunnel, as bytes. Characters outside ASCII become question marks, as in the original."""
    lines = [f"CONNECT {endpoint} HTTP/1.0", f"Host: {endpoint}"]
    if way.username:
        login = f"{way.username}:{way.password or ''}".encode("ascii", "replace")
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login).decode('ascii')}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii", "replace")


def ask(connection: socket.socket, way: Proxy, endpoint: Endpoint, timeout: float) -> Answer:
    """Send the request and read the answer's head. Raises OSError; the connection stays the caller's."""
    deadline = time.monotonic() + min(timeout, ANSWER_SECONDS)
    connection.settimeout(timeout)
    connection.sendall(request(way, endpoint))
    data = b""
    while not data.endswith(b"\r\n\r\n") and len(data) < MAX_ANSWER:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the proxy's answer is not complete")
        connection.settimeout(left)
        waiting = connection.recv(MAX_ANSWER, socket.MSG_PEEK)
        if not waiting:
            break
        end = (data + waiting).find(b"\r\n\r\n", max(len(data) - 3, 0))
        data += connection.recv(len(waiting) if end < 0 else end + 4 - len(data))
        if not data.startswith(_BEGINNING[: len(data)]):
            break  # no HTTP, so that no end of a head will come
    return read(data)


def read(data: bytes) -> Answer:
    """Take an answer's head apart."""
    match = _STATUS.match(data)
    return Answer(
        int(match[1]) if match else None,
        _text(match[2] or b"") if match else "",
        _header(data, b"Server") or _header(data, b"Via") or _header(data, b"Proxy-agent"),
        _header(data, b"X-Squid-Error"),
        data,
    )


def judge(answer: Answer, way: Proxy, endpoint: Endpoint) -> ProxyError | None:
    """The failure that an answer stands for; None where the tunnel is open."""
    status = answer.status
    if status == 200:
        return None
    said = f"{way} answers the request for a tunnel to {endpoint} with {_quoted(answer)}"
    if status is None:
        if not answer.data:
            return ProxyError(
                "proxy_not_tunnel",
                f"{way} closes the connection without an answer to the request for a tunnel to {endpoint}.",
                also=("proxy_denied", "proxy_unreachable"),
            )
        return ProxyError("proxy_not_tunnel", f"{said}, which is no HTTP.")
    if status in (401, 407, 511):
        sent = f"The login of {way.username} was sent" if way.username else "No login was sent"
        return ProxyError("proxy_auth_required", f"{said}. {sent}.")
    if status == 403:
        return ProxyError("proxy_denied", f"{said}.")
    failed = "connect" in answer.reason.lower() or (answer.code or "").startswith(_SQUID_NO_ROUTE)
    if status in _NO_ROUTE or (status == 500 and failed):
        code = f" ({answer.code})" if answer.code else ""
        return ProxyError("proxy_no_route", f"{said}{code}.", also=("filtered", "refused", "dns"))
    if status in _NO_TUNNEL or 300 <= status < 400 or 200 < status < 300:
        return ProxyError("proxy_not_tunnel", f"{said}.", also=("proxy_denied",))
    return ProxyError("unknown", f"{said}.", also=("proxy_denied", "proxy_no_route", "proxy_not_tunnel"))


def dial(way: Proxy, endpoint: Endpoint, timeout: float) -> socket.socket:
    """A connection to `endpoint` through the tunnel, `timeout` seconds for each step; ClientError otherwise."""
    try:
        connection = transport.dial(transport.resolve(way.host, way.port), timeout)
    except (OSError, UnicodeError) as error:
        raise not_reached(error, way) from error
    tunnel(connection, way, endpoint, timeout)
    return connection


def not_reached(error: OSError | UnicodeError, way: Proxy) -> ProxyError:
    """The proxy itself did not answer, or not in time."""
    why = "it did not answer in time" if isinstance(error, (TimeoutError, socket.timeout)) else _why(error)
    return ProxyError("proxy_unreachable", f"The proxy {way} cannot be reached: {why}.", unsent=True)


def not_answered(error: OSError, way: Proxy, endpoint: Endpoint) -> ProxyError:
    """The proxy was reached, but no answer to the request came."""
    if isinstance(error, (TimeoutError, socket.timeout)):
        return ProxyError(
            "proxy_unreachable",
            f"{way} accepts the connection, but does not answer the request for a tunnel to {endpoint} in time.",
            also=("proxy_no_route", "proxy_not_tunnel"),
        )
    return ProxyError(
        "proxy_not_tunnel",
        f"{way} cuts the connection at the request for a tunnel to {endpoint}: {_why(error)}.",
        also=("proxy_denied",),
    )


def tunnel(connection: socket.socket, way: Proxy, endpoint: Endpoint, timeout: float) -> Answer:
    """Open the tunnel; ClientError with a cause of a proxy otherwise. Closes the connection on failure."""
    try:
        answer = ask(connection, way, endpoint, timeout)
        failure = judge(answer, way, endpoint)
    except OSError as error:
        connection.close()
        raise not_answered(error, way, endpoint) from error
    if failure is not None:
        failure.answer = answer
        connection.close()
        raise failure
    return answer


def behind(failure: ClientError, way: Proxy) -> ClientError:
    """A failure in the tunnel, as it has to be understood: some proxies open a tunnel and answer it themselves."""
    evidence = f"Through the proxy {way}: {failure.evidence}"
    if failure.cause == "http_injected":
        return ClientError("proxy_not_tunnel", evidence, also=("http_injected", "proxy_denied", "port_mismatch"))
    return ClientError(
        failure.cause, evidence, also=(*failure.also, "proxy_denied", "proxy_no_route"), unsent=failure.unsent
    )


def _quoted(answer: Answer) -> str:
    if answer.status is None:
        return f'"{_text(answer.data[:60].splitlines()[0])}"' if answer.data.strip() else "an empty line"
    by = f" by {answer.server}" if answer.server else ""
    return f"{answer.status} {answer.reason}".rstrip() + by


def _header(data: bytes, name: bytes) -> str | None:
    match = re.search(rb"^" + name + rb":[ \t]*([^\r\n]*)", data, re.IGNORECASE | re.MULTILINE)
    return _text(match[1]) if match else None


def _text(raw: bytes) -> str:
    return "".join(char if char.isprintable() else "." for char in raw[:120].decode("latin-1")).strip()


def _why(error: OSError | UnicodeError) -> str:
    return getattr(error, "strerror", None) or str(error)
