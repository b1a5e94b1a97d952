# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_verify
short_description: Check that a listening Tentacle can be reached and used
author:
  - listening.tentacle contributors (@listening-tentacle)
description:
  - Walks a connection as the Octopus Server makes it, from the name to the services, and names the first thing to
    repair.
  - Steps are name lookup, TCP to every address, TLS, certificate, expected thumbprint, page, identity exchange,
    capabilities, and that a caller without a certificate is refused.
  - Works with the agent of this collection and with original Tentacles. Needs no Octopus Server.
  - Runs no script and writes no file on the agent's host.
  - What cannot be known is V(null), never guessed.
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.info_module
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.connection
options:
  fail_on:
    description:
      - Causes that fail the task, as listed in RV(cause). V(any) stands for everything but V(ok).
      - Any other cause but V(ok) gives a warning. With an empty list the task never fails for what it found.
      - A wrong option always fails the task.
    type: list
    elements: str
    default: [any]
  retries:
    description:
      - How often to check again while RV(cause) is not V(ok), to wait for an agent that is starting.
      - The whole takes at most (O(retries) + 1) x (number of steps x O(timeout)) + O(retries) x O(delay) seconds.
    type: int
    default: 0
  delay:
    description: Seconds between two checks.
    type: int
    default: 2
attributes:
  action:
    description: Runs partly on the controller, to find out which host a task without O(host) means.
    support: full
notes:
  - Without O(client_cert) it is not known whether the agent trusts a server. Then RV(trusted) is V(null), and
    RV(cause) can be V(ok).
seealso:
  - module: listening.tentacle.tentacle_trust
  - module: listening.tentacle.tentacle_script
"""

EXAMPLES = r"""
- name: Check every agent as the Octopus Server would, from the controller
  listening.tentacle.tentacle_verify:
    thumbprint: "{{ tentacle_thumbprint }}"
    client_cert: files/octopus-server.pem
  delegate_to: localhost

- name: Wait until an agent has started
  listening.tentacle.tentacle_verify:
    host: web01.example.com
    retries: 10
    delay: 3

- name: Report instead of failing
  listening.tentacle.tentacle_verify:
    host: 192.0.2.10
    port: 10934
    fail_on: []
  register: check

- name: Say what is wrong, and on which side
  ansible.builtin.debug:
    msg: "{{ check.cause }} ({{ check.side }}): {{ check.evidence }} {{ check.remedy }}"
"""

RETURN = r"""
cause:
  description:
    - The first thing to repair, one word of a closed list.
    - V(ok) where every step that could be tried succeeded, V(unknown) where the evidence fits no single cause.
    - >-
      Found by this module are V(dns), V(filtered), V(refused), V(reset), V(network), V(port_mismatch),
      V(http_injected), V(tls_no_common), V(tls_offloaded), V(agent_thumbprint_mismatch), V(server_not_trusted),
      V(weak_server_certificate) and V(invalid_input). Others, such as V(port_taken_zombie), can be among
      RV(alternatives).
  type: str
  returned: always
  sample: server_not_trusted
side:
  description: Who can repair it; V(null) where there is nothing to repair or it is not known.
  type: str
  returned: always
  sample: agent
evidence:
  description: What was tried and what was seen, one sentence.
  type: str
  returned: always
summary:
  description: What the cause means.
  type: str
  returned: always
remedy:
  description: What to do next.
  type: str
  returned: always
alternatives:
  description: Further causes that fit the evidence.
  type: list
  elements: str
  returned: always
findings:
  description: What else is worth repairing, each with cause, side, evidence and remedy.
  type: list
  elements: dict
  returned: always
steps:
  description: The steps in order, each with name, status (V(ok), V(failed) or V(skipped)), seconds and evidence.
  type: list
  elements: dict
  returned: always
host:
  description: The host that was checked.
  type: str
  returned: always
port:
  description: The port that was checked.
  type: int
  returned: always
addresses:
  description:
    - All addresses of the host, each with address, family, status and seconds. V(null) if the name is unknown.
  type: list
  elements: dict
  returned: always
address:
  description: The address that was used.
  type: str
  returned: always
first_bytes:
  description: What a service that is not TLS said first.
  type: str
  returned: always
