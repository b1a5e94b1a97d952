# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_certificate
short_description: Create, import or remove the identity of a Tentacle agent
description:
  - Sees to it that an instance has a key and a certificate, in one PEM file on the target. The key never leaves the
    target.
  - An identity that is there is kept. Servers know an agent by the thumbprint of its certificate, so it is only
    replaced when another one is imported or O(force) is set.
  - A running agent uses the new identity for the next connection; it needs no restart.
  - The certificate is what the original makes, self-signed, RSA with 2048 bits and SHA-256, valid for a hundred
    years. Servers compare the thumbprint alone and look at no date.
requirements:
  - The Python library cryptography on the target, when an identity is made or imported. When the Python that runs
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
      - A certificate that would be made has no thumbprint yet, so RV(thumbprint) is null then.
  diff_mode:
    support: full
    details:
      - The difference holds the facts of the certificates, never a key.
  idempotent:
    support: partial
    details:
      - With O(force=true) each run makes a new identity.
options:
  path:
    description:
      - The PEM file with key and certificate, for an identity that belongs to no instance here, for instance the one
        of a server.
      - Mutually exclusive with O(instance) and O(config).
    type: path
  state:
    description:
      - V(present) makes or imports the identity when it is missing.
      - V(absent) removes the file.
      - V(first_boot) is for a host that becomes an image. No identity may be there, and RV(unit) is the text of a
        systemd unit that makes it when a copy of the image starts for the first time, so that no two copies share one.
    type: str
    choices: [present, absent, first_boot]
    default: present
  force:
    description:
      - Whether a new identity is made although one is there. Every server has to be told the new thumbprint.
      - With O(state=first_boot), whether an identity that is there is removed. Without it the task fails then.
    type: bool
    default: false
    aliases: [regenerate]
  key_type:
    description:
      - The kind of key that is made. V(rsa) is what all servers take; V(ec) makes a P-256 key.
      - An identity that is there is not replaced because of this option, nor because of O(key_size), O(valid_days)
        and O(subject).
    type: str
    choices: [rsa, ec]
    default: rsa
  key_size:
    description:
      - The size of an RSA key in bits, V(2048) or more.
    type: int
    default: 2048
  valid_days:
    description:
      - For how many days the certificate is valid.
    type: int
    default: 36525
  subject:
    description:
      - The common name in the certificate, with or without C(CN=).
    type: str
    default: CN=Octopus Tentacle
  pfx_path:
    description:
      - A PFX (PKCS#12) file on the target to import, also as base64 text as the original exports it. Further
        certificates in it are left out.
    type: path
  content:
    description:
      - The identity to import itself, as PEM with key and certificate, or as base64 text of a PFX. For secrets from
        a vault.
    type: str
  certificate_path:
    description:
      - A PEM file on the target to import, with the certificate, and with the key unless O(privatekey_path) is given.
    type: path
  privatekey_path:
    description:
      - The PEM file on the target with the key that belongs to O(certificate_path).
    type: path
  original_config:
    description:
      - The configuration file of an original Tentacle on the target, whose certificate is taken over, so that servers
        go on knowing the host by its thumbprint. Works on the machine that the file was made on, because its key is
        that machine's. M(listening.tentacle.tentacle_migration_info) finds the file.
    type: path
  passphrase:
    description:
      - The password of O(pfx_path), of O(content) or of the key. It is used for reading; the identity is stored
        without one.
    type: str
    aliases: [pfx_passphrase, pfx_password, privatekey_passphrase]
  owner:
    description:
      - The owner of the file. The default leaves the owner of a file that is there.
    type: str
  group:
    description:
      - The group of the file. The default for a new file is the group of the instance's configuration, so that the
        agent can read it.
    type: str
  mode:
    description:
      - The mode of the file, as octal text like V("0640").
      - The default for a new file is C(0640) where a group is known that may read it, else C(0600).
    type: raw
  backup:
    description:
      - Whether an identity that is replaced or removed is kept beside the file, with its key.
    type: bool
    default: false
  executable:
    description:
      - With O(state=first_boot), the agent's command as it stands in the unit. The default is the one that
        M(listening.tentacle.tentacle_agent) installs where its O(listening.tentacle.tentacle_agent#module:path) is
        not given.
    type: path
  agent_python:
    description:
      - The Python under which the module goes on when its own does not have cryptography.
      - The default is the first of the agent's interpreter and C(/usr/bin/python3) that has it.
    type: path
seealso:
  - module: listening.tentacle.tentacle_certificate_info
  - module: listening.tentacle.tentacle_trust
"""

EXAMPLES = r"""
- name: See to it that the agent has an identity
  listening.tentacle.tentacle_certificate:
  become: true
  register: identity

- name: Tell the thumbprint that the server has to be told
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }}: {{ identity.thumbprint }}"

