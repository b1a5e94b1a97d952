# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Requests as Halibut's client writes them (docs/protocol/halibut-wire.md §4.4)."""

from __future__ import annotations

import os
from typing import Any

from .._halibut.bson import Guid
from .._halibut.messages import Request
from .endpoint import Endpoint

CAPABILITIES = "ICapabilitiesServiceV2"  # the one service that asks for nothing and changes nothing


def request(
    endpoint: Endpoint, service: str, method: str, params: tuple[Any, ...] = (), *, number: int = 1, attempts: int = 1
) -> Request:
    """A call of one method: the `number`th of its caller, who tries to connect `attempts` times."""
    activity = Guid.new(os.urandom(16))
    name = f"{service}::{method}Async[{number}] / {activity}"
    return Request(name, activity, service, method, params, _description(endpoint, attempts))


def _description(endpoint: Endpoint, attempts: int) -> dict[str, Any]:
    """The `endpoint` member, of no use to a listener but expected (docs/protocol/halibut-wire.md §4.6)."""
    return {
        "PollingRequestQueueTimeout": "00:02:00",
        "RetryListeningSleepInterval": "00:00:01",
        "RetryCountLimit": attempts,
        "ConnectionErrorRetryTimeout": "00:05:00",
        "TcpClientConnectTimeout": "00:01:00",
        "BaseUri": endpoint.uri,
        "RemoteThumbprint": endpoint.thumbprint,
        "Proxy": None,
        "ForceResolveHost": None,
        "IsWebSocketEndpoint": False,
    }
