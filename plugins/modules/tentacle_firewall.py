# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_firewall
short_description: Let the Octopus Server, and nobody else by mistake, through a host's firewall
description:
  - Keeps one inbound rule for a Tentacle agent in the firewall that filters on the host, be it firewalld, ufw, nftables
    or iptables. It is named after the instance, limited to O(sources), follows the agent's port, and can be removed
    again without a trace.
  - It never enables, disables, flushes, reorders or reloads a firewall, and touches nothing but its own rule. Where the
    firewall is off, the rule is prepared, and RV(notes) say so.
  - An accept cannot override a drop elsewhere. The module therefore walks the whole running ruleset for the sources and
    returns what really happens to their connections in RV(verdicts), with a warning where they are stopped.
author:
  - listening.tentacle contributors (@listening-tentacle)
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.instance
attributes:
  check_mode:
    support: full
    details:
      - RV(verdicts) are those of the firewall as it is, because nothing was changed.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) keeps the rule, with the sources and the port that are given and no others.
      - V(absent) removes it; with O(backend=auto) from every firewall of the host that has it.
      - V(report) changes nothing and says how it stands.
    type: str
    choices: [present, absent, report]
    default: present
  sources:
    description:
      - Who may connect, as IPv4 and IPv6 addresses and networks such as V(192.0.2.0/24) or V(2001:db8::/32). Needed for
        O(state=present).
      - V(any) lets everybody through. It must be said; no empty list means it.
      - Overlapping networks are merged. Thousands of sources lie in a set with firewalld and nftables; ufw takes 100
        and iptables 1000.
    type: list
    elements: str
    aliases: [source_cidrs]
  port:
    description:
      - The TCP port to open. The default is the port in the instance's configuration, so that the rule follows it.
    type: int
  backend:
    description:
      - Which firewall holds the rule. V(auto) takes the one that is active, or else the one that is enabled for the
        next start; RV(reason) says why. Being installed does not count.
      - V(none) changes nothing and only reports.
    type: str
    choices: [auto, firewalld, ufw, nftables, iptables, none]
    default: auto
  deny_others:
    description:
      - Whether everybody who is not in O(sources) is kept from the port, also where the firewall would let them
        through. The host's own loopback interface stays open.
      - ufw keeps the order in which rules were made, so with it a rule of somebody else's that opens the port to
        everybody is refused.
    type: bool
    default: false
  zone:
    description:
      - The zone of firewalld that gets the rule. The default is firewalld's default zone. Ignored by other firewalls.
    type: str
  reload:
    description:
      - Whether firewalld may be reloaded where it has to learn a new set, which more than 64 sources need. A reload
        ends what others changed in the running firewall without storing it. Ignored by other firewalls.
    type: bool
    default: false
  source:
    description:
      - Further addresses whose verdict is wanted in RV(verdicts), with any O(state). They are not allowed by it.
    type: list
    elements: str
