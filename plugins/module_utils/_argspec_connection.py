# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The options that say which agent to talk to and as whom: shared by every module that connects to a Tentacle.

Their documentation is the fragment `listening.tentacle.connection`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._client.endpoint import DEFAULT_PORT, PROXY_PORT, Endpoint, Timeouts, endpoint
from ._client.errors import ClientError, ServiceCallError

if TYPE_CHECKING:
    from ._client.client import Client
    from ._client.proxy import Proxy

DETAIL_LINES = 30  # how much of an agent's own account of an error is passed on


def connection_arguments(*, credentials: bool) -> dict[str, dict[str, Any]]:
    """The argument specification; with `credentials` a client certificate and a thumbprint must be given."""
    return {
        "host": {"type": "str"},
        "port": {"type": "int", "default": DEFAULT_PORT},
        "thumbprint": {"type": "str", "aliases": ["fingerprint", "expected_thumbprint"], "required": credentials},
        "client_cert": {"type": "path", "required": credentials},
        "client_key": {"type": "path"},
        "client_key_passphrase": {"type": "str", "no_log": True},
        "timeout": {"type": "int", "default": 30},
        "proxy_host": {"type": "str"},
        "proxy_port": {"type": "int", "default": PROXY_PORT},
        "proxy_username": {"type": "str"},
        "proxy_password": {"type": "str", "no_log": True},
    }


def endpoint_arguments() -> dict[str, dict[str, Any]]:
    """The specification of one of several endpoints; what is missing is the task's own."""
    return {
        "host": {"type": "str", "required": True},
        "port": {"type": "int"},
        "thumbprint": {"type": "str", "aliases": ["fingerprint", "expected_thumbprint"]},
        "name": {"type": "str"},
    }


def endpoint_of(parameters: dict[str, Any]) -> Endpoint:
    """The checked endpoint; ClientError (invalid_input) with a sentence."""
    if not parameters["host"]:
        raise ClientError("invalid_input", "No host was given, and there is none to take from the inventory.")
    timeout_of(parameters)
    return endpoint(parameters["host"], parameters["port"], parameters["thumbprint"])


def timeout_of(parameters: dict[str, Any]) -> int:
    """The time for each step, in seconds; ClientError (invalid_input) where it is none."""
    seconds: int = parameters["timeout"]
    if seconds < 1:
        raise ClientError("invalid_input", f"A timeout of {seconds} s leaves no time: at least 1 is expected.")
    return seconds


def proxy_of(parameters: dict[str, Any]) -> Proxy | None:
    """The checked proxy, or None; ClientError (invalid_input) with a sentence."""
    if parameters["proxy_host"]:
        from ._client.proxy import proxy  # only here: most connections are made without one

        return proxy(
            parameters["proxy_host"],
            parameters["proxy_port"],
            parameters["proxy_username"],
            parameters["proxy_password"],
        )
    if parameters["proxy_username"] or parameters["proxy_password"]:
        raise ClientError("invalid_input", "A login for a proxy was given without proxy_host.")
    return None


def client_of(parameters: dict[str, Any]) -> Client:
    """A client that has not connected yet; ClientError (invalid_input) where an option cannot be used."""
    from ._client.client import Client  # only here: a check of a connection needs none of it

    return Client(
        endpoint_of(parameters),
        certificate=parameters["client_cert"],
        key=parameters["client_key"],
        passphrase=parameters["client_key_passphrase"],
        timeouts=Timeouts.of(parameters["timeout"]),
        proxy=proxy_of(parameters),
    )


def failure(error: ClientError, tried: str = "") -> dict[str, Any]:
    """What a module fails with: a sentence for each part, the word, and what fits the evidence as well."""
    entry = error.entry
    parts = (f"{tried}:" if tried else "", error.evidence, entry.summary, entry.remedy)
    facts: dict[str, Any] = {
        "msg": " ".join(part for part in parts if part),
        "cause": error.cause,
        "side": error.side,
        "evidence": error.evidence,
        "remedy": entry.remedy,
        "alternatives": list(error.also),
    }
    if isinstance(error, ServiceCallError) and error.details:
        facts["agent_details"] = "\n".join(error.details.splitlines()[:DETAIL_LINES])
    return facts
