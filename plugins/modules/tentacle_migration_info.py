# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_migration_info
short_description: Read the original Tentacles on a host, to take them over
description:
  - Returns what the instances of an original Octopus Tentacle on a Linux host are configured to do, and whether their
    services run. No secret is among it.
  - What is returned fits the options of M(listening.tentacle.tentacle_instance) and
    M(listening.tentacle.tentacle_trust). M(listening.tentacle.tentacle_certificate) takes the certificate over with
    its option O(listening.tentacle.tentacle_certificate#module:original_config).
  - The role does all of it with C(tentacle_migrate_from).
author:
  - listening.tentacle contributors (@listening-tentacle)
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.attributes.info_module
options:
  instance:
    description:
      - The name of one instance of the original. Without it and O(config), all that are recorded are returned.
    type: str
    aliases: [name]
  config:
    description:
      - The configuration file of an instance that is not recorded.
    type: path
    aliases: [config_path]
  configuration_home:
    description:
      - The directory in which the original records its instances.
    type: path
    default: /etc/octopus
seealso:
  - module: listening.tentacle.tentacle_certificate
  - module: listening.tentacle.tentacle_instance
"""

EXAMPLES = r"""
- name: Look for original Tentacles
  listening.tentacle.tentacle_migration_info:
  become: true
  register: originals

- name: Say what would be taken over
  ansible.builtin.debug:
    msg: "{{ item.path }} listens on {{ item.port }} as {{ item.thumbprint }}"
  loop: "{{ originals.instances }}"
  loop_control:
    label: "{{ item.path }}"
"""

RETURN = r"""
instances:
  description: The original's instances, by name. The list is empty where there is none.
  returned: always
  type: list
  elements: dict
  contains:
    instance:
      description: The name; null for one that was named by its file.
      type: str
      returned: always
      sample: Tentacle
    path:
      description: The configuration file.
      type: str
      returned: always
      sample: /etc/octopus/Tentacle/tentacle-Tentacle.config
    home_directory:
      description: Where it keeps logs, packages and its journal.
      type: str
      returned: always
      sample: /etc/octopus/Tentacle
    application_directory:
      description: Where it installs what is deployed.
      type: str
      returned: always
      sample: /home/Octopus/Applications
    port:
      description: The port it listens on.
      type: int
      returned: always
      sample: 10933
    listen_address:
      description: The address it listens on, V(any) for every one.
      type: str
      returned: always
      sample: any
    no_listen:
      description: Whether it polls its servers instead of listening. Such an instance cannot be taken over.
      type: bool
      returned: always
      sample: false
    trusted_thumbprints:
      description: The thumbprints of the servers that it trusts, sorted.
      type: list
      elements: str
      returned: always
      sample: [8C3466D3F3A4F8FDC9BAB1E38A7B4B6D0E9F207E]
    polling_thumbprints:
      description: Those of servers that it polls, sorted.
      type: list
      elements: str
      returned: always
      sample: []
    thumbprint:
      description: The thumbprint that its servers know it by.
      type: str
      returned: always
      sample: 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
    service:
      description: The name of its systemd unit; null for an instance without a name.
      type: str
      returned: always
      sample: Tentacle.service
    service_active:
      description: Whether the unit runs; null where there is no unit or no systemd.
      type: bool
      returned: always
      sample: true
    service_enabled:
      description: Whether the unit starts at boot; null where there is no unit or no systemd.
      type: bool
      returned: always
      sample: true
    problem:
      description: Why the configuration could not be read; null when it could.
      type: str
      returned: always
      sample: null
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: instance_unknown
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils._instance import original
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError
from ansible_collections.listening.tentacle.plugins.module_utils._instance.records import Record

ACTIVE_STATES = ("active", "activating", "reloading")
#: Every fact of an instance where its configuration could not be read.
NOTHING = dict.fromkeys(original.OriginalInstance("", "", "", 0, None, False, (), None, None).facts())


def choose(params: dict[str, Any]) -> list[Record]:
    """The instances that the options name. Raises InstanceError for a name that is not recorded."""
    if params["config"]:
        return [Record("", params["config"])]
    if params["instance"]:
        return [original.find(params["instance"], params["configuration_home"])]
    return original.list_instances(params["configuration_home"])


def describe(module: AnsibleModule, record: Record) -> dict[str, Any]:
    """One instance, as far as it can be read."""
    facts: dict[str, Any] = {"instance": record.name or None, "problem": None}
    try:
        facts.update(original.load(record.path).facts())
    except InstanceError as error:
        facts.update(NOTHING, path=record.path, problem=str(error))
    return {**facts, **look_at_service(module, record.name)}


def look_at_service(module: AnsibleModule, instance: str) -> dict[str, Any]:
    """Name and state of the instance's unit."""
    service = original.service_name(instance) if instance else None
    facts: dict[str, Any] = {"service": service, "service_active": None, "service_enabled": None}
    systemctl = module.get_bin_path("systemctl")
    if not service or not systemctl:
        return facts
    words = [systemctl, "show", "--property=LoadState,ActiveState,UnitFileState", service]
    status, said, _complaint = module.run_command(words, handle_exceptions=False)
    states = dict(line.partition("=")[::2] for line in said.splitlines())
    if status or states.get("LoadState") != "loaded":
        return facts
    active, enabled = states.get("ActiveState") in ACTIVE_STATES, states.get("UnitFileState") == "enabled"
    return {**facts, "service_active": active, "service_enabled": enabled}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "str", "aliases": ["name"]},
            "config": {"type": "path", "aliases": ["config_path"]},
            "configuration_home": {"type": "path", "default": original.CONFIGURATION_HOME},
        },
        mutually_exclusive=[("instance", "config")],
        supports_check_mode=True,
    )
    try:
        records = choose(module.params)
    except InstanceError as error:
        module.fail_json(msg=str(error), cause=error.cause)
    module.exit_json(changed=False, instances=[describe(module, record) for record in records])


if __name__ == "__main__":
    main()
