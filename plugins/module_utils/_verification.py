# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What `tentacle_verify` is told: its options, checked and made into those of the diagnosis.

The options are documented in the fragments `listening.tentacle.connection` and `listening.tentacle.verification`.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._argspec_connection import connection_arguments, endpoint_arguments, endpoint_of, proxy_of, timeout_of
from ._client.endpoint import Endpoint, host_name
from ._client.errors import ClientError
from ._client.identity import load
from ._verify import target
from ._verify.causes import CAUSES
from ._verify.result import Result
from ._verify.steps import DEFAULT_CONCURRENCY, Options, verify

if TYPE_CHECKING:
    from ._verify.throwaway import Impostor

ANY = "any"


def arguments() -> dict[str, dict[str, Any]]:
    """The argument specification of the module."""
    return {
        **connection_arguments(credentials=False),
        "fail_on": {"type": "list", "elements": "str", "default": [ANY]},
        "retries": {"type": "int", "default": 0},
        "delay": {"type": "int", "default": 2},
        "address": {"type": "str"},
        "tls_versions": {"type": "bool", "default": False},
        "proof": {"type": "bool", "default": False},
        "vantage": {"type": "str"},
        "compare": {"type": "list", "elements": "dict"},
        "inspect": {"type": "str", "choices": list(target.CHOICES), "default": target.AUTO},
        "instance": {"type": "str"},
        "source": {"type": "str"},
        "endpoints": {"type": "list", "elements": "dict", "options": endpoint_arguments()},
        "concurrency": {"type": "int", "default": DEFAULT_CONCURRENCY},
        "allowed_shared_thumbprints": {"type": "list", "elements": "str", "default": []},
    }


def options_of(parameters: dict[str, Any], impostor: Impostor | None = None) -> Options:
    """How to check, with a certificate that must be refused. ClientError for options that cannot be used."""
    certificate, key = parameters["client_cert"], parameters["client_key"]
    if key and not certificate:
        raise ClientError("invalid_input", "A client_key was given without the client_cert that it belongs to.")
    identity = load(certificate, key, parameters["client_key_passphrase"]) if certificate else None
    return Options(
        identity=identity,
        timeout=timeout_of(parameters),
        impostor=impostor,
        tls_versions=parameters["tls_versions"],
        proof=parameters["proof"],
        proxy=proxy_of(parameters),
        address=address_of(parameters),
        vantage=parameters["vantage"],
    )


def address_of(parameters: dict[str, Any]) -> str | None:
    """The IP address that the host's name should stand for; ClientError for anything else."""
    return _ip_address(parameters, "address")


def source_of(parameters: dict[str, Any]) -> str | None:
    """The IP address that the packet filter is asked about; ClientError for anything else."""
    return _ip_address(parameters, "source")


def _ip_address(parameters: dict[str, Any], name: str) -> str | None:
    if not parameters[name]:
        return None
    address = host_name(parameters[name])
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise ClientError("invalid_input", f"{name}: {address!r} is a name; an IP address is expected.") from None


def check(parameters: dict[str, Any], impostor: Impostor | None = None) -> tuple[Result, int]:
    """Check until it is good or the retries are used up. ClientError for options that cannot be used."""
    endpoint, options = endpoint_of(parameters), options_of(parameters, impostor)
    attempts = 0
    while True:
        attempts += 1
        result = verify(endpoint, options)
        if result.ok or attempts > parameters["retries"]:
            target.look(result, parameters["inspect"], parameters["instance"], source_of(parameters))
            return result, attempts
        time.sleep(parameters["delay"])


class Fatal:
    """What fails the task: ``any`` is every cause but ``ok``, a word is that cause and that further finding."""

    def __init__(self, fail_on: list[str]) -> None:
        """ClientError for a word that is not on the list of causes."""
        for word in fail_on:
            if word != ANY and word not in CAUSES:
                known = f"known are any, {', '.join(CAUSES)}"
                raise ClientError("invalid_input", f"fail_on: {word!r} is no cause; {known}.")
        self._any = ANY in fail_on
        self._named = set(fail_on) - {ANY}

    def of(self, causes: Iterable[str], findings: Iterable[str]) -> str | None:
        """The first of these words that fails the task, causes before findings; None where none does."""
        for word in causes:
            if (self._any and word != "ok") or word in self._named:
                return word
        return next((word for word in findings if word in self._named), None)


def unchecked(parameters: dict[str, Any], error: ClientError) -> dict[str, Any]:
    """The result of a check that could not be begun: the same keys as always."""
    result = Result(Endpoint(parameters["host"] or "", parameters["port"], None))
    result.blame(error)
    return {"changed": False, "attempts": 0, **result.as_dict()}
