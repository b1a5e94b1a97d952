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
  - Runs no script and writes no file on the agent's host, unless O(proof=true).
  - With O(endpoints) checks thousands of agents at once, in one task from one host, and looks for shared identities.
  - What cannot be known is V(null), never guessed.
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.info_module
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.connection
  - listening.tentacle.verification
options:
  endpoints:
    description:
      - Agents to check at once, instead of O(host). The results come in this order, as RV(results).
      - No two of them may be the same host and port.
    type: list
    elements: dict
    suboptions:
      host:
        description: Name or IP address of the agent.
        type: str
        required: true
      port:
        description: Port of the agent. The default is the task's O(port).
        type: int
      thumbprint:
        description: Thumbprint that the agent's certificate must have, as with O(thumbprint).
        type: str
        aliases: [fingerprint, expected_thumbprint]
      name:
        description: What to call the agent in results and reports. The default is its host, with an unusual port.
        type: str
  concurrency:
    description:
      - How many of O(endpoints) are checked at the same time at most, from 1 to 2000. It is fewer while this host has
        no time left for more, and where the limit of open files asks for it.
      - Endpoints that do not answer take O(timeout) seconds each, so this many of them are waited for together.
    type: int
    default: 100
  allowed_shared_thumbprints:
    description:
      - Thumbprints that several of O(endpoints) may share without it being reported as V(shared_identity).
    type: list
    elements: str
    default: []
attributes:
  action:
    description:
      - Runs partly on the controller, to find out which host a task without O(host) means, and to print how far the
        check of O(endpoints) is.
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

- name: Fail as well where everything works, but the certificate has expired or a step took long
  listening.tentacle.tentacle_verify:
    host: web01.example.com
    fail_on: [any, certificate_dates, slow]

- name: Check a whole group at once, from the controller
  listening.tentacle.tentacle_verify:
    endpoints: "{{ groups['web'] | listening.tentacle.endpoints(hostvars) }}"
    client_cert: files/octopus-server.pem
    fail_on: [shared_identity, agent_thumbprint_mismatch]
  delegate_to: localhost
  run_once: true
  register: fleet

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
      Found by a check of a connection are V(dns), V(filtered), V(refused), V(reset), V(network), V(port_mismatch),
      V(http_injected), V(tls_no_common), V(tls_offloaded), V(tls_intercepted), V(agent_thumbprint_mismatch),
      V(server_not_trusted), V(weak_server_certificate), V(invalid_input), and V(proxy_unreachable),
      V(proxy_auth_required), V(proxy_denied), V(proxy_not_tunnel) and V(proxy_no_route). Others, such as
      V(port_taken_zombie), can be among RV(alternatives).
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
tell_apart:
  description: For RV(cause) and each of RV(alternatives), the sign that shows that it is this one.
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
vantage:
  description: O(vantage).
  type: str
  returned: always
position:
  description:
    - Where the check was made, seen from the agent's address. V(loopback) and V(own_address) are the agent's host
      itself, V(elsewhere) is another host, V(proxy) is a way through a proxy.
  type: str
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
proxy:
  description: Host, port, user name, and the status, words and name that the proxy answered with.
  type: dict
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
tls_versions:
  description: Whether TLS 1.2 and TLS 1.3 are spoken, each V(true), V(false) or V(null), with O(tls_versions=true).
  type: dict
  returned: always
client_certificate_requested:
  description: Whether the other side asked for a certificate of the caller, as every Tentacle does.
  type: bool
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
  description: Status, HTTP version, title, server and C(Via) of the page for browsers, and whether it is a Tentacle's.
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
impostor_refused:
  description:
    - Whether a caller with a throw-away certificate was refused. V(null) where none can be made, because there is no
      C(openssl) where the task runs.
  type: bool
  returned: always
version:
  description: The version that the agent calls itself in scripts, with O(proof=true).
  type: str
  returned: always
proof:
  description: Path, size and hash of the pushed file, and the times of upload and script, with O(proof=true).
  type: dict
  returned: always
target:
  description:
    - What was seen on the agent's host itself, with O(inspect). Keys are instance, other_instances, service, holders,
      rights, disk, log, firewall, and notes about what could not be seen. V(null) where it was not looked at.
  type: dict
  returned: always
