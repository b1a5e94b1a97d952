# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_instance_info
short_description: Read the instances of the Tentacle agent on a host
description:
  - Returns the configuration, trust and certificate of one instance, or of all instances that are recorded on the
    host.
  - Needs nothing but Python's standard library.
author:
  - listening.tentacle contributors (@listening-tentacle)
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.attributes.info_module
options:
  instance:
    description:
      - The name of an instance. When neither O(instance) nor O(config) is given, all instances are returned.
    type: str
    aliases: [name]
  config:
    description:
      - The configuration file of an instance that does not lie in its usual place.
    type: path
    aliases: [config_path]
  configuration_home:
    description:
      - The directory below which instances are recorded and their configurations lie.
      - The default is the value of E(TentacleMachineConfigurationHomeDirectory) on the target, else
        C(/etc/tentacle-agent) for root and C(~/.config/tentacle-agent) for everybody else.
    type: path
  port:
    description:
      - A TCP port of which RV(port_holders) shall say who listens on it, for instance before an agent is told to.
    type: int
  listen_address:
    description:
      - With O(port), the IP address on which somebody would be in the way. V(any) is every address of the host.
    type: str
    default: any
seealso:
  - module: listening.tentacle.tentacle_instance
  - module: listening.tentacle.tentacle_certificate_info
"""

EXAMPLES = r"""
- name: Read all instances of the host
  listening.tentacle.tentacle_instance_info:
  become: true
  register: tentacles

- name: Look who holds the port
  listening.tentacle.tentacle_instance_info:
    port: 10933
  become: true
  register: tentacles

- name: Say where they listen and what a server has to know
  ansible.builtin.debug:
    msg: "{{ item.instance }} on port {{ item.configuration.port }} is {{ item.certificate.thumbprint }}"
  loop: "{{ tentacles.instances }}"
  loop_control:
    label: "{{ item.instance }}"
"""

RETURN = r"""
instances:
  description: The instances that were found, by name. The list is empty where there is none.
  returned: always
  type: list
  elements: dict
  contains:
    instance:
      description: The name; null for an instance without one.
      type: str
      returned: always
      sample: Tentacle
    path:
      description: The configuration file.
      type: str
      returned: always
      sample: /etc/tentacle-agent/tentacle/tentacle.json
    unit_name:
      description: The name of its systemd unit; null for an instance without a name.
      type: str
      returned: always
      sample: tentacle-agent@tentacle.service
    configuration:
      description: The configuration with all its keys; null when it cannot be read.
      type: dict
      returned: always
    trusted_thumbprints:
      description: The thumbprints of the servers that are trusted, sorted.
      type: list
      elements: str
      returned: always
      sample: [2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12]
    certificate:
      description:
        - The facts of the certificate as M(listening.tentacle.tentacle_certificate_info) returns them; null when
          there is none.
      type: dict
      returned: always
    unit_is_current:
      description:
        - Whether the agent runs as its unit of systemd is on the disk now, and that starts with the host.
        - Then a service manager has nothing to do.
      type: bool
      returned: always
    process:
      description:
        - The running agent; null when it does not run, and on systems without C(/proc).
      type: dict
      returned: always
      contains:
        pid:
          description: The number of the process.
          type: int
          returned: always
          sample: 4711
        user:
          description: The account that runs it.
          type: str
          returned: always
          sample: tentacle
        directory:
          description:
            - The directory of the programs it was started from; null when it was not started from an installed one.
          type: str
          returned: always
          sample: /opt/tentacle-agent/0.1.0+9f86d081884c
        ports:
          description: The TCP ports on which it listens, as far as the account that runs the module may see them.
          type: list
          elements: int
          returned: always
          sample: [10933]
    problem:
      description: Why something could not be read; null when everything could.
      type: str
      returned: always
      sample: null
port_holders:
  description: Who listens on O(port); an empty list when nobody does, or when O(port) is not given.
  returned: always
  type: list
  elements: dict
  contains:
    address:
      description: The address it listens on.
      type: str
      returned: always
      sample: "::"
    port:
      description: The port.
      type: int
      returned: always
      sample: 10933
    user:
      description: The account of the process.
      type: str
      returned: always
      sample: www-data
    pid:
      description: The number of the process; null when the account that runs the module may not see it.
      type: int
      returned: always
      sample: 812
    command:
      description: The command line of the process; null when the account that runs the module may not see it.
      type: str
      returned: always
      sample: nginx -g daemon off;
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: instance_unknown
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _choice, _instance_facts
from ansible_collections.listening.tentacle.plugins.module_utils._instance import records
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError


def look(params: dict[str, Any]) -> list[dict[str, Any]]:
    """The instances that the options name. Raises InstanceError for a bad name."""
    if params["instance"] or params["config"]:
        return _instance_facts.of_choice(_choice.choose(params))
    present = records.list_records(_choice.environment(params["configuration_home"]))
    return [_instance_facts.describe(record.name, record.path) for record in present]


def main() -> None:
    argument_spec = _choice.argument_spec()
    argument_spec.update(port={"type": "int"}, listen_address={"type": "str", "default": "any"})
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    try:
        instances = look(module.params)
        port_holders = _instance_facts.port_holders(module.params)
    except InstanceError as error:
        module.fail_json(msg=str(error), cause=error.cause)
    module.exit_json(changed=False, instances=instances, port_holders=port_holders)


if __name__ == "__main__":
    main()