- name: Import the identity that this host had before
  listening.tentacle.tentacle_certificate:
    content: "{{ vaulted_pfx_as_base64 }}"
    passphrase: "{{ vaulted_pfx_passphrase }}"
    backup: true
  become: true

- name: Take over the identity of the original Tentacle on this host
  listening.tentacle.tentacle_certificate:
    original_config: /etc/octopus/Tentacle/tentacle-Tentacle.config
  become: true

- name: Make an identity for a machine that calls agents
  listening.tentacle.tentacle_certificate:
    path: /etc/deployment/server.pem
    subject: Deployment server
    mode: "0600"
  become: true

- name: Make a new identity, when the old key may have become known
  listening.tentacle.tentacle_certificate:
    force: true
  become: true
"""

RETURN = r"""
path:
  description: The file with key and certificate.
  returned: always
  type: str
  sample: /etc/tentacle-agent/tentacle/identity.pem
thumbprint:
  description:
    - The SHA-1 thumbprint of the certificate, by which servers know the agent. It is a name, not a protection.
    - It is null when there is no certificate, or when it would only be made outside check mode.
  returned: always
  type: str
  sample: 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
thumbprint_sha256:
  description: The SHA-256 thumbprint of the certificate.
  returned: always
  type: str
  sample: D7A8FBB307D7809469CA9ABCB0082E4F8D5651E46D3CDB762D02D0BF37C9E592
previous_thumbprint:
  description: The SHA-1 thumbprint before the task; null when there was no certificate.
  returned: always
  type: str
  sample: 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
subject:
  description: The certificate's subject.
  returned: always
  type: str
  sample: CN=Octopus Tentacle
issuer:
  description: The certificate's issuer.
  returned: always
  type: str
  sample: CN=Octopus Tentacle
serial_number:
  description: The certificate's serial number in hexadecimal digits.
  returned: always
  type: str
  sample: 3A94D2F7
not_before:
  description: Since when the certificate is valid, in UTC.
  returned: always
  type: str
  sample: "2026-11-22T00:00:00Z"
not_after:
  description: Until when the certificate is valid, in UTC.
  returned: always
  type: str
  sample: "2126-11-23T00:00:00Z"
key_type:
  description: The kind of the key.
  returned: always
  type: str
  sample: RSA
key_size:
  description: The size of the key in bits.
  returned: always
  type: int
  sample: 2048
curve:
  description: The curve of an EC key; null for others.
  returned: always
  type: str
  sample: P-256
signature_algorithm:
  description: The algorithm of the certificate's signature.
  returned: always
  type: str
  sample: sha256WithRSAEncryption
signature_hash:
  description: The hash in the signature; null where the algorithm fixes or hides it.
  returned: always
  type: str
  sample: sha256
self_signed:
  description: Whether the certificate signed itself; null where that was not computed.
  returned: always
  type: bool
  sample: true
unit:
  description: The text of the systemd unit that makes the identity at first boot; null with another O(state).
  returned: always
  type: str
unit_name:
  description: The name of that unit; null with another O(state).
  returned: always
  type: str
  sample: tentacle-agent-identity@tentacle.service
backup_file:
  description: Where the replaced identity was kept.
  returned: when O(backup=true) and an identity was replaced or removed
  type: str
  sample: /etc/tentacle-agent/tentacle/identity.pem.4711.2026-11-23@12:00:00~
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: password_wrong
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _choice
from ansible_collections.listening.tentacle.plugins.module_utils._identity_file import (
    IdentityChange,
    find_file,
    no_facts,
    read,
    read_mode,
)
from ansible_collections.listening.tentacle.plugins.module_utils._identity_library import complaint_without_library
from ansible_collections.listening.tentacle.plugins.module_utils._instance import paths
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError


