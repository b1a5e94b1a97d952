# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults between caller and agent: firewalls, routes, slowness."""

from __future__ import annotations

from typing import Any

from entry import fault
from stage import PORT, Stage


@fault("nothing", "ok", None, r"answers as a Tentacle and trusts our certificate")
def nothing(stage: Stage) -> None:
    """The control: an agent that is as it should be."""
    stage.agent()


@fault("nothing-ipv6", "ok", None, r"answers as a Tentacle")
def nothing_over_ipv6(stage: Stage) -> dict[str, Any]:
    stage.agent()
    return {"host": stage["web01"].ipv6}


@fault("ipv6-only", "ok", None, r"answers as a Tentacle")
def agent_has_only_ipv6(stage: Stage) -> dict[str, Any]:
    """A name with one AAAA and no A, and an agent that listens to IPv6 alone."""
    stage.agent(address=stage["web01"].ipv6)
    stage.names({"web01.example.com": [stage["web01"].ipv6]})
    return {"host": "web01.example.com"}


@fault("nft-drop", "filtered", "network", r"did not answer within")
def router_drops(stage: Stage) -> None:
    stage.agent()
    stage.forbid("drop")


@fault("nft-drop-ipv6", "filtered", "network", r"did not answer within")
def router_drops_ipv6(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.forbid("drop")
    return {"host": stage["web01"].ipv6}


@fault("nft-drop-answers", "filtered", "network", r"did not answer within")
def router_drops_what_comes_back(stage: Stage) -> None:
    """The way there is open, the way back is not."""
    stage.agent()
    stage.rules(f"table inet fault {{ chain c {{ type filter hook forward priority 0; tcp sport {PORT} drop; }}; }}")


@fault("nft-host-drop", "filtered", "network", r"did not answer within")
def host_drops(stage: Stage) -> None:
    """The agent's own firewall, not one between."""
    stage.agent()
    stage.rules(
        f"table inet own {{ chain c {{ type filter hook input priority 0; tcp dport {PORT} drop; }}; }}", "web01"
    )


@fault("nft-reject-icmp", "network", "network", r"cannot be reached|prohibited|rejects", fits="filtered")
def router_rejects_with_icmp(stage: Stage) -> None:
    stage.agent()
    stage.forbid("reject with icmp type admin-prohibited", "ip protocol tcp")


@fault("nft-reject-reset", "refused", "agent", r"refused the connection")
def router_rejects_with_a_reset(stage: Stage) -> None:
    """From outside this is a closed port: nobody can tell them apart at the caller's end."""
    stage.agent()
    stage.forbid("reject with tcp reset")


@fault("nft-reset-hello", "reset", "network", r"resets it during the TLS handshake")
def router_resets_behind_the_handshake_of_tcp(stage: Stage) -> None:
    """As inspecting firewalls do: TCP is let through, the first data gets a reset."""
    stage.agent()
    stage.forbid("reject with tcp reset", "ct original packets > 2")


@fault("nft-drop-data", "unknown", None, r"does not answer the TLS hello", fits="filtered")
def router_drops_data(stage: Stage) -> None:
    """TCP is let through, what follows is dropped: a firewall that learns the application first."""
    stage.agent()
    stage.forbid("drop", "meta length > 100")


@fault("nft-drop-later", "unknown", None, r"(does|did) not answer", fits="agent_crash")
def router_drops_what_follows_tls(stage: Stage) -> None:
    """The handshake passes, and then no more: as a device does that has seen enough."""
    stage.agent()
    stage.forbid("drop", "ct bytes > 3800")


@fault("client-drops", "filtered", "network", r"did not answer within|forbids")
def own_firewall_drops(stage: Stage) -> None:
    """The caller's own firewall."""
    stage.agent()
    stage.rules(
        f"table inet own {{ chain c {{ type filter hook output priority 0; tcp dport {PORT} drop; }}; }}", "client"
    )


@fault("no-route", "network", "network", r"(?i)unreachable")
def no_route_here(stage: Stage) -> dict[str, Any]:
    stage.agent()
    return {"host": "100.64.0.1"}


@fault("no-route-between", "network", "network", r"cannot be reached")
def no_route_at_the_router(stage: Stage) -> dict[str, Any]:
    stage.agent()
    return {"host": "198.51.100.99"}


@fault("slow-network", "ok", None, r"answers as a Tentacle")
def slow_network(stage: Stage) -> dict[str, Any]:
    """A relay between holds everything back for a while: slow is not broken."""
    stage.agent()
    stage.relay(0.3)
    return {"timeout": 10}


@fault("too-slow-network", "unknown", None, r"does not answer the TLS hello", fits="filtered")
def network_slower_than_patience(stage: Stage) -> None:
    stage.agent()
    stage.relay(9.0)


@fault("one-family-broken", "ok", None, r"answers as a Tentacle", finds="address_family")
def ipv6_is_broken(stage: Stage) -> dict[str, Any]:
    """A name with both families, an agent that listens to IPv4 alone."""
    stage.agent(address=stage["web01"].ipv4)
    stage.names({"web01.example.com": [stage["web01"].ipv6, stage["web01"].ipv4]})
    return {"host": "web01.example.com"}


@fault("one-family-dropped", "ok", None, r"answers as a Tentacle", finds="address_family")
def ipv6_is_dropped(stage: Stage) -> dict[str, Any]:
    """The same, where nobody refuses: callers that try one address behind the other wait for long."""
    stage.agent()
    stage.forbid("drop", "meta nfproto ipv6")
    stage.names({"web01.example.com": [stage["web01"].ipv6, stage["web01"].ipv4]})
    return {"host": "web01.example.com"}


@fault("both-families-broken", "filtered", "network", r"did not answer within")
def both_families_are_dropped(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.forbid("drop")
    stage.names({"web01.example.com": [stage["web01"].ipv6, stage["web01"].ipv4]})
    return {"host": "web01.example.com"}


@fault("dns-no-name", "dns", "network", r"web99.example.com cannot be resolved")
def name_does_not_exist(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.names({"web01.example.com": [stage["web01"].ipv4]})
    return {"host": "web99.example.com"}


@fault("dns-server-fails", "dns", "network", r"cannot be resolved")
def name_server_fails(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.names({"web01.example.com": ["broken"]})
    return {"host": "web01.example.com"}


@fault("dns-no-server", "dns", "network", r"cannot be resolved")
def no_name_server(stage: Stage) -> dict[str, Any]:
    stage.agent()
    return {"host": "web01.example.com"}


@fault("dns-elsewhere", "refused", "agent", r"refused", fits="wrong_address")
def name_leads_to_a_host_without_agent(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.names({"web01.example.com": [stage["web02"].ipv4]})
    return {"host": "web01.example.com"}


@fault("dns-elsewhere-told", "dns", "network", r"198.51.100.11")
def name_leads_elsewhere_and_the_address_is_known(stage: Stage) -> dict[str, Any]:
    """Bad by name, good by address: the name is to blame."""
    return {**name_leads_to_a_host_without_agent(stage), "address": stage["web01"].ipv4}


@fault("dns-no-name-told", "dns", "network", r"cannot be resolved")
def name_does_not_exist_and_the_address_is_known(stage: Stage) -> dict[str, Any]:
    return {**name_does_not_exist(stage), "address": stage["web01"].ipv4}


@fault("dns-other-agent-told", "dns", "network", r"198.51.100.11")
def name_leads_to_another_agent_and_the_address_is_known(stage: Stage) -> dict[str, Any]:
    return {**name_leads_to_another_agent(stage), "address": stage["web01"].ipv4}


@fault(
    "dns-other-agent", "agent_thumbprint_mismatch", "agent", r"showed certificate \w+, expected", fits="wrong_address"
)
def name_leads_to_another_agent(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.agent("web02", identity=stage.identities.other)
    stage.names({"web01.example.com": [stage["web02"].ipv4]})
    return {"host": "web01.example.com"}
