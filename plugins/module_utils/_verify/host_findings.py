# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Put what the agent's own host tells in the place of what a connection could only guess.

A connection sees that nobody answers; the host knows why. So a cause of the connection is replaced where the host's
facts leave one reason only, and what is wrong without being in the way becomes a finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._client.errors import ClientError
from .result import Result

if TYPE_CHECKING:
    from .host_facts import HostFacts

# What a connection reports where another program, or a left-over of the agent, may sit at the port.
_ANSWERED = frozenset(
    {
        "unknown",
        "http_injected",
        "port_mismatch",
        "tls_no_common",
        "agent_thumbprint_mismatch",
        "reset",
        "tls_offloaded",
    }
)


def conclude(result: Result, facts: HostFacts, wanted: str | None = None) -> None:
    """Replace the cause where the facts leave one reason, and add findings. Pure but for `result`."""
    reason = _reason(result, facts, wanted)
    if reason is not None and reason[0] == result.cause:
        result.evidence += f" {reason[1]}"
    elif reason is not None:
        result.supersede(ClientError(reason[0], f"{result.evidence} {reason[1]}"))
    for word, evidence in _findings(facts):
        if word != result.cause:
            result.find(word, evidence)


def summary(facts: HostFacts) -> str:
    """What was seen on the host, in one line."""
    parts = [f"Instance {facts.instance['name']}" if facts.instance else "No instance for this port"]
    if facts.service:
        parts.append(f"unit {facts.service['active']}" if facts.service["installed"] else "no unit")
    holders = ", ".join(f"{holder['command'] or holder['user']} at {holder['address']}" for holder in facts.holders)
    parts.append(f"port held by {holders}" if holders else "nobody holds the port")
    if facts.firewall:
        parts.append(f"packet filter: {facts.firewall['verdict']}")
    return "; ".join(parts) + ("." if not facts.notes else ". " + " ".join(facts.notes))


def _reason(result: Result, facts: HostFacts, wanted: str | None) -> tuple[str, str] | None:
    """Cause and sentence, or None where the connection's own cause stands."""
    if result.cause in ("refused", "not_listening"):
        return _why_refused(result, facts, wanted)
    if result.cause in _ANSWERED and facts.holders:
        return _why_other(result, facts)
    if result.cause == "server_not_trusted" and facts.instance and facts.instance["trusted_thumbprints"] is not None:
        trusted = ", ".join(facts.instance["trusted_thumbprints"]) or "nobody"
        return "server_not_trusted", f"The configuration on the host trusts {trusted}."
    return None


def _why_other(result: Result, facts: HostFacts) -> tuple[str, str] | None:
    """Another program at the port; None where it is the agent, or not to be seen."""
    strangers = [holder for holder in facts.holders if holder["of_agent"] is False]
    if not strangers or len(strangers) < len(facts.holders):
        frozen = [holder for holder in facts.holders if holder["state"] in ("T", "t")]
        return (result.cause, f"On the host, process {frozen[0]['pid']} is stopped by a signal.") if frozen else None
    holder = strangers[0]
    shown = f"port {holder['port']} is held by process {holder['pid']} of {holder['user']}: {holder['command']}."
    if holder["of_script"]:
        return "port_taken_zombie", f"On the host, {shown} It was started by a script of the agent."
    return "port_taken", f"On the host, {shown}"


def _why_refused(result: Result, facts: HostFacts, wanted: str | None) -> tuple[str, str] | None:
    instance, service = facts.instance, facts.service
    if facts.holders:
        places = ", ".join(sorted({holder["address"] for holder in facts.holders}))
        return "wrong_address", f"On the host, the port is listened at on {places} only."
    if instance is None and not (service and service["installed"]):
        others = ", ".join(f"{entry['name']} (port {entry['port']})" for entry in facts.other_instances)
        if others and wanted is None:
            return "port_mismatch", f"No instance on the host has this port; there are {others}."
        named = (
            f"There is no instance {wanted} on the host" if wanted else "There is no instance of the agent on the host"
        )
        return "service_missing", f"{named}{f'; there are {others}' if others else ''}."
    if instance is not None and instance["port"] not in (None, result.endpoint.port):
        return "port_mismatch", f"The instance {instance['name']} is configured for port {instance['port']}."
    if instance is not None and instance["no_listen"]:
        return "wrong_mode", f"The instance {instance['name']} is configured not to listen."
    lacking = _lacking(facts)
    if lacking:
        return "permissions", lacking
    if facts.disk and facts.disk["full"]:
        return "disk_full", _fullness(facts)
    fatal = _fatal_line(facts)
    if fatal and "Permission denied" in fatal:
        return "permissions", f"The agent's log on the host ends with: {fatal}"
    if service is not None:
        return _why_stopped(facts, service)
    if fatal:
        return "agent_crash", f"The agent's log on the host ends with: {fatal}"
    return "not_listening", "On the host nothing listens at the port."


def _fatal_line(facts: HostFacts) -> str | None:
    """What the agent's last start ended with, where it did not succeed."""
    last = facts.log[-1] if facts.log else ""
    return last if " FATAL  " in last else None


def _why_stopped(facts: HostFacts, service: dict[str, object]) -> tuple[str, str]:
    unit = service["unit"]
    if not service["installed"]:
        return "service_missing", f"The host has no unit {unit}."
    if service["active"] == "failed" or service["sub"] == "auto-restart" or service["result"] != "success":
        last = f" Its log ends with: {facts.log[-1]}" if facts.log else ""
        return (
            "agent_crash",
            f"The unit {unit} is {service['active']} ({service['sub']}, {service['result']}, exit status "
            f"{service['exit_status']}, {service['restarts']} restarts).{last}",
        )
    return "not_listening", f"On the host nothing listens at the port, and the unit {unit} is {service['active']}."


def _findings(facts: HostFacts) -> list[tuple[str, str]]:
    found = []
    if facts.disk and facts.disk["full"]:
        found.append(("disk_full", _fullness(facts)))
    if _lacking(facts):
        found.append(("permissions", _lacking(facts)))
    if facts.firewall and facts.firewall["verdict"] in ("drop", "reject"):
        found.append(("filtered", f"On the host: {facts.firewall['evidence']}"))
    return found


def _lacking(facts: HostFacts) -> str:
    if not facts.rights or not facts.rights["lacks"]:
        return ""
    account = facts.rights["account"]
    if facts.rights["lacks"] == ["account"]:
        return f"The account {account} that is to run the agent does not exist."
    return f"The account {account} lacks rights on: {', '.join(facts.rights['lacks'])}."


def _fullness(facts: HostFacts) -> str:
    disk = facts.disk or {}
    return f"The disk with {disk['path']} is full: {disk['bytes_free']} bytes and {disk['files_free']} files are left."