notes:
  - The rule is called C(Octopus Tentacle) followed by a colon and the instance, as the original's own automation calls
    it.
  - Needs root. Firewalls between the host and the server are none of its business; for those of clouds see
    P(listening.tentacle.tentacle_cloud_rules#filter).
seealso:
  - module: listening.tentacle.tentacle_verify
    description: Whether the way is really open, tried from the other side.
"""

EXAMPLES = r"""
- name: Let the Octopus Server through whatever firewall is active
  listening.tentacle.tentacle_firewall:
    sources:
      - 192.0.2.10
      - 2001:db8:12::/64
  become: true

- name: Let everybody through ufw on a port of one's own, and say what happens to an address
  listening.tentacle.tentacle_firewall:
    backend: ufw
    sources: any
    port: 10944
    source: 198.51.100.7
  become: true

- name: Keep everybody else from the port, even where the firewall is open
  listening.tentacle.tentacle_firewall:
    sources: 192.0.2.10
    deny_others: true
  become: true

- name: Would the server get through?
  listening.tentacle.tentacle_firewall:
    state: report
    source: 192.0.2.10
  become: true
  register: firewall
  failed_when: firewall.verdicts[0].verdict in ['drop', 'reject']

- name: Remove the rule
  listening.tentacle.tentacle_firewall:
    state: absent
  become: true
"""

RETURN = r"""
backend:
  description: The firewall that was chosen, or V(none).
  returned: always
  type: str
  sample: nftables
reason:
  description: Why it was chosen.
  returned: always
  type: str
  sample: "nftables is active: the chain inet filter input filters what comes in."
rule:
  description: The rule's name.
  returned: always
  type: str
  sample: "Octopus Tentacle: Tentacle"
present:
  description: Whether the rule is there after the task.
  returned: always
  type: bool
  sample: true
port:
  description: The port; null where O(state) is V(absent) or V(report) and there is no instance.
  returned: always
  type: int
  sample: 10933
sources:
  description: The sources of the rule, merged and sorted.
  returned: always
  type: list
  elements: str
  sample: [192.0.2.10, "2001:db8:12::/64"]
notes:
  description: What has to be known about how the rule fits into this host's firewall.
  returned: always
  type: list
  elements: str
  sample: ["The rule stands at the head of the chain inet filter input."]
verdicts:
  description:
    - What the host's packet filter does with new connections from the first of the RV(sources) of each family and from
      every O(source), all of it considered and not our rule alone.
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: The address, or the network whose first address was judged.
      type: str
    verdict:
      description: V(accept), V(drop), V(reject), or V(unknown) where it depends on more than address and port.
      type: str
    evidence:
      description: The rule or policy that decides, in a sentence.
      type: str
  sample:
    - source: 192.0.2.10
      verdict: accept
      evidence: "New TCP connections from 192.0.2.10 to port 10933 are accepted by rule 12 'Octopus Tentacle: Tentacle'
        of the chain inet filter input (nft), and nothing else stops them."
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: invalid_input
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _choice, _firewall_rule
from ansible_collections.listening.tentacle.plugins.module_utils._firewall import detection
from ansible_collections.listening.tentacle.plugins.module_utils._firewall import rule as firewall_rule
from ansible_collections.listening.tentacle.plugins.module_utils._firewall.errors import FirewallError
from ansible_collections.listening.tentacle.plugins.module_utils._firewall.host import Host
from ansible_collections.listening.tentacle.plugins.module_utils._instance import configuration
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError


def port_of(params: dict[str, Any]) -> int | None:
    """The port that is given or configured. Without an instance, only a rule that is to be made needs one."""
    if params["port"]:
        return params["port"]
    choice = _choice.choose_existing(params) if params["state"] == "present" else _choice.choose(params)
    return configuration.load(choice.path, unknown="keep").port if choice.exists else None


def run(params: dict[str, Any], check_mode: bool, host: Host) -> dict[str, Any]:
    """Compare, act unless in check mode, and say what happens to connections."""
    choice = _choice.choose(params)
    name = firewall_rule.name_of(choice.name or choice.path)
    port = port_of(params)
    rule = None
    if params["state"] == "present":
        rule = firewall_rule.make(name, port or 0, params["sources"] or [], params["deny_others"])
    sources = rule.sources if rule else ()
    result = _firewall_rule.fulfil(
        _firewall_rule.Wish(
            name,
            rule,
            params["backend"],
            changing=params["state"] != "report" and params["backend"] != detection.NONE,
            check_mode=check_mode,
            zone=params["zone"],
            reload=params["reload"],
        ),
        host,
    )
    judged = [*(rule.ipv4[:1] + rule.ipv6[:1] if rule else ()), *(params["source"] or [])]
    verdicts = _firewall_rule.judge(judged, port, host) if port else []
    return {**result, "port": port, "sources": list(sources), "verdicts": verdicts}


def main() -> None:
    argument_spec = _choice.argument_spec()
    argument_spec.update(
        state={"type": "str", "choices": ["present", "absent", "report"], "default": "present"},
        sources={"type": "list", "elements": "str", "aliases": ["source_cidrs"]},
        port={"type": "int"},
        backend={"type": "str", "choices": [detection.AUTO, *detection.WORDS, detection.NONE], "default": "auto"},
        deny_others={"type": "bool", "default": False},
        zone={"type": "str"},
        reload={"type": "bool", "default": False},
        source={"type": "list", "elements": "str"},
    )
    module = AnsibleModule(
        argument_spec=argument_spec, supports_check_mode=True, required_if=[("state", "present", ["sources"])]
    )
    if module.params["port"] is not None and not 1 <= module.params["port"] <= 65535:
        module.fail_json(
            msg="'port' must be between 1 and 65535. Leave it out to follow the instance.", cause="invalid_input"
        )
    try:
        result = run(module.params, module.check_mode, Host())
    except (FirewallError, InstanceError) as error:
        module.fail_json(msg=str(error), cause=error.cause)
    if result["present"] and not module.check_mode:
        for verdict in result["verdicts"]:
            if verdict["verdict"] in ("drop", "reject") and verdict["source"] in result["sources"]:
                module.warn(f"The rule is there, but does not help: {verdict['evidence']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
