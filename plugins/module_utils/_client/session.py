# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Calls to one agent: a connection that is kept and taken up again, and attempts that are repeated where that is safe.

A request is sent again only if no byte of it can have reached the agent (docs/protocol/halibut-wire.md §7.4 and §10,
Q23), or if the caller says that the call may be repeated, as Tentacle's own client does for most of its calls
(docs/protocol/tentacle-services.md §11.2).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from .._halibut import limits
from .._halibut.bson import Guid
from .channel import Channel, Progress, Receive
from .endpoint import Endpoint, Timeouts
from .errors import ClientError, ServiceCallError, service_call_error
from .identity import Identity, load
from .requests import request

if TYPE_CHECKING:
    from .proxy import Proxy

REPEAT_SECONDS = 60  # how long a call that may be repeated is tried again, as Tentacle's client does
_FINAL = frozenset(
    {
        "dns",
        "agent_thumbprint_mismatch",
        "tls_no_common",
        "invalid_input",
        "http_injected",
        "port_mismatch",
        "proxy_auth_required",
        "proxy_denied",
        "proxy_not_tunnel",
    }
)


class Session:
    """Calls to one agent, one at a time. Use it as a context manager, or call `close`."""

    def __init__(
        self,
        endpoint: Endpoint,
        certificate: str | None = None,
        key: str | None = None,
        passphrase: str | None = None,
        *,
        timeouts: Timeouts | None = None,
        proxy: Proxy | None = None,
        types: Mapping[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint
        self.identity: Identity | None = load(certificate, key, passphrase) if certificate else None
        self.timeouts = timeouts or Timeouts()
        self.proxy = proxy
        self.connections = 0  # how many were made so far
        self._types = types
        self._sleep = sleep
        self._channel: Channel | None = None
        self._count = 0

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and close. The session can be used again: it connects anew."""
        if self._channel is not None:
            self._channel.close(goodbye=True)
            self._channel = None

    def connect(self) -> Channel:
        """A connection that is ready for a request, the idle one if it still serves. Raises ClientError."""
        begin, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                return self._reuse() or self._open()
            except ClientError as error:
                late = time.monotonic() - begin > self.timeouts.total
                if attempt >= self.timeouts.attempts or late or not error.unsent or error.cause in _FINAL:
                    raise
            self._sleep(self.timeouts.pause)

    def call(
        self,
        service: str,
        method: str,
        *params: Any,
        streams: Mapping[Guid, BinaryIO] | None = None,
        receive: Receive | None = None,
        progress: Progress | None = None,
        repeat: bool = False,
    ) -> Any:
        """Call a method and return its result.

        `streams` holds the contents of the data streams among the parameters, `receive` is asked where the contents of
        each data stream of the result go (None: nowhere). `repeat` says that the call may be made twice: then it is
        repeated after a network failure, from the start of its streams. Raises ClientError, ServiceCallError.
        """
        begin, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            channel = self.connect()
            for source in (streams or {}).values() if attempt > 1 else ():
                source.seek(0)
            try:
                return self._exchange(channel, service, method, params, streams or {}, receive, progress)
            except ServiceCallError:
                raise
            except ClientError as error:
                self._channel = None
                pause = min(attempt, 10)
                if not repeat or error.cause in _FINAL or time.monotonic() + pause - begin > REPEAT_SECONDS:
                    raise
            self._sleep(pause)

    def _exchange(
        self,
        channel: Channel,
        service: str,
        method: str,
        params: tuple[Any, ...],
        streams: Mapping[Guid, BinaryIO],
        receive: Receive | None,
        progress: Progress | None,
    ) -> Any:
        self._channel = None  # until the answer is complete
        self._count += 1
        asked = request(self.endpoint, service, method, params, number=self._count, attempts=self.timeouts.attempts)
        response = channel.exchange(asked, streams, receive, progress)
        self._channel = channel
        if response.error is not None:
            raise service_call_error(response.error, f"{service}.{method} on {self.endpoint}")
        return response.result

    def _reuse(self) -> Channel | None:
        """The idle connection, if it still serves; a failure is no news, a new connection replaces it."""
        channel, self._channel = self._channel, None
        if channel is None:
            return None
        if time.monotonic() - channel.used > limits.POOLED_SECONDS:
            channel.close(goodbye=True)
            return None
        try:
            channel.proceed()
        except ClientError:
            return None
        return channel

    def _open(self) -> Channel:
        channel = Channel.open(self.endpoint, self.identity, self.timeouts, self._types, self.proxy)
        self.connections += 1
        channel.greet()
        return channel
