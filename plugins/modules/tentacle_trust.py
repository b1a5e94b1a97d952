# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_trust
short_description: Say which servers a Tentacle agent trusts
description:
  - Adds, removes, sets or replaces the thumbprints of the servers whose calls an instance answers. Nobody else is
    answered.
  - A running agent follows within moments; it needs no restart. Connections whose trust is gone are closed.
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
      - In check mode an instance that does not exist yet counts as one that trusts nobody, because an earlier task
        of the same run may be the one that would create it.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  trusted_thumbprints:
    description:
      - The servers' thumbprints, SHA-1 as the server shows it or SHA-256, in any spelling, with colons, blanks or
        dashes, in upper or lower case. A whole certificate as PEM text is taken as well.
      - An empty list together with O(exclusive=true) ends all trust.
    type: list
    elements: str
    aliases: [server_thumbprint, octopus_server_thumbprint, trust]
  state:
    description:
      - V(present) trusts O(trusted_thumbprints), V(absent) no longer does.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description:
      - Whether O(trusted_thumbprints) are the only ones that are trusted. All are set in one step, so nobody is
        locked out meanwhile.
    type: bool
    default: false
    aliases: [reset]
  old_thumbprint:
    description:
      - A thumbprint to replace by O(new_thumbprint) wherever it is trusted. Where it is not trusted, nothing changes.
      - The old server is locked out in the same moment. To let both in for a while, add the new one first and remove
        the old one later.
    type: str
  new_thumbprint:
    description:
      - The thumbprint that replaces O(old_thumbprint).
    type: str
seealso:
  - module: listening.tentacle.tentacle_instance
  - module: listening.tentacle.tentacle_verify
"""

EXAMPLES = r"""
- name: Trust the server
  listening.tentacle.tentacle_trust:
    trusted_thumbprints: 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
  become: true

- name: Trust these two servers and nobody else
  listening.tentacle.tentacle_trust:
    trusted_thumbprints:
      - 2F:D4:E1:C6:7A:2D:28:FC:ED:84:9E:E1:BB:76:E7:39:1B:93:EB:12
      - "{{ lookup('ansible.builtin.file', 'new-server.pem') }}"
    exclusive: true
  become: true

- name: No longer trust the server that was switched off
  listening.tentacle.tentacle_trust:
    trusted_thumbprints: 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
    state: absent
  become: true

- name: Follow a server to its new certificate
  listening.tentacle.tentacle_trust:
    old_thumbprint: 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
    new_thumbprint: D7A8FBB307D7809469CA9ABCB0082E4F8D5651E46D3CDB762D02D0BF37C9E592
  become: true
"""

RETURN = r"""
trusted_thumbprints:
  description: Every thumbprint that is trusted after the task, 40 or 64 upper-case digits, sorted.
  returned: always
  type: list
  elements: str
  sample: [2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12]
added:
  description: What was not trusted before.
  returned: always
  type: list
  elements: str
  sample: [2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12]
removed:
  description: What is no longer trusted.
  returned: always
  type: list
  elements: str
  sample: []
instance:
  description: The name of the instance; null for one without a name.
  returned: always
  type: str
  sample: Tentacle
path:
  description: The configuration file.
  returned: always
  type: str
  sample: /etc/tentacle-agent/tentacle/tentacle.json
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: thumbprint_invalid
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _choice
from ansible_collections.listening.tentacle.plugins.module_utils._instance import configuration, trusted
from ansible_collections.listening.tentacle.plugins.module_utils._instance.configuration import Configuration
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError


class Trust:
    """What the options of a task want of an instance's trust."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._pins = [pin for pin in params["trusted_thumbprints"] or [] if pin.strip()]
        self._removes = params["state"] == "absent"
        self._exclusive = params["exclusive"]
        self._old, self._new = params["old_thumbprint"], params["new_thumbprint"]

    def plan(self, before: Configuration) -> Configuration:
        """The configuration with the wanted trust. Raises ConfigurationError for what is no thumbprint."""
        if self._old:
            return trusted.with_trust_replaced(before, self._old, self._new)
        if self._removes:
            return trusted.with_trust_removed(before, self._pins)
        if self._exclusive:
            return trusted.with_trust_set(before, self._pins)
        return trusted.with_trust_added(before, self._pins)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Compare, act unless in check mode, and return whom the instance trusts."""
    trust = Trust(params)
    choice = _choice.choose(params) if check_mode else _choice.choose_existing(params)
    if not check_mode:
        before, after = configuration.change(choice.path, trust.plan)
    else:
        before = configuration.load(choice.path) if choice.exists else configuration.create(choice.path, choice.name)
        after = trust.plan(before)
    pins = [sorted(configured.trusted_pins()) for configured in (before, after)]
    return {
        "changed": before != after,
        "instance": choice.name,
        "path": choice.path,
        "trusted_thumbprints": pins[1],
        "added": [pin for pin in pins[1] if pin not in pins[0]],
        "removed": [pin for pin in pins[0] if pin not in pins[1]],
        "diff": {"before": {"trusted_thumbprints": pins[0]}, "after": {"trusted_thumbprints": pins[1]}},
    }


def main() -> None:
    argument_spec = _choice.argument_spec()
    argument_spec.update(
        trusted_thumbprints={
            "type": "list",
            "elements": "str",
            "aliases": ["server_thumbprint", "octopus_server_thumbprint", "trust"],
        },
        state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        exclusive={"type": "bool", "default": False, "aliases": ["reset"]},
        old_thumbprint={"type": "str"},
        new_thumbprint={"type": "str"},
    )
    module = AnsibleModule(
        argument_spec=argument_spec,
        supports_check_mode=True,
        required_together=[("old_thumbprint", "new_thumbprint")],
        required_one_of=[("trusted_thumbprints", "old_thumbprint")],
        mutually_exclusive=[("trusted_thumbprints", "old_thumbprint")],
    )
    if module.params["exclusive"] and (module.params["state"] == "absent" or module.params["old_thumbprint"]):
        module.fail_json(
            msg="'exclusive' was given together with 'state: absent' or 'old_thumbprint', which contradict each other: "
            "it says that exactly 'trusted_thumbprints' are trusted. Leave one of the two out.",
            cause="invalid_input",
        )
    try:
        result = run(module.params, module.check_mode)
    except InstanceError as error:
        module.fail_json(msg=str(error), cause=error.cause)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
