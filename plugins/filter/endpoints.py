# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: endpoints
short_description: Make a list of endpoints of hosts in the inventory
author:
  - listening.tentacle contributors (@listening-tentacle)
description:
  - Gives what the option O(listening.tentacle.tentacle_verify#module:endpoints) takes, for hosts of the inventory.
  - Each has C(name), the host's name in the inventory, and C(host), the address that servers use. That is the one in
    C(tentacle_result), which the role sets, or the variable C(tentacle_public_hostname), or C(ansible_host), or its
    name.
  - Port and thumbprint are those of C(tentacle_result), or of the variables C(tentacle_comms_port), O(port) and
    O(thumbprint). What is not known is left out.
positional: hostvars
options:
  _input:
    description: Names of hosts, such as a group.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  port:
    description: Name of the variable that holds the port of a host.
    type: str
    default: tentacle_port
  thumbprint:
    description: Name of the variable that holds the thumbprint of a host.
    type: str
    default: tentacle_thumbprint
"""

EXAMPLES = r"""
- name: Check a whole group at once, from the controller
  listening.tentacle.tentacle_verify:
    endpoints: "{{ groups['web'] | listening.tentacle.endpoints(hostvars) }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: A dictionary for each host, in the order given.
  type: list
  elements: dict
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def endpoints(
    hosts: Iterable[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    port: str = "tentacle_port",
    thumbprint: str = "tentacle_thumbprint",
) -> list[dict[str, Any]]:
    """Name, host, port and thumbprint of each host, as far as its variables tell."""
    if isinstance(hosts, str):
        raise AnsibleFilterError(f"endpoints: a list of hosts is expected, not the text {hosts!r}.")
    return [_endpoint(host, hostvars, port, thumbprint) for host in hosts]


def _endpoint(host: str, hostvars: Mapping[str, Mapping[str, Any]], port: str, thumbprint: str) -> dict[str, Any]:
    if host not in hostvars:
        raise AnsibleFilterError(f"endpoints: {host!r} is no host of the inventory.")
    variables = hostvars[host]
    known = variables.get("tentacle_result") or {}
    found = {
        "name": host,
        "host": _first(known, variables, "public_hostname") or variables.get("ansible_host") or host,
        "port": _first(known, variables, "comms_port") or known.get("port") or variables.get(port),
        "thumbprint": known.get("thumbprint") or variables.get(thumbprint),
    }
    return {key: value for key, value in found.items() if value}


def _first(known: Mapping[str, Any], variables: Mapping[str, Any], name: str) -> Any:
    """What the role has found out, or what its variable says."""
    return known.get(name) or variables.get(f"tentacle_{name}")


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"endpoints": endpoints}
