# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Verbs of the original that a listening agent has no use for, and what to do instead.

Silence would leave the user searching; pretending success would leave a set-up that does nothing.
"""

from __future__ import annotations

NO_POLLING = (
    "This agent listens and never calls a server, so there is no polling to set up. Trust the server with "
    "'configure --trust=THUMBPRINT' and add this host to it as a listening Tentacle (https://HOST:10933/)."
)
_NO_KUBERNETES = (
    "This agent runs on a host, not in a cluster. For Kubernetes install the original's Helm chart; "
    "a host that talks to a cluster is added to the server as a listening Tentacle."
)
_REGISTER = (
    "This agent makes no calls to a server. Add the host in the server's portal or by its REST API as a listening "
    "Tentacle: host name, port (show-configuration) and thumbprint (show-thumbprint). Trust the server's thumbprint "
    "here with 'configure --trust=THUMBPRINT'."
)
_DEREGISTER = (
    "This agent makes no calls to a server. Remove the machine in the server's portal or through its REST API, "
    "and its trust here with 'configure --remove-trust=THUMBPRINT'."
)
_RESTARTED_ALREADY = (
    "There is no watchdog to set up: 'service --install' makes a systemd unit that is restarted whenever it ends. "
    "'service --status' and 'livez' tell whether the agent runs."
)

_ANSWERS = {
    "poll-server": NO_POLLING,
    "polling-proxy": NO_POLLING,
    "set-polling-connection-count": NO_POLLING,
    "register-with": _REGISTER,
    "register-worker": _REGISTER,
    "deregister-from": _DEREGISTER,
    "deregister-worker": _DEREGISTER,
    "register-k8s-cluster": _NO_KUBERNETES,
    "register-k8s-target": _NO_KUBERNETES,
    "register-k8s-worker": _NO_KUBERNETES,
    "migrate-preinstalled-k8s-config": _NO_KUBERNETES,
    "watchdog": _RESTARTED_ALREADY,
    "checkservices": _RESTARTED_ALREADY,
    "extract": "This agent unpacks no packages: use unzip or tar in the script, as deployments do.",
}


def answer_for(verb: str) -> str | None:
    """The sentence for a verb of the original that is not ours; None for a word nobody knows."""
    answer = _ANSWERS.get(verb.lower())
    return f"Command '{verb.lower()}' does not apply here. {answer}" if answer else None


def verbs() -> list[str]:
    """All verbs that are answered with a sentence."""
    return sorted(_ANSWERS)
