# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_certificate_info
short_description: Read the certificate of a Tentacle agent
description:
  - Reads the certificate of an instance, or of a PEM file, and returns its thumbprints and facts.
  - Needs nothing but Python's standard library.
author:
  - listening.tentacle contributors (@listening-tentacle)
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.attributes.info_module
  - listening.tentacle.instance
options:
  path:
    description:
      - A PEM file with a certificate, with or without its key, that belongs to no instance here.
      - Mutually exclusive with O(instance) and O(config).
    type: path
seealso:
  - module: listening.tentacle.tentacle_certificate
  - module: listening.tentacle.tentacle_instance_info
"""

EXAMPLES = r"""
- name: Read the agent's certificate
  listening.tentacle.tentacle_certificate_info:
  become: true
  register: identity

- name: Fail when two hosts share one identity
  ansible.builtin.assert:
    that: identities | unique | length == identities | length
    fail_msg: Two hosts show one certificate, probably a cloned machine. Make a new identity on the copy.
  vars:
    identities: "{{ ansible_play_hosts | map('extract', hostvars, ['identity', 'thumbprint']) | list }}"
  run_once: true
"""

RETURN = r"""
exists:
  description: Whether there is a certificate. All facts are null where there is none.
  returned: always
  type: bool
  sample: true
path:
  description: The file with the certificate.
  returned: always
  type: str
  sample: /etc/tentacle-agent/tentacle/identity.pem
thumbprint:
  description:
    - The SHA-1 thumbprint of the certificate, by which servers know the agent. It is a name, not a protection.
  returned: always
  type: str
  sample: 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
thumbprint_sha256:
  description: The SHA-256 thumbprint of the certificate.
  returned: always
  type: str
  sample: D7A8FBB307D7809469CA9ABCB0082E4F8D5651E46D3CDB762D02D0BF37C9E592
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
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: certificate_invalid
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _choice, _identity_file
from ansible_collections.listening.tentacle.plugins.module_utils._instance import configuration, files
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError


def look(params: dict[str, Any]) -> dict[str, Any]:
    """The facts of the certificate that the options name. Raises InstanceError."""
    path = params["path"]
    if not path:
        path = configuration.load(_choice.choose_existing(params).path, unknown="keep").certificate_path
    exists = os.path.lexists(path)
    facts = _identity_file.describe(files.read(path)) if exists else _identity_file.no_facts()
    return {"changed": False, "exists": exists, "path": path, **facts}


def main() -> None:
    argument_spec = _choice.argument_spec()
    argument_spec.update(path={"type": "path"})
    module = AnsibleModule(
        argument_spec=argument_spec,
        supports_check_mode=True,
        mutually_exclusive=[("path", "instance"), ("path", "config")],
    )
    try:
        result = look(module.params)
    except InstanceError as error:
        module.fail_json(msg=str(error), cause=error.cause)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
