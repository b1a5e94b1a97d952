# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of certificates and trust."""

from __future__ import annotations

from typing import Any

from entry import fault
from stage import Stage


@fault("server-not-trusted", "server_not_trusted", "agent", r"does not trust")
def server_is_not_trusted(stage: Stage) -> dict[str, Any]:
    stage.agent()
    return {"client_cert": str(stage.identities.stranger.path)}


@fault("nobody-trusted", "server_not_trusted", "agent", r"does not trust")
def nobody_is_trusted(stage: Stage) -> None:
    """A fresh agent that was never told about its server."""
    stage.agent(trusted=[])


@fault("agent-replaced", "agent_thumbprint_mismatch", "agent", r"showed certificate \w+, expected")
def agent_has_a_new_certificate(stage: Stage) -> None:
    stage.agent(identity=stage.identities.other)


@fault("cloned-identity", "shared_identity", "agent", r"198\.51\.100\.12")
def two_hosts_with_one_identity(stage: Stage) -> dict[str, Any]:
    """A virtual machine was copied with its agent: each is good, both are not."""
    stage.agent("web01")
    stage.agent("web02")
    return {"endpoints": [{"host": stage[name].ipv4} for name in ("web01", "web02")]}


@fault("cloned-allowed", "ok", None, r"answers as a Tentacle")
def two_hosts_that_may_share_one_identity(stage: Stage) -> dict[str, Any]:
    return {
        **two_hosts_with_one_identity(stage),
        "allowed_shared_thumbprints": [stage.identities.agent.thumbprint],
    }
