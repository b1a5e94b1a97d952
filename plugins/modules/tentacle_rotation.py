# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_rotation
short_description: Replace the identity of a Tentacle agent in steps
description:
  - Replaces the key and certificate of an instance in steps, so that servers can be told the new thumbprint before,
    while or after it comes into force, and so that each step can be repeated, resumed after a failure and taken back.
  - A rotation has a name. Under one name the identity is replaced once, however often the steps are repeated, so a
    play that was broken off is simply run again.
  - A running agent shows the identity that is in force from its next connection on; it needs no restart.
  - The playbook C(listening.tentacle.rotate_agents) takes a fleet through all steps.
requirements:
  - The Python library cryptography on the target for O(state=staged) and O(state=active). When the Python that runs
    the module does not have it, the module goes on under O(agent_python).
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
      - An identity that would be made has no thumbprint yet, so RV(next_thumbprint) and RV(thumbprint) can be null.
  diff_mode:
    support: full
    details:
      - The difference holds thumbprints and stages, never a key.
  idempotent:
    support: full
options:
  rotation:
    description:
      - The name of the rotation, for instance a date. Each new name is a new rotation.
    type: str
    required: true
  state:
    description:
      - V(staged) makes the identity that comes; nobody sees it yet.
      - V(active) puts it in force, making it first where that was not done. The one before is kept.
      - V(finished) removes the key of the one before.
      - V(rolled_back) puts the one before in force again, and forgets the one that came. A rotation that is finished
        cannot be rolled back.
      - A rotation that has gone further already is left as it is by V(staged) and V(active).
    type: str
    choices: [staged, active, finished, rolled_back]
    default: active
  key_type:
    description:
      - The kind of key that is made. The default is the kind of the present one.
    type: str
    choices: [rsa, ec]
  key_size:
    description:
      - The size of an RSA key in bits, V(2048) or more. The default is the size of the present one.
    type: int
  valid_days:
    description:
      - For how many days the certificate is valid.
    type: int
    default: 36525
  subject:
    description:
      - The common name in the certificate, with or without C(CN=). The default is the present one.
    type: str
  agent_python:
    description:
      - The Python under which the module goes on when its own does not have cryptography.
      - The default is the first of the agent's interpreter and C(/usr/bin/python3) that has it.
    type: path
seealso:
  - module: listening.tentacle.tentacle_certificate
  - module: listening.tentacle.tentacle_trust
"""

EXAMPLES = r"""
- name: Make the identity that comes
  listening.tentacle.tentacle_rotation:
    rotation: "2026-11"
    state: staged
  become: true
  register: rotation

- name: Say what the server has to be told
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }}: {{ rotation.thumbprint }} becomes {{ rotation.next_thumbprint }}"

- name: Put it in force
  listening.tentacle.tentacle_rotation:
    rotation: "2026-11"
    state: active
  become: true

- name: Remove the key of the one before
  listening.tentacle.tentacle_rotation:
    rotation: "2026-11"
    state: finished
  become: true
"""

RETURN = r"""
path:
  description: The file with the identity that is in force.
  returned: always
  type: str
  sample: /etc/tentacle-agent/tentacle/identity.pem
rotation:
  description: The name of the rotation.
  returned: always
  type: str
  sample: 2026-11
stage:
  description: Where it stands, one of the values of O(state).
  returned: always
  type: str
  sample: active
thumbprint:
  description: The SHA-1 thumbprint of the identity in force; null when it would only be made outside check mode.
  returned: always
  type: str
  sample: 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
next_thumbprint:
  description: The SHA-1 thumbprint of the identity that comes; null when there is none (yet).
  returned: always
  type: str
  sample: 9A0364B9E99BB480DD25E1F0284C8555A1B2C3D4
previous_thumbprint:
  description: The SHA-1 thumbprint of the identity before, as long as its key is kept; else null.
  returned: always
  type: str
  sample: 0FABB7F0E1C2D3A4B5C6D7E8F9012345678900AB
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: invalid_input
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _choice
from ansible_collections.listening.tentacle.plugins.module_utils._identity_file import find_file
from ansible_collections.listening.tentacle.plugins.module_utils._identity_library import complaint_without_library
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError
from ansible_collections.listening.tentacle.plugins.module_utils._rotation import STAGES, RotationChange, Wishes


def run(module: AnsibleModule, change: RotationChange) -> dict[str, Any]:
    """Compare, act unless in check mode, and read back."""
    changed, after = change.is_changed(), change.plan()
    if changed and not module.check_mode:
        change.apply()
        after = change.read()
    return {
        "changed": changed,
        "path": change.path,
        **after._asdict(),
        "diff": {"before": change.before._asdict(), "after": after._asdict()},
    }


def main() -> None:
    argument_spec = _choice.argument_spec()
    argument_spec.update(
        rotation={"type": "str", "required": True},
        state={"type": "str", "choices": list(STAGES), "default": "active"},
        key_type={"type": "str", "choices": ["rsa", "ec"], "no_log": False},
        key_size={"type": "int", "no_log": False},
        valid_days={"type": "int", "default": 36525},
        subject={"type": "str"},
        agent_python={"type": "path"},
    )
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    params = module.params
    wishes = Wishes(params["key_type"], params["key_size"], params["valid_days"], params["subject"])
    try:
        path, _group = find_file(params, module.check_mode)
        change = RotationChange(path, params["rotation"], params["state"], wishes)
        if change.makes_identity() and not module.check_mode:
            complaint = complaint_without_library(module)
            if complaint:
                module.fail_json(msg=complaint, cause="runtime_missing")
        result = run(module, change)
    except InstanceError as error:
        module.fail_json(msg=str(error), cause=error.cause)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
