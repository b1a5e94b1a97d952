# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through a proxy: those that work, those that refuse, those that are no proxy, and one that opens what passes."""

from __future__ import annotations

from typing import Any

import programs
from entry import fault
from faulty_servers import closes, says, silent
from programs import PROXY_PORT
from stage import PORT, Stage

TUNNEL = "acl tunnel method CONNECT\n"
ALLOWED = f"{TUNNEL}http_access allow tunnel\nhttp_access deny all"


def through(stage: Stage, **more: Any) -> dict[str, Any]:
    """The options of a check through the proxy's host."""
    return {"proxy_host": stage["proxy"].ipv4, "proxy_port": PROXY_PORT, **more}


@fault("proxy-squid", "ok", None, r"answers as a Tentacle and trusts", needs=["squid"])
def squid(stage: Stage) -> dict[str, Any]:
    """The firewall lets nobody but the proxy through."""
    stage.agent()
    stage.forbid("drop", f"ip saddr {stage.client.ipv4}")
    programs.squid(stage, "proxy", ALLOWED)
    return through(stage)


@fault("proxy-squid-login", "ok", None, r"answers as a Tentacle and trusts", needs=["squid", "openssl"])
def squid_with_login(stage: Stage) -> dict[str, Any]:
    stage.agent()
    programs.squid(stage, "proxy", _with_login(stage))
    return through(stage, proxy_username="octopus", proxy_password="right")


@fault(
    "proxy-wrong-login", "proxy_auth_required", "proxy", r"407.*login of octopus was sent", needs=["squid", "openssl"]
)
def squid_with_another_password(stage: Stage) -> dict[str, Any]:
    stage.agent()
    programs.squid(stage, "proxy", _with_login(stage))
    return through(stage, proxy_username="octopus", proxy_password="wrong")


@fault("proxy-no-login", "proxy_auth_required", "proxy", r"407.*No login was sent", needs=["squid", "openssl"])
def squid_without_login(stage: Stage) -> dict[str, Any]:
    stage.agent()
    programs.squid(stage, "proxy", _with_login(stage))
    return through(stage)


@fault("proxy-acl", "proxy_denied", "proxy", r"403 Forbidden", needs=["squid"])
def squid_denies_the_port(stage: Stage) -> dict[str, Any]:
    """As squid does out of the box: tunnels to 443 alone."""
    stage.agent()
    programs.squid(stage, "proxy", f"{TUNNEL}acl safe port 443\nhttp_access allow tunnel safe\nhttp_access deny all")
    return through(stage)


@fault("proxy-no-agent", "proxy_no_route", "proxy", r"503", fits="refused", needs=["squid"])
def squid_before_an_agent_that_is_off(stage: Stage) -> dict[str, Any]:
    stage["web01"]
    programs.squid(stage, "proxy", ALLOWED)
    return through(stage)