def run(module: AnsibleModule, change: IdentityChange) -> dict[str, Any]:
    """Compare, act unless in check mode, and read back."""
    change.refuse_to_remove()
    after = change.plan()
    previous = change.before or no_facts()
    removes = change.removes
    replaced = change.before is not None if removes else change.is_replaced(after)
    adjusted = not removes and not replaced and change.is_adjusted()
    result: dict[str, Any] = {"changed": replaced or adjusted, **describe_unit(module.params, change)}
    if (replaced or adjusted) and not module.check_mode:
        if module.params["backup"] and replaced and os.path.exists(change.path):
            result["backup_file"] = module.backup_local(change.path)
        if removes:
            change.remove()
        else:
            change.apply(replaced)
            after = read(change.path)
    facts = after or no_facts()
    shown = dict(facts, thumbprint="(made when the task runs)") if after is None else facts
    result.update(facts, path=change.path, previous_thumbprint=previous["thumbprint"])
    result["diff"] = {"before": change.before or {}, "after": {} if removes else shown}
    return result


def describe_unit(params: dict[str, Any], change: IdentityChange) -> dict[str, str | None]:
    """The unit for the first boot, where the identity is left to it."""
    choice = _choice.choose(params) if params["state"] == "first_boot" and not params["path"] else None
    if choice is None or choice.name is None:
        return {"unit": None, "unit_name": None}
    return {"unit": change.unit(choice.name, choice.path), "unit_name": paths.identity_unit_name(choice.name)}


def main() -> None:
    argument_spec = _choice.argument_spec()
    argument_spec.update(
        path={"type": "path"},
        state={"type": "str", "choices": ["present", "absent", "first_boot"], "default": "present"},
        force={"type": "bool", "default": False, "aliases": ["regenerate"]},
        key_type={"type": "str", "choices": ["rsa", "ec"], "default": "rsa", "no_log": False},
        key_size={"type": "int", "default": 2048, "no_log": False},
        valid_days={"type": "int", "default": 36525},
        subject={"type": "str", "default": "CN=Octopus Tentacle"},
        pfx_path={"type": "path"},
        content={"type": "str", "no_log": True},
        certificate_path={"type": "path"},
        privatekey_path={"type": "path", "no_log": False},
        original_config={"type": "path"},
        passphrase={
            "type": "str",
            "no_log": True,
            "aliases": ["pfx_passphrase", "pfx_password", "privatekey_passphrase"],
        },
        owner={"type": "str"},
        group={"type": "str"},
        mode={"type": "raw"},
        backup={"type": "bool", "default": False},
        executable={"type": "path"},
        agent_python={"type": "path"},
    )
    module = AnsibleModule(
        argument_spec=argument_spec,
        supports_check_mode=True,
        mutually_exclusive=[
            ("path", "instance"),
            ("path", "config"),
            ("pfx_path", "content", "certificate_path", "original_config"),
            ("force", "pfx_path"),
            ("force", "content"),
            ("force", "certificate_path"),
            ("force", "original_config"),
        ],
        required_by={"privatekey_path": "certificate_path"},
    )
    try:
        module.params["mode"] = read_mode(module.params["mode"])
        path, group = find_file(module.params, module.check_mode)
        change = IdentityChange(path, module.params, group)
        complaint = complaint_without_library(module) if change.needs_library(module.check_mode) else None
        if complaint and not module.check_mode:
            module.fail_json(msg=complaint, cause="runtime_missing")
        if complaint:
            module.warn(complaint)
            module.exit_json(
                changed=True, **no_facts(), path=path, previous_thumbprint=None, unit=None, unit_name=None
            )
        result = run(module, change)
    except InstanceError as error:
        module.fail_json(msg=str(error), cause=error.cause)
    except ValueError as error:
        module.fail_json(msg=str(error), cause="invalid_input")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
