# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The closed list of causes: what can be wrong between a caller and a Tentacle, in words that scripts can rely on.

Every failure of this collection that concerns a connection carries one of these words as ``cause``. A word is never
renamed; new ones may be added. A word is only reported where the evidence supports it: everything else is
``unknown``, with the evidence.
"""

from __future__ import annotations

from typing import NamedTuple

AGENT, SERVER, NETWORK, PROXY, CALLER = "agent", "server", "network", "proxy", "caller"
SIDES = (AGENT, SERVER, NETWORK, PROXY, CALLER)


class Cause(NamedTuple):
    """One thing that can be wrong: its word, the side to repair (None: nothing, or not known), and both texts."""

    word: str
    side: str | None
    summary: str
    remedy: str


_LIST = (
    Cause("ok", None, "Every step that could be tried succeeded.", "Nothing to do."),
    Cause(
        "unknown",
        None,
        "The evidence fits no single known cause.",
        "Read the evidence and the steps, and compare with the agent's log of the same minute.",
    ),
    # Names and ways
    Cause(
        "dns",
        NETWORK,
        "The name of the host cannot be resolved here.",
        "Check the spelling and this machine's resolver, or use the IP address.",
    ),
    Cause(
        "wrong_address",
        NETWORK,
        "The address belongs to another host or interface than the agent's.",
        "Compare with the addresses on the agent's host and the listen address of the agent.",
    ),
    Cause(
        "refused",
        AGENT,
        "The host is reached, but nothing listens at this address and port.",
        "See on the host whether the agent runs and at which address and port it listens (ss -lnt).",
    ),
    Cause(
        "not_listening",
        AGENT,
        "Nothing listens on the agent's own host.",
        "Start the agent's service and read its log; check its port and listen address.",
    ),
    Cause(
        "filtered",
        NETWORK,
        "Packets are dropped on the way: no answer of any kind.",
        "Allow the port in the host's firewall, then in every firewall and security group between.",
    ),
    Cause(
        "reset",
        NETWORK,
        "The connection is cut by a reset.",
        "Look for a device or firewall between that cuts the connection, then at the agent's log.",
    ),
    Cause(
        "network",
        NETWORK,
        "The network reports that the host cannot be reached.",
        "Check the address, the routes, and firewalls that reject.",
    ),
    Cause(
        "idle_drop",
        NETWORK,
        "An idle connection was dropped on the way.",
        "Keep TCP keep-alive on, and raise the idle limit of balancers and address translation between.",
    ),
    # The agent's host
    Cause(
        "service_missing",
        AGENT,
        "The agent's service is not installed on the host.",
        "Install the agent, or use the right instance name.",
    ),
    Cause("agent_crash", AGENT, "The agent starts and stops again.", "Read the end of the agent's log."),
    Cause("wrong_mode", AGENT, "The agent is configured not to listen.", "Switch the agent to listening mode."),
    Cause(
        "port_mismatch",
        CALLER,
        "Another kind of service answers at this port.",
        "Compare the port with the agent's configuration; see on the host which process holds it (ss -lntp).",
    ),
    Cause(
        "port_taken",
        AGENT,
        "Another program holds the agent's port.",
        "End that program or give one of the two another port.",
    ),
    Cause(
        "port_taken_zombie",
        AGENT,
        "A left-over child process holds the agent's port.",
        "End the process that holds the port (ss -lntp) and start the agent again.",
    ),
    Cause(
        "permissions",
        AGENT,
        "The agent's account lacks rights on its files.",
        "Give the account the rights on the home directory and on the identity.",
    ),
    # Trust
    Cause(
        "server_not_trusted",
        AGENT,
        "The agent does not trust the certificate that the caller presents.",
        "Trust the caller's thumbprint on the agent.",
    ),
    Cause(
        "agent_thumbprint_mismatch",
        AGENT,
        "The agent presents another certificate than expected.",
        "Compare with the thumbprint on the agent's host. If its certificate was renewed, update the expected "
        "thumbprint; if nobody renewed it, treat this as a possible interception.",
    ),
    Cause(
        "shared_identity",
        AGENT,
        "Two hosts present one certificate.",
        "Make a new certificate on the copy, then trust and register it anew.",
    ),
    Cause(
        "weak_server_certificate",
        SERVER,
        "The caller's own certificate is too weak for the other end.",
        "Make a new certificate (RSA 2048 or more, SHA-256) for the server and trust it on the agents.",
    ),
    # TLS and what touches it
    Cause(
        "tls_no_common",
        AGENT,
        "The two ends have no TLS version or cipher suite in common.",
        "Allow TLS 1.2 or 1.3 with ECDHE and AES-GCM on both ends.",
    ),
    Cause(
        "http_injected",
        NETWORK,
        "An HTTP answer came where a Tentacle should have spoken.",
        "Check the port for another web server; else find the proxy or firewall that answers in the agent's place.",
    ),
    Cause(
        "tls_intercepted",
        NETWORK,
        "Something between the ends presents its own certificate.",
        "Exempt this connection from TLS inspection.",
    ),
    Cause(
        "tls_offloaded",
        NETWORK,
        "TLS ends at a device in front of the agent.",
        "Pass the connection through unopened (TCP, not TLS or HTTP): both ends pin the other's certificate.",
    ),
    # Proxies
    Cause("proxy_unreachable", PROXY, "The proxy cannot be reached.", "Check the proxy's address and port."),
    Cause(
        "proxy_auth_required",
        PROXY,
        "The proxy wants other credentials.",
        "Give the user name and password that the proxy expects.",
    ),
    Cause(
        "proxy_denied",
        PROXY,
        "The proxy refuses this destination.",
        "Allow CONNECT to the agent's address and port in the proxy's rules.",
    ),
    Cause(
        "proxy_not_tunnel", PROXY, "The proxy does not tunnel with CONNECT.", "Use an HTTP proxy that supports CONNECT."
    ),
    # Documentation only: no check of a connection can see these
    Cause("runtime_missing", AGENT, "The agent's runtime is missing or too old.", "Install the runtime it needs."),
    Cause(
        "crl_delay",
        AGENT,
        "Revocation look-ups delay a host without internet.",
        "Disable publisher revocation checks for the agent's account.",
    ),
    Cause(
        "av_stall",
        AGENT,
        "A virus scanner delays the start of scripts.",
        "Exclude the agent's directories from scanning.",
    ),
    # Work through a connection that is good
    Cause("invalid_input", CALLER, "The caller gave something that cannot be used.", "Correct the named option."),
    Cause("agent_error", AGENT, "The agent answered a call with an error.", "Read the message and the agent's log."),
    Cause("script_failed", AGENT, "The script did not end as expected.", "Read the script's output."),
    Cause(
        "hash_mismatch",
        AGENT,
        "What arrived on the agent's host is not what was sent.",
        "Look for programs that change the file, and for a full disk.",
    ),
)

CAUSES = {cause.word: cause for cause in _LIST}
DOCUMENTATION_ONLY = frozenset({"runtime_missing", "crl_delay", "av_stall"})


def cause(word: str) -> Cause:
    """The entry for a word. A word that is not on the list is a mistake in this program (KeyError)."""
    return CAUSES[word]
