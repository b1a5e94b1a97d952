# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same check from several places: the comparison must say where between them it is broken."""

from __future__ import annotations

from typing import Any

import programs
from diagnosis import diagnose
from entry import fault
from stage import PORT, Stage


def compared(stage: Stage, *checks: dict[str, Any]) -> dict[str, Any]:
    """The options that compare checks with these options; the usual ones are made on the host itself first."""
    own = ({"seen_from": "web01", "host": "127.0.0.1"}, {"seen_from": "web01"})
    return {"compare": [diagnose(stage, {"fail_on": [], **check}) for check in (*own, *checks)]}


@fault("places-good", "ok", None, r"Good from .*with the same certificate")
def good_from_everywhere(stage: Stage) -> dict[str, Any]:
    stage.agent()
    return compared(stage, {}, {"seen_from": "proxy"})


@fault("places-firewall", "filtered", "network", r"Good from .*something between")
def firewall_between(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.forbid("drop")
    return compared(stage, {})


@fault("places-one-firewall", "filtered", "network", r"Good from .*the way from office")
def firewall_before_one_of_two_callers(stage: Stage) -> dict[str, Any]:
    """Good from one host outside, not from the other."""
    stage.agent()
    stage.forbid("drop", f"ip saddr {stage.client.ipv4}")
    return compared(stage, {"vantage": "the way from office"}, {"seen_from": "proxy", "vantage": "the server"})


@fault("places-reject", "filtered", "network", r"refuses in the agent's place")
def firewall_that_refuses_between(stage: Stage) -> dict[str, Any]:
    """From outside alone this was a closed port."""
    stage.agent()
    stage.forbid("reject with tcp reset")
    return compared(stage, {})


@fault(
    "places-interception",
    "tls_intercepted",
    "network",
    r"On the host itself the certificate",
    needs=["squid", "openssl"],
)
def another_certificate_outside(stage: Stage) -> dict[str, Any]:
    stage.agent()
    programs.squid_that_opens_tls(stage, "router", unseen=True)
    stage.turn_aside(PORT, programs.PROXY_PORT)
    return compared(stage, {})


@fault("places-offload", "tls_offloaded", "network", r"On the host itself the certificate", needs=["haproxy"])
def balancer_with_a_certificate_of_its_own(stage: Stage) -> dict[str, Any]:
    stage.agent()
    programs.haproxy(
        stage,
        "proxy",
        f"mode tcp\n bind :{PORT} ssl crt {stage.identities.other.path}\n server web01 {stage['web01'].ipv4}:{PORT}",
    )
    return compared(stage, {"host": stage["proxy"].ipv4})


@fault("places-name", "dns", "network", r"By its IP address the agent is good")
def name_leads_elsewhere(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.names({"web01.example.com": [stage["web02"].ipv4]})
    return compared(stage, {}, {"host": "web01.example.com"})


@fault("places-ipv6", "address_family", "network", r"IPv4 works, IPv6 does not")
def one_family_is_dropped(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.forbid("drop", "meta nfproto ipv6")
    return compared(stage, {}, {"host": stage["web01"].ipv6})


@fault("places-loopback", "wrong_address", "network", r"listens to loopback only")
def agent_listens_to_loopback_only(stage: Stage) -> dict[str, Any]:
    stage.agent(address="127.0.0.1")
    return compared(stage, {})


@fault("places-nowhere", "not_listening", "agent", r"Bad everywhere, also on the host itself")
def agent_is_off(stage: Stage) -> dict[str, Any]:
    stage["web01"]
    return compared(stage, {})


@fault("places-trust", "server_not_trusted", "agent", r"Bad everywhere, also on the host itself")
def agent_trusts_another(stage: Stage) -> dict[str, Any]:
    stage.agent(trusted=[stage.identities.other.thumbprint])
    return compared(stage, {})
