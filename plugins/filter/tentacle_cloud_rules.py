# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tentacle_cloud_rules
short_description: The same inbound rule, as the modules of a cloud want it
description:
  - Turns the sources that may reach a Tentacle agent into the rules of a cloud's firewall, as data for that cloud's own
    module. It calls no cloud.
  - One list of sources thus feeds M(listening.tentacle.tentacle_firewall) on the host and every firewall around it.
author:
  - listening.tentacle contributors (@listening-tentacle)
positional: cloud
options:
  _input:
    description:
      - Addresses and networks of both families, or V(any), as in
        O(listening.tentacle.tentacle_firewall#module:sources).
    type: list
    elements: str
    required: true
  cloud:
    description:
      - V(aws) gives the value of the option C(rules) of C(amazon.aws.ec2_security_group).
      - V(azure) gives the value of the option C(rules) of C(azure.azcollection.azure_rm_securitygroup), one rule for
        each family.
      - V(gcp) gives a list of options for C(google.cloud.gcp_compute_firewall), one entry for each family, because
        Google Cloud does not take both in one rule.
    type: str
    choices: [aws, azure, gcp]
    required: true
  port:
    description: The agent's port.
    type: int
    default: 10933
  instance:
    description: The agent's instance, which the rules are named after.
    type: str
    default: Tentacle
  priority:
    description:
      - The priority of the rule for IPv4. With V(azure) the one for IPv6 gets the next number, because priorities are
        unique there.
      - The default is 1000. AWS has no priorities.
    type: int
  target_tags:
    description: The network tags of the machines that the rule is for. For V(gcp) only; without them it is for all.
    type: list
    elements: str
seealso:
  - module: listening.tentacle.tentacle_firewall
"""

EXAMPLES = r"""
- name: Let the Octopus Server through an AWS security group
  amazon.aws.ec2_security_group:
    name: tentacle
    description: Octopus Server to Tentacle
    vpc_id: vpc-0a1b2c3d
    rules: "{{ octopus_sources | listening.tentacle.tentacle_cloud_rules('aws') }}"

- name: Let it through an Azure network security group, which the subnet and the interface may both have
  azure.azcollection.azure_rm_securitygroup:
    resource_group: production
    name: web
    rules: "{{ octopus_sources | listening.tentacle.tentacle_cloud_rules('azure', priority=310) }}"

- name: Let it through Google Cloud's VPC firewall, to the machines with a tag
  google.cloud.gcp_compute_firewall:
    name: "{{ item.name }}"
    description: "{{ item.description }}"
    network: {selfLink: global/networks/default}
    direction: "{{ item.direction }}"
    priority: "{{ item.priority }}"
    allowed: "{{ item.allowed }}"
    source_ranges: "{{ item.source_ranges }}"
    target_tags: "{{ item.target_tags }}"
    project: my-project
    auth_kind: application
  loop: "{{ octopus_sources | listening.tentacle.tentacle_cloud_rules('gcp', target_tags=['tentacle']) }}"
"""

RETURN = r"""
_value:
  description: The rules, in the spelling of the cloud's module.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.listening.tentacle.plugins.module_utils._firewall import rule as firewall_rule
from ansible_collections.listening.tentacle.plugins.module_utils._firewall.errors import RuleError
from ansible_collections.listening.tentacle.plugins.module_utils._firewall.rule import Rule

_PRIORITY = 1000
# Azure takes 100 to 4096, Google Cloud 0 to 65535; the pair of families needs two on Azure.
_PRIORITIES = {"azure": range(100, 4096), "gcp": range(65536)}
# As many addresses as one rule takes; beyond it the cloud would refuse half-way.
_MOST = {"azure": 4000, "gcp": 5000}


def cloud_rules(
    sources: list[str],
    cloud: str,
    port: int = 10933,
    instance: str = "Tentacle",
    priority: int = _PRIORITY,
    target_tags: list[str] | None = None,
) -> list[dict[str, Any]]:
    """Rules for one cloud's module. Raises AnsibleFilterError for what is no source, cloud, port or priority."""
    if cloud not in _RENDERERS:
        raise AnsibleFilterError(
            f"tentacle_cloud_rules: there are no rules for the cloud '{cloud}'. Choose from {', '.join(_RENDERERS)}."
        )
    if not 1 <= int(port) <= 65535:
        raise AnsibleFilterError(f"tentacle_cloud_rules: {port} is no port. Give a number between 1 and 65535.")
    allowed = _PRIORITIES.get(cloud)
    if allowed is not None and int(priority) not in allowed:
        raise AnsibleFilterError(
            f"tentacle_cloud_rules: the priority {priority} is not one that {cloud} has for this rule. Choose one from "
            f"{allowed.start} to {allowed.stop - 1}."
        )
    texts = [sources] if isinstance(sources, str) else list(sources)
    try:
        rule = firewall_rule.make(firewall_rule.name_of(instance), int(port), texts)
    except RuleError as error:
        raise AnsibleFilterError(f"tentacle_cloud_rules: {error}") from error
    most = _MOST.get(cloud)
    if most is not None and max(len(rule.ipv4), len(rule.ipv6)) > most:
        raise AnsibleFilterError(
            f"tentacle_cloud_rules: one rule of {cloud} takes {most} addresses of a family, and there are more. Write "
            "them as networks."
        )
    return _RENDERERS[cloud](rule, int(priority), target_tags)


def _aws(rule: Rule, _priority: int, _target_tags: list[str] | None) -> list[dict[str, Any]]:
    families = (("cidr_ip", rule.ipv4, 32), ("cidr_ipv6", rule.ipv6, 128))
    return [
        {
            "proto": "tcp",
            "from_port": rule.port,
            "to_port": rule.port,
            option: [_with_length(source, length) for source in sources],
            "rule_desc": rule.name.title,
        }
        for option, sources, length in families
        if sources
    ]


def _azure(rule: Rule, priority: int, _target_tags: list[str] | None) -> list[dict[str, Any]]:
    families = [("IPv4", rule.ipv4), ("IPv6", rule.ipv6)]
    if rule.sources == ("0.0.0.0/0", "::/0"):
        families = [("any", ("*",))]
    return [
        {
            "name": f"{rule.name.slug}-{family}",
            "description": rule.name.title,
            "protocol": "Tcp",
            "direction": "Inbound",
            "access": "Allow",
            "priority": priority + number,
            "source_address_prefix": list(sources) if family != "any" else "*",
            "destination_port_range": [str(rule.port)],
        }
        for number, (family, sources) in enumerate(families)
        if sources
    ]


def _gcp(rule: Rule, priority: int, target_tags: list[str] | None) -> list[dict[str, Any]]:
    families = (("ipv4", rule.ipv4, 32), ("ipv6", rule.ipv6, 128))
    return [
        {
            "name": f"{rule.name.slug}-{family}",
            "description": rule.name.title,
            "direction": "INGRESS",
            "priority": priority,
            "allowed": [{"ip_protocol": "tcp", "ports": [str(rule.port)]}],
            "source_ranges": [_with_length(source, length) for source in sources],
            "target_tags": list(target_tags or []),
        }
        for family, sources, length in families
        if sources
    ]


def _with_length(source: str, length: int) -> str:
    return source if "/" in source else f"{source}/{length}"


_RENDERERS = {"aws": _aws, "azure": _azure, "gcp": _gcp}


class FilterModule:
    """Ansible's entry to the filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"tentacle_cloud_rules": cloud_rules}
