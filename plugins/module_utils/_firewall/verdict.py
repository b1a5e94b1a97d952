# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Whether a new connection from one address would get through this host's packet filter, and which rule decides.

An accept of ours in one chain cannot override a drop in another, so the only honest answer walks the whole ruleset:
everything that nftables holds, whoever made it, and the tables of iptables, old and new. Only this host's filter is
judged; what lies between, and whether anybody listens, is another question. Standard library only, and read-only.
"""

from __future__ import annotations

import ipaddress
import json
from typing import NamedTuple

from . import iptables_rules, nft_rules
from .errors import CommandError, FirewallError
from .host import Host
from .iptables import uses_legacy_tables
from .packet_walk import ACCEPT, DROP, LOOPBACK, REJECT, Outcomes, Packet
from .rule import parse

UNKNOWN = "unknown"
_SOMEBODY = {4: "192.0.2.1", 6: "2001:db8::1"}


class Verdict(NamedTuple):
    """``word`` is accept, drop, reject or unknown; ``evidence`` is the sentence that says why."""

    word: str
    evidence: str


def judge(source: str, port: int, host: Host | None = None) -> Verdict:
    """The filter's verdict for a new TCP connection from the address ``source`` to ``port`` of this host.

    What cannot be read is ``unknown``, with the reason. Of a network, its first address is judged; of ``any`` and of
    every address of a family, one of those that are set aside for documentation, where nobody is. Raises RuleError for
    what is no address.
    """
    system = host or Host()
    network = parse(source)[0]
    address = network[0] if network.prefixlen else ipaddress.ip_address(_SOMEBODY[network.version])
    try:
        chains = _chains(system, Packet(address, port, _interface(system, str(address))))
    except (FirewallError, ValueError) as error:
        return Verdict(UNKNOWN, f"The packet filter of this host could not be read: {error}")
    return conclude(chains, f"New TCP connections from {address} to port {port}")


def conclude(chains: list[Outcomes], subject: str) -> Verdict:
    """One verdict of what every chain may do: all must let it pass, and one is enough to stop it. Pure."""
    for outcomes in chains:
        if outcomes and ACCEPT not in outcomes:
            word = DROP if DROP in outcomes else REJECT
            return Verdict(word, f"{subject} are {_past(word)} by {outcomes[word]}.")
    doubtful = [outcomes for outcomes in chains if len(outcomes) > 1]
    if doubtful:
        word, text = next((word, text) for word, text in doubtful[0].items() if word != ACCEPT)
        return Verdict(UNKNOWN, f"{subject} may be {_past(word)} by {text}: it depends on more than address and port.")
    accepted = [outcomes[ACCEPT] for outcomes in chains if "the policy" not in outcomes.get(ACCEPT, "the policy")]
    if accepted:
        return Verdict(ACCEPT, f"{subject} are accepted by {accepted[-1]}, and nothing else stops them.")
    return Verdict(ACCEPT, f"{subject} are accepted: no rule of this host stops them.")


def _past(word: str) -> str:
    return {DROP: "dropped", REJECT: "rejected"}[word]


def _chains(host: Host, packet: Packet) -> list[Outcomes]:
    program = "iptables" if packet.source.version == 4 else "ip6tables"
    found: list[Outcomes] = []
    by_iptables = not host.has("nft")
    if not by_iptables:
        ruleset = nft_rules.read(json.loads(host.run(["nft", "-j", "list", "ruleset"])))
        found += nft_rules.judge(ruleset, packet)
        by_iptables = any(
            nft_rules.is_of_iptables(key, chain) for key, chains in ruleset.chains.items() for chain in chains.values()
        )
    if by_iptables and host.has(f"{program}-save"):
        found += iptables_rules.judge(host.run([f"{program}-save"]), packet, program)
    if uses_legacy_tables(host) and host.has(f"{program}-legacy-save"):
        saved = host.run([f"{program}-legacy-save"])
        found += iptables_rules.judge(saved, packet, f"{program}-legacy")
    return found


def _interface(host: Host, address: str) -> str | None:
    """The interface that answers to this address leave by, where packets from it most probably arrive."""
    if ipaddress.ip_address(address).is_loopback:
        return LOOPBACK
    if not host.has("ip"):
        return None
    try:
        routes = json.loads(host.run(["ip", "-j", "route", "get", address]))
    except (CommandError, ValueError):
        return None
    if not routes or routes[0].get("type") == "local":
        return LOOPBACK if routes else None
    device: str | None = routes[0].get("dev")
    return device
