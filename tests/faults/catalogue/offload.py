# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices between that end TLS: balancers and wrappers in front of the agent, and one that must not be blamed."""

from __future__ import annotations

from typing import Any

import programs
from entry import fault
from stage import PORT, Stage

BEHIND = 10934  # where the agent listens behind them


@fault("offload-haproxy-tcp", "tls_offloaded", "network", r"never asks for the caller.s certificate", needs=["haproxy"])
def haproxy_ends_tls(stage: Stage) -> None:
    stage.agent(port=BEHIND, address="127.0.0.1")
    pem = stage.identities.other.path
    programs.haproxy(stage, "web01", f"mode tcp\n bind :{PORT} ssl crt {pem}\n server web01 127.0.0.1:{BEHIND}")


@fault(
    "offload-haproxy-again", "tls_offloaded", "network", r"never asks for the caller.s certificate", needs=["haproxy"]
)
def haproxy_ends_tls_and_begins_it_anew(stage: Stage) -> None:
    """The agent's page comes through, the caller's certificate does not."""
    stage.agent(port=BEHIND, address="127.0.0.1")
    programs.haproxy(
        stage,
        "web01",
        f"mode tcp\n bind :{PORT} ssl crt {stage.identities.other.path}\n"
        f" server web01 127.0.0.1:{BEHIND} ssl verify none",
    )


@fault(
    "offload-same-certificate",
    "tls_offloaded",
    "network",
    r"never asks for the caller.s certificate",
    needs=["haproxy"],
)
def haproxy_has_the_agents_own_certificate(stage: Stage) -> None:
    """Somebody gave the balancer the agent's key: the thumbprint is right, and still nobody is trusted."""
    stage.agent(port=BEHIND, address="127.0.0.1")
    programs.haproxy(
        stage,
        "web01",
        f"mode tcp\n bind :{PORT} ssl crt {stage.identities.agent.path}\n"
        f" server web01 127.0.0.1:{BEHIND} ssl verify none",
    )


@fault(
    "offload-haproxy-http", "tls_offloaded", "network", r"never asks for the caller.s certificate", needs=["haproxy"]
)
def haproxy_relays_http(stage: Stage) -> None:
    stage.agent(port=BEHIND, address="127.0.0.1")
    programs.haproxy(
        stage,
        "web01",
        f"mode http\n bind :{PORT} ssl crt {stage.identities.other.path}\n"
        f" server web01 127.0.0.1:{BEHIND} ssl verify none",
    )


@fault("offload-nginx", "tls_offloaded", "network", r"never asks for the caller.s certificate", needs=["nginx"])
def nginx_relays_http(stage: Stage) -> None:
    """A reverse proxy for web pages, set before something that speaks another protocol."""
    stage.agent(port=BEHIND, address="127.0.0.1")
    pem = stage.identities.other.path
    programs.nginx(
        stage,
        "web01",
        f"server {{ listen {PORT} ssl; ssl_certificate {pem}; ssl_certificate_key {pem};"
        f" location / {{ proxy_pass https://127.0.0.1:{BEHIND}; }} }}",
    )


@fault("offload-stunnel", "tls_offloaded", "network", r"never asks for the caller.s certificate", needs=["stunnel4"])
def stunnel_ends_tls(stage: Stage) -> None:
    stage.agent(port=BEHIND, address="127.0.0.1")
    programs.stunnel(
        stage, "web01", f"accept = {PORT}\nconnect = 127.0.0.1:{BEHIND}\ncert = {stage.identities.other.path}"
    )


@fault("pass-through-haproxy", "ok", None, r"answers as a Tentacle and trusts", needs=["haproxy"])
def haproxy_passes_through(stage: Stage) -> dict[str, Any]:
    """As a balancer must be: TCP and nothing else."""
    stage.agent()
    programs.haproxy(stage, "proxy", f"mode tcp\n bind :{PORT}\n server web01 {stage['web01'].ipv4}:{PORT}")
    return {"host": stage["proxy"].ipv4}