@fault("proxy-no-name", "proxy_no_route", "proxy", r"50[03]", fits="dns", needs=["squid"])
def squid_does_not_know_the_name(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.names({})
    programs.squid(stage, "proxy", ALLOWED)
    return through(stage, host="web01.example.com")


@fault("proxy-knows-the-name", "ok", None, r"answers as a Tentacle and trusts", needs=["squid"])
def only_the_proxy_knows_the_name(stage: Stage) -> dict[str, Any]:
    """The caller never looks the name up: it need not exist here."""
    stage.agent()
    programs.squid(stage, "proxy", f"{ALLOWED}\nhosts_file {_hosts(stage)}")
    return through(stage, host="web01.example.com")


@fault("proxy-opens-tls", "tls_intercepted", "network", r"signed by|issuer", needs=["squid", "openssl"])
def squid_opens_tls(stage: Stage) -> dict[str, Any]:
    """Inspection with certificates made on the spot by an authority of the company's."""
    stage.agent()
    programs.squid_that_opens_tls(stage, "proxy")
    return through(stage)


@fault("router-opens-tls", "tls_intercepted", "network", r"signed by|issuer", needs=["squid", "openssl"])
def router_opens_tls(stage: Stage) -> None:
    """The same without the caller's knowledge: the router turns connections aside."""
    stage.agent()
    programs.squid_that_opens_tls(stage, "router", unseen=True)
    stage.turn_aside(PORT, PROXY_PORT)


@fault("proxy-tinyproxy", "ok", None, r"answers as a Tentacle and trusts", needs=["tinyproxy"])
def tinyproxy(stage: Stage) -> dict[str, Any]:
    stage.agent()
    programs.tinyproxy(stage, "proxy", f"ConnectPort {PORT}")
    return through(stage)


@fault("proxy-tinyproxy-port", "proxy_denied", "proxy", r"403", needs=["tinyproxy"])
def tinyproxy_denies_the_port(stage: Stage) -> dict[str, Any]:
    stage.agent()
    programs.tinyproxy(stage, "proxy", "ConnectPort 443")
    return through(stage)


@fault("proxy-dead", "proxy_unreachable", "proxy", r"(?i)cannot be reached.*refused")
def nothing_at_the_proxys_port(stage: Stage) -> dict[str, Any]:
    stage.agent()
    return through(stage)


@fault("proxy-filtered", "proxy_unreachable", "proxy", r"cannot be reached.*in time")
def firewall_before_the_proxy(stage: Stage) -> dict[str, Any]:
    stage.agent()
    options = through(stage)
    stage.rules(
        f"table inet own {{ chain c {{ type filter hook input priority 0; tcp dport {PROXY_PORT} drop; }}; }}", "proxy"
    )
    return options


@fault("proxy-no-such-name", "proxy_unreachable", "proxy", r"proxy.example.com")
def name_of_the_proxy_does_not_exist(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.names({})
    return through(stage, proxy_host="proxy.example.com")


@fault("proxy-web-server", "proxy_not_tunnel", "proxy", r"(400|405).*nginx", needs=["nginx"])
def web_server_in_place_of_a_proxy(stage: Stage) -> dict[str, Any]:
    stage.agent()
    programs.nginx(stage, "proxy", f"server {{ listen {PROXY_PORT}; }}", PROXY_PORT)
    return through(stage)


@fault("proxy-portal", "proxy_not_tunnel", "proxy", r"Please log in")
def portal_that_agrees_to_everything(stage: Stage) -> dict[str, Any]:
    """Status 200 to whatever is asked, and a page of its own in place of a tunnel."""
    stage.agent()
    stage.serve(
        says(b"HTTP/1.1 200 OK\r\n\r\n<html><body>Please log in to the guest network</body></html>"),
        "proxy",
        PROXY_PORT,
    )
    return through(stage)


@fault("proxy-no-http", "proxy_not_tunnel", "proxy", r"no HTTP")
def another_service_in_place_of_a_proxy(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.serve(says(b"SSH-2.0-OpenSSH_9.2\r\n", first=True), "proxy", PROXY_PORT)
    return through(stage)


@fault("proxy-closes", "proxy_not_tunnel", "proxy", r"without an answer|cuts the connection", fits="proxy_denied")
def closes_at_the_request(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.serve(closes, "proxy", PROXY_PORT)
    return through(stage)


@fault("proxy-silent", "proxy_unreachable", "proxy", r"does not answer the request", fits="proxy_no_route")
def accepts_and_says_nothing(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.serve(silent, "proxy", PROXY_PORT)
    return through(stage)


@fault("proxy-strange", "unknown", None, r"999", fits="proxy_denied")
def status_that_nobody_knows(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.serve(says(b"HTTP/1.1 999 Not Today\r\n\r\n"), "proxy", PROXY_PORT)
    return through(stage)


@fault("proxy-not-trusted", "server_not_trusted", "agent", r"does not trust", needs=["squid"])
def good_proxy_before_an_agent_that_trusts_another(stage: Stage) -> dict[str, Any]:
    """What is wrong behind a proxy is not the proxy's fault."""
    stage.agent(trusted=[stage.identities.other.thumbprint])
    programs.squid(stage, "proxy", ALLOWED)
    return through(stage)


def _with_login(stage: Stage) -> str:
    passwords = programs.passwords(stage.scratch / "passwords", "octopus", "right")
    return (
        f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {passwords}\n"
        f"acl known proxy_auth REQUIRED\n{TUNNEL}http_access allow tunnel known\nhttp_access deny all"
    )


def _hosts(stage: Stage) -> str:
    path = stage.scratch / "proxy-hosts"
    path.write_text(f"{stage['web01'].ipv4} web01.example.com\n", encoding="ascii")
    return str(path)
