# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# this is a virtual module that is entirely implemented server side

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_report
short_description: Write what tentacle_verify found as JSON, HTML, JUnit XML or Prometheus text
author:
  - listening.tentacle contributors (@listening-tentacle)
description:
  - Makes a report from results of M(listening.tentacle.tentacle_verify), of a whole fleet or of single hosts.
  - >-
    The HTML page is one file that loads nothing from elsewhere. It shows a summary by cause, the steps and timings of
    each agent, what to do next, and when certificates expire; it can be searched, filtered and printed.
  - JSON is the form that is read again, to compare reports and to put the reports of several jobs together.
  - JUnit XML has a test case for each agent, for build servers. Prometheus text is for the textfile collector of
    C(node_exporter).
  - The same results give the same bytes. Files are written as M(ansible.builtin.copy) writes them.
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
options:
  results:
    description:
      - Results of M(listening.tentacle.tentacle_verify) as they were registered, of fleets or of single hosts.
      - A result of a single host has the name of its RV(listening.tentacle.tentacle_verify#module:host), unless it is
        combined with another C(name). No two may have the same name, host and port.
    type: list
    elements: dict
    default: []
  sources:
    description:
      - Reports in JSON on the controller to put together, with each other and with O(results).
      - Where an agent is in two of them, the later one counts, and O(results) count most. Identities that are shared
        between them are found.
    type: list
    elements: path
    default: []
  previous:
    description:
      - A report in JSON on the controller to compare with, for RV(changes).
      - It is read before anything is written, so it may be O(json) itself.
    type: path
  title:
    description: The title of the report.
    type: str
    default: Tentacles
  allowed_shared_thumbprints:
    description:
      - Thumbprints that several agents may share without it being reported as V(shared_identity).
      - Those that O(results) and O(sources) allowed are allowed as well.
    type: list
    elements: str
    default: []
  json:
    description: Where to write the report in JSON, on the host where the task runs.
    type: path
  html:
    description: Where to write the page.
    type: path
  junit:
    description: Where to write JUnit XML.
    type: path
  prometheus:
    description: Where to write Prometheus text. The textfile collector reads names that end in C(.prom).
    type: path
  mode:
    description: Permissions of the files, as with M(ansible.builtin.copy).
    type: raw
    default: "0644"
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - Where O(previous) is O(json), the next run compares with this one.
  action:
    description: Runs on the controller, which renders the report.
    support: full
seealso:
  - module: listening.tentacle.tentacle_verify
  - ref: ansible_collections.listening.tentacle.docsite.guide_report
    description: What the report looks like, and how to put reports of several jobs together.
"""

EXAMPLES = r"""
- name: Check a group
  listening.tentacle.tentacle_verify:
    endpoints: "{{ groups['web'] | listening.tentacle.endpoints(hostvars) }}"
    fail_on: []
  delegate_to: localhost
  run_once: true
  register: fleet

- name: Write a page for people, and JSON to compare with tomorrow
  listening.tentacle.tentacle_report:
    results: ["{{ fleet }}"]
    title: Web servers
    html: /var/www/tentacles/index.html
    json: /var/www/tentacles/report.json
  delegate_to: localhost
  run_once: true

- name: Put the reports of two jobs together
  listening.tentacle.tentacle_report:
    sources: [slice1.json, slice2.json]
    html: report.html
    prometheus: /var/lib/node_exporter/tentacles.prom
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
msg:
  description: How many agents are ok, and which are not, by cause.
  type: str
  returned: success
totals:
  description: How many agents there are, are ok and need repair, and how often each cause and finding occurs.
  type: dict
  returned: success
  sample: {endpoints: 1000, ok: 997, to_repair: 3, causes: {filtered: 2, shared_identity: 1}, findings: {}}
changes:
  description:
    - What is different from O(previous), V(null) without one. Lists of agents under C(broken), C(repaired),
      C(other_cause), C(new_certificate), C(added) and C(removed), each with C(before) and C(after).
  type: dict
  returned: success
shared_identities:
  description: Certificates that several agents present, each with thumbprints, endpoints, and whether it is allowed.
  type: list
  elements: dict
  returned: success
checked_at:
  description: When the first of the checks began, in UTC; V(null) where no result of a fleet tells.
  type: str
  returned: success
files:
  description: The files, each with format, path, and whether it was changed.
  type: list
  elements: dict
  returned: success
"""
