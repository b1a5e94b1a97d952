# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the caller itself sees of an agent: whether it is trusted, and which services it is offered."""

from __future__ import annotations

from .._client.channel import Channel
from .._client.errors import ClientError, NoMatchingMethod, service_call_error
from .._client.identity import Identity
from .._client.requests import CAPABILITIES, request
from .result import Result, Stopwatch

_OLD_SERVICES = ["IScriptService", "IFileTransferService"]  # what agents older than the call offer


def skip(result: Result, why: str) -> None:
    """Nothing was said in the caller's name."""
    result.skip("identity", why)
    result.skip("capabilities", why)


def introduce(result: Result, channel: Channel) -> None:
    """Say hello with the caller's certificate, and make one harmless call."""
    try:
        with Stopwatch(result, "identity") as step:
            answer = channel.greet()
            result.facts.trusted = True
            step.evidence = f"The agent answered {answer.kind} {answer.version}: it trusts our certificate."
        with Stopwatch(result, "capabilities") as step:
            result.facts.capabilities = _ask(result, channel)
            step.evidence = ", ".join(result.facts.capabilities) + "."
        channel.close(goodbye=True)
    except ClientError as error:
        if error.cause == "server_not_trusted":
            result.facts.trusted = False


def _ask(result: Result, channel: Channel) -> list[str]:
    where = result.endpoint
    response = channel.exchange(request(where, CAPABILITIES, "GetCapabilities"), {}, None, None)
    if response.error is not None:
        error = service_call_error(response.error, f"{CAPABILITIES}.GetCapabilities on {where}")
        if isinstance(error, NoMatchingMethod):
            return list(_OLD_SERVICES)
        raise error
    listed = getattr(response.result, "supported_capabilities", None)
    if listed is None:
        raise ClientError("unknown", f"{where} answered {CAPABILITIES}.GetCapabilities with something else.")
    return [str(name) for name in listed]


def conclude(result: Result, identity: Identity | None) -> None:
    """One sentence about an agent that is good, and what is worth knowing all the same."""
    if not result.ok:
        return
    result.find_slowness()
    if identity is not None and identity.weakness:
        result.find("weak_server_certificate", f"The caller's own certificate is weak: {identity.weakness}.")
    where = result.endpoint
    if result.facts.trusted:
        evidence = f"{where} answers as a Tentacle and trusts our certificate"
    elif result.facts.page is not None and result.facts.page["tentacle"]:
        evidence = (
            f"{where} shows a Tentacle's page; whether it trusts a server was not tried, because no client certificate "
            "was given"
        )
    else:
        evidence = (
            f"{where} refuses strangers as a Tentacle does; nothing else shows that it is one, because no client "
            "certificate was given"
        )
    result.evidence = evidence + ("; it has the expected certificate." if where.thumbprint else ".")