vantages:
  description: The checks that were compared. V(null) for a single check.
  type: list
  elements: dict
  returned: always
seconds:
  description: How long the check took.
  type: float
  returned: always
attempts:
  description: How many checks were made.
  type: int
  returned: always
results:
  description:
    - For each of O(endpoints), in their order, everything that a single check returns, and C(name).
    - Where RV(cause) is V(shared_identity), C(evidence_alone) is what was found of the endpoint by itself.
    - With O(endpoints), RV(cause) and RV(side) are those that occur most often; what belongs to a single check is only
      here.
  type: list
  elements: dict
  returned: with O(endpoints)
totals:
  description: How many endpoints there are, are ok and need repair, and how often each cause and finding occurs.
  type: dict
  returned: with O(endpoints)
  sample: {endpoints: 1000, ok: 997, to_repair: 3, causes: {filtered: 2, shared_identity: 1}, findings: {}}
shared_identities:
  description: Certificates that several hosts present, each with thumbprints, endpoints, and whether it is allowed.
  type: list
  elements: dict
  returned: with O(endpoints)
allowed_shared_thumbprints:
  description: Those that were given, in their normal form.
  type: list
  elements: str
  returned: with O(endpoints)
certificates:
  description:
    - Every certificate that was seen, the first to expire first, with subject, dates, weakness and endpoints.
  type: list
  elements: dict
  returned: with O(endpoints)
checked_at:
  description: When the check began, in UTC.
  type: str
  returned: with O(endpoints)
  sample: "2026-11-25T10:00:00Z"
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils._argspec_connection import failure
from ansible_collections.listening.tentacle.plugins.module_utils._client.errors import ClientError
from ansible_collections.listening.tentacle.plugins.module_utils._verification import (
    Fatal,
    arguments,
    check,
    options_of,
    unchecked,
)
from ansible_collections.listening.tentacle.plugins.module_utils._verify.throwaway import Impostor, throwaway


def check_endpoints(module: AnsibleModule, fatal: Fatal, impostor: Impostor | None) -> None:
    """Check the list of endpoints and end; ClientError for options that cannot be used."""
    # Only here, because threads and the rest of it are of no use to a single check, and cost it time.
    from ansible_collections.listening.tentacle.plugins.module_utils._fleet_check import check_fleet
    from ansible_collections.listening.tentacle.plugins.module_utils._reporter import Reporter, progress_path

    reporter = Reporter(progress_path(), str)
    facts = check_fleet(module.params, options_of(module.params, impostor), reporter.say)
    reporter.close()
    causes, findings = facts["totals"]["causes"], facts["totals"]["findings"]
    word = fatal.of(causes, findings)
    if word:
        besides = "" if word in causes else f" Found besides, and named in 'fail_on': {word} {findings[word]}."
        module.fail_json(changed=False, **{**facts, "msg": facts["msg"] + besides})
    if causes or "shared_identity" in findings:
        module.warn(facts["msg"])
    module.exit_json(changed=False, **facts)


def main() -> None:
    module = AnsibleModule(
        argument_spec=arguments(),
        mutually_exclusive=[
            ("host", "endpoints", "compare"),
            ("thumbprint", "endpoints", "compare"),
            ("address", "endpoints", "compare"),
        ],
        supports_check_mode=True,
    )
    try:
        fatal = Fatal(module.params["fail_on"])
        with throwaway() as impostor:
            if module.params["endpoints"] is not None:
                check_endpoints(module, fatal, impostor)
            if module.params["compare"] is not None:
                from ansible_collections.listening.tentacle.plugins.module_utils._verify.comparison import compare

                result, attempts = compare(module.params["compare"]), 0
            else:
                result, attempts = check(module.params, impostor)
    except ClientError as error:
        module.fail_json(**{**unchecked(module.params, error), **failure(error, "Nothing was checked")})
    facts = {"changed": False, "attempts": attempts, **result.as_dict()}
    word = fatal.of([result.cause], [str(finding["cause"]) for finding in result.findings])
    if word:
        module.fail_json(msg=result.sentence_of(word), **facts)
    if not result.ok:
        module.warn(result.sentence)
    module.exit_json(msg=result.sentence, **facts)


if __name__ == "__main__":
    main()