tls_version:
  description: The TLS version that was agreed.
  type: str
  returned: always
  sample: TLSv1.3
cipher:
  description: The cipher suite that was agreed.
  type: str
  returned: always
thumbprint:
  description: SHA-1 thumbprint of the certificate that was seen.
  type: str
  returned: always
thumbprint_sha256:
  description: SHA-256 thumbprint of the certificate that was seen.
  type: str
  returned: always
expected_thumbprint:
  description: The thumbprint that was asked for, in its normal form.
  type: str
  returned: always
certificate:
  description: Subject, issuer, serial number, dates, key, signature, whether it is self-signed, and any weakness.
  type: dict
  returned: always
page:
  description: Status, title and server of the page for browsers, and whether it is a Tentacle's.
  type: dict
  returned: always
client_thumbprint:
  description: SHA-1 thumbprint of O(client_cert), which the agent must trust.
  type: str
  returned: always
trusted:
  description: Whether the agent trusts O(client_cert).
  type: bool
  returned: always
capabilities:
  description: The services that the agent offers.
  type: list
  elements: str
  returned: always
  sample: [IScriptService, IFileTransferService, IScriptServiceV2]
stranger_refused:
  description: Whether a caller without a certificate was refused.
  type: bool
  returned: always
seconds:
  description: How long the check took.
  type: float
  returned: always
attempts:
  description: How many checks were made.
  type: int
  returned: always
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils._argspec_connection import (
    connection_arguments,
    endpoint_of,
    failure,
)
from ansible_collections.listening.tentacle.plugins.module_utils._client.endpoint import Endpoint
from ansible_collections.listening.tentacle.plugins.module_utils._client.errors import ClientError
from ansible_collections.listening.tentacle.plugins.module_utils._client.identity import load
from ansible_collections.listening.tentacle.plugins.module_utils._verify.causes import CAUSES
from ansible_collections.listening.tentacle.plugins.module_utils._verify.result import Result
from ansible_collections.listening.tentacle.plugins.module_utils._verify.steps import Options, verify

ANY = "any"


def check(parameters: dict[str, Any]) -> tuple[Result, int]:
    """Check until it is good or the retries are used up. ClientError for options that cannot be used."""
    endpoint = endpoint_of(parameters)
    certificate, key = parameters["client_cert"], parameters["client_key"]
    if key and not certificate:
        raise ClientError("invalid_input", "A client_key was given without the client_cert that it belongs to.")
    identity = load(certificate, key, parameters["client_key_passphrase"]) if certificate else None
    options = Options(identity=identity, timeout=parameters["timeout"])
    attempts = 0
    while True:
        attempts += 1
        result = verify(endpoint, options)
        if result.ok or attempts > parameters["retries"]:
            return result, attempts
        time.sleep(parameters["delay"])


def words(fail_on: list[str]) -> set[str]:
    """The causes that fail the task; ClientError for a word that is not on the list."""
    for word in fail_on:
        if word != ANY and word not in CAUSES:
            raise ClientError("invalid_input", f"fail_on: {word!r} is no cause; known are any, {', '.join(CAUSES)}.")
    return set(CAUSES) - {"ok"} if ANY in fail_on else set(fail_on)


def unchecked(parameters: dict[str, Any], error: ClientError) -> dict[str, Any]:
    """The result of a check that could not be begun: the same keys as always."""
    result = Result(Endpoint(parameters["host"] or "", parameters["port"], None))
    result.blame(error)
    return {"changed": False, "attempts": 0, **result.as_dict()}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **connection_arguments(credentials=False),
            "fail_on": {"type": "list", "elements": "str", "default": [ANY]},
            "retries": {"type": "int", "default": 0},
            "delay": {"type": "int", "default": 2},
        },
        supports_check_mode=True,
    )
    try:
        fatal = words(module.params["fail_on"])
        result, attempts = check(module.params)
    except ClientError as error:
        module.fail_json(**{**unchecked(module.params, error), **failure(error, "Nothing was checked")})
    facts = {"changed": False, "attempts": attempts, **result.as_dict()}
    if result.cause in fatal:
        module.fail_json(msg=result.sentence, **facts)
    if not result.ok:
        module.warn(result.sentence)
    module.exit_json(msg=result.sentence, **facts)


if __name__ == "__main__":
    main()
