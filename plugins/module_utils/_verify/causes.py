# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The closed list of causes: what can be wrong between a caller and a Tentacle, in words that scripts can rely on.

Every failure of this collection carries one of these words as ``cause``: those of connections are here, those of work
on a host in ``host_causes.py``. A word is never renamed; new ones may be added. A word is only reported where the
evidence supports it: everything else is ``unknown``, with the evidence.
"""

from __future__ import annotations

from typing import NamedTuple

from .host_causes import HOST_CAUSES

AGENT, SERVER, NETWORK, PROXY, CALLER = "agent", "server", "network", "proxy", "caller"
SIDES = (AGENT, SERVER, NETWORK, PROXY, CALLER)


class Cause(NamedTuple):
    """One thing that can be wrong: its word, the side to repair (None: nothing, or not known), and three texts.

    `sign` says what shows that it is this one and none of its alternatives.
    """

    word: str
    side: str | None
    summary: str
    remedy: str
    sign: str


_CONNECTION_CAUSES = (
    Cause("ok", None, "Every step that could be tried succeeded.", "Nothing to do.", "No step failed."),
    Cause(
        "unknown",
        None,
        "The evidence fits no single known cause.",
        "Read the evidence and the steps, and compare with the agent's log of the same minute.",
        "None of the other signs is there.",
    ),
    # Names and ways
    Cause(
        "dns",
        NETWORK,
        "The name of the host cannot be resolved here, or stands for another address than the agent's.",
        "Check the spelling and this machine's resolver, or use the IP address.",
        "By its IP address the agent is reached.",
    ),
    Cause(
        "wrong_address",
        NETWORK,
        "The address belongs to another host or interface than the agent's.",
        "Compare with the addresses on the agent's host and the listen address of the agent.",
        "The agent's host has not this address, or the agent listens at another one of its addresses (ss -lnt).",
    ),
    Cause(
        "address_family",
        NETWORK,
        "Only one of IPv4 and IPv6 works.",
        "Repair the family that fails (route, firewall, listen address), or take its address out of the DNS.",
        "All addresses of one family fail, and one of the other is connected.",
    ),
    Cause(
        "refused",
        AGENT,
        "The host is reached, but nothing listens at this address and port.",
        "See on the host whether the agent runs and at which address and port it listens (ss -lnt).",
        "On the host itself the port is refused as well.",
    ),
    Cause(
        "not_listening",
        AGENT,
        "Nothing listens on the agent's own host.",
        "Start the agent's service and read its log; check its port and listen address.",
        "On the host the agent's service is stopped and nothing holds the port (ss -lnt).",
    ),
    Cause(
        "filtered",
        NETWORK,
        "A firewall on the way drops or rejects the packets.",
        "Allow the port in the host's firewall, then in every firewall and security group between.",
        "On the host itself the agent is reached.",
    ),
    Cause(
        "reset",
        NETWORK,
        "The connection is cut by a reset.",
        "Look for a device or firewall between that cuts the connection, then at the agent's log.",
        "On the host itself the connection is not cut.",
    ),
    Cause(
        "network",
        NETWORK,
        "The network reports that the host cannot be reached.",
        "Check the address, the routes, and firewalls that reject.",
        "The host is not reached on any other port either (ping).",
    ),
    Cause(
        "idle_drop",
        NETWORK,
        "An idle connection was dropped on the way.",
        "Keep TCP keep-alive on, and raise the idle limit of balancers and address translation between.",
        "A new connection works, and fails again after the same idle time.",
    ),
    Cause(
        "slow",
        AGENT,
        "The agent answers, but slowly.",
        "Look at the load of the agent's host, at its name lookups, and at the way between.",
        "With a longer time-out the answer comes.",
    ),
    # The agent's host
    Cause(
        "service_missing",
        AGENT,
        "The agent's service is not installed on the host.",
        "Install the agent, or use the right instance name.",
        "The host has neither a unit nor an instance of the agent (list-instances).",
    ),
    Cause(
        "agent_crash",
        AGENT,
        "The agent starts and stops again.",
        "Read the end of the agent's log.",
        "systemctl shows the service failed or restarting.",
    ),
    Cause(
        "wrong_mode",
        AGENT,
        "The agent is configured not to listen.",
        "Switch the agent to listening mode.",
        "show-configuration on the host says that it does not listen.",
    ),
    Cause(
        "port_mismatch",
        CALLER,
        "Another kind of service answers at this port.",
        "Compare the port with the agent's configuration; see on the host which process holds it (ss -lntp).",
        "show-configuration on the host names another port.",
    ),
    Cause(
        "port_taken",
        AGENT,
        "Another program holds the agent's port.",
        "End that program or give one of the two another port.",
        "ss -lntp on the host names another program at the agent's port.",
    ),
    Cause(
        "port_taken_zombie",
        AGENT,
        "A left-over child process holds the agent's port.",
        "End the process that holds the port (ss -lntp) and start the agent again.",
        "ss -lntp on the host names a script's process at the agent's port, and the agent itself does not run.",
    ),
    Cause(
        "permissions",
        AGENT,
        "The agent's account lacks rights on its files.",
        "Give the account the rights on the home directory and on the identity.",
        "The agent's log says 'permission denied', or ls -l on the host shows it.",
    ),
    Cause(
        "disk_full",
        AGENT,
        "The disk with the agent's home directory is full.",
        "Free space, or move the home directory to a larger disk.",
        "df on the host shows it.",
    ),
    # Trust
    Cause(
        "server_not_trusted",
        AGENT,
        "The agent does not trust the certificate that the caller presents.",
        "Trust the caller's thumbprint on the agent.",
        "The agent's log names the caller's thumbprint as not trusted.",
    ),
    Cause(
        "agent_thumbprint_mismatch",
        AGENT,
        "The agent presents another certificate than expected.",
        "Compare with the thumbprint on the agent's host. If its certificate was renewed, update the expected "
        "thumbprint; if nobody renewed it, treat this as a possible interception.",
        "show-thumbprint on the host gives the thumbprint that was seen.",
    ),
    Cause(
        "shared_identity",
        AGENT,
        "Two hosts present one certificate.",
        "Make a new certificate on the copy, then trust and register it anew.",
        "show-thumbprint gives the same on another host.",
    ),
    Cause(
        "weak_server_certificate",
        SERVER,
        "The caller's own certificate is too weak for the other end.",
        "Make a new certificate (RSA 2048 or more, SHA-256) for the server and trust it on the agents.",
        "With another certificate the agent does not break off in TLS.",
    ),
    Cause(
        "weak_agent_certificate",
        AGENT,
        "The agent's certificate is weak; hardened callers refuse it.",
        "Make a new certificate on the agent (RSA 2048 or more, SHA-256) and give its thumbprint to the server.",
        "The certificate that was seen is signed with SHA-1 or MD5, or has a short key.",
    ),
    Cause(
        "certificate_dates",
        AGENT,
        "The agent's certificate is expired or not yet valid.",
        "Check the clocks on both sides; plan a new certificate. Servers that pin the thumbprint do not mind.",
        "The dates of the certificate that was seen.",
    ),
    # TLS and what touches it
    Cause(
        "tls_no_common",
        AGENT,
        "The two ends have no TLS version or cipher suite in common.",
        "Allow TLS 1.2 or 1.3 with ECDHE and AES-GCM on both ends.",
        "openssl s_client with -tls1_2 or -tls1_3 fails in the same way.",
    ),
    Cause(
        "http_injected",
        NETWORK,
        "An HTTP answer came where a Tentacle should have spoken.",
        "Check the port for another web server; else find the proxy or firewall that answers in the agent's place.",
        "On the host itself the agent's own page comes.",
    ),
    Cause(
        "tls_intercepted",
        NETWORK,
        "Something between the ends presents its own certificate.",
        "Exempt this connection from TLS inspection.",
        "On the host itself another certificate is seen.",
    ),
    Cause(
        "tls_offloaded",
        NETWORK,
        "TLS ends at a device in front of the agent.",
        "Pass the connection through unopened (TCP, not TLS or HTTP): both ends pin the other's certificate.",
        "Past the balancer, at the agent's own address, another certificate is seen or the caller is asked for one.",
    ),
    # Proxies
    Cause(
        "proxy_unreachable",
        PROXY,
        "The proxy cannot be reached.",
        "Check the proxy's address and port.",
        "The proxy fails for every destination.",
    ),
    Cause(
        "proxy_auth_required",
        PROXY,
        "The proxy wants other credentials.",
        "Give the user name and password that the proxy expects.",
        "The proxy's log has the status 407.",
    ),
    Cause(
        "proxy_denied",
        PROXY,
        "The proxy refuses this destination.",
        "Allow CONNECT to the agent's address and port in the proxy's rules.",
        "The proxy's log has this request as denied.",
    ),
    Cause(
        "proxy_not_tunnel",
        PROXY,
        "The proxy does not tunnel with CONNECT.",
        "Use an HTTP proxy that supports CONNECT.",
        "CONNECT fails for every destination.",
    ),
    Cause(
        "proxy_no_route",
        PROXY,
        "The proxy works, but does not reach the agent.",
        "Check from the proxy's host the agent's name, address and port, and the firewalls between the two.",
        "The same check from the proxy's host, without the proxy, fails as well.",
    ),
    # Documentation only: no check of a connection can see these
    Cause(
        "crl_delay",
        AGENT,
        "Revocation look-ups delay a host without internet.",
        "Disable publisher revocation checks for the agent's account.",
        "The original's command line needs seconds to show its help.",
    ),
    Cause(
        "av_stall",
        AGENT,
        "A virus scanner delays the start of scripts.",
        "Exclude the agent's directories from scanning.",
        "With the scanner paused scripts start at once.",
    ),
    # Work through a connection that is good
    Cause(
        "invalid_input",
        CALLER,
        "The caller gave something that cannot be used.",
        "Correct the named option.",
        "The message names the option.",
    ),
    Cause(
        "agent_error",
        AGENT,
        "The agent answered a call with an error.",
        "Read the message and the agent's log.",
        "The message is the agent's own.",
    ),
    Cause(
        "script_failed",
        AGENT,
        "The script did not end as expected.",
        "Read the script's output.",
        "The exit code is the script's.",
    ),
    Cause(
        "hash_mismatch",
        AGENT,
        "What arrived on the agent's host is not what was sent.",
        "Look for programs that change the file, and for a full disk.",
        "The file's hash on the host differs from the one that was sent.",
    ),
)

CAUSES = {entry.word: entry for entry in (*_CONNECTION_CAUSES, *(Cause(*texts) for texts in HOST_CAUSES))}
DOCUMENTATION_ONLY = frozenset({"crl_delay", "av_stall"})


def cause(word: str) -> Cause:
    """The entry for a word. A word that is not on the list is a mistake in this program (KeyError)."""
    return CAUSES[word]
