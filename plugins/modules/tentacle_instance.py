# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_instance
short_description: Create, change or remove an instance of the Tentacle agent
description:
  - Owns the record of an instance on the host, the keys of its configuration except trust and identity, and its
    directories.
  - Trust belongs to M(listening.tentacle.tentacle_trust), the identity to M(listening.tentacle.tentacle_certificate).
  - A key whose option is not given keeps its value, or gets its default when the instance is created.
  - The agent is not started or restarted. RV(restart_required) says whether a running one has to be, and RV(unit) is
    the text of its systemd unit, which O(write_unit) puts into place.
author:
  - listening.tentacle contributors (@listening-tentacle)
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.instance
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The difference holds the configuration, owners and modes. No secret is stored in the configuration, and of the
        proxy's password only whether it changes.
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) creates the instance, or changes what differs.
      - V(absent) removes its record and its configuration, see also O(remove_identity), O(remove_home) and
        O(remove_applications). Stop the agent before.
    type: str
    choices: [present, absent]
    default: present
  home_directory:
    description:
      - Where workspaces, logs and transferred files lie.
      - When the instance is created, the default is C(/var/lib/tentacle-agent/<instance>) for root,
        C(~/.local/share/tentacle-agent/<instance>) for everybody else, and the configuration's directory for an
        instance without a name.
    type: path
    aliases: [home, homedir]
  application_directory:
    description:
      - Where deployments put applications. When the instance is created, the default is C(Applications) below
        O(home_directory).
    type: path
    aliases: [app, appdir]
  port:
    description:
      - The TCP port on which the agent listens. When the instance is created, the default is V(10933).
      - With V(0) the system chooses a free port at each start, which is for tests.
    type: int
    aliases: [listen_port]
  listen_address:
    description:
      - The IP address on which the agent listens. V(any) is every address of the host, IPv6 and IPv4, and is the
        default when the instance is created.
    type: str
    aliases: [listen_ip_address, bind_address]
  public_hostname:
    description:
      - The name or address under which servers find the agent, where it is none of the host's own, as behind address
        translation. The agent does not use it; reports, checks and M(listening.tentacle.tentacle_instance_info) do.
      - An empty text removes it.
    type: str
    aliases: [public_host_name, announce_host]
  comms_port:
    description:
      - The port at which servers find the agent, where it is not O(port). V(0) removes it.
    type: int
    aliases: [tentacle_comms_port, announce_port]
  no_listen:
    description:
      - Whether the agent keeps its port closed. It then answers nobody.
    type: bool
  minimum_tls_version:
    description:
      - The oldest version of TLS that a caller may speak. When the instance is created, the default is V(1.2).
      - V(1.3) shuts out servers on Windows before 2022 and old load balancers. A running agent takes the change up for
        new connections.
    type: str
    choices: ["1.2", "1.3"]
  show_page:
    description:
      - Whether a browser that opens the agent's port is shown the page that says that the agent works.
    type: bool
  reported_version:
    description:
      - The version that the agent tells to deployment scripts. The default is the version of the original whose
        behaviour the agent has, so that servers do not try to replace it.
    type: str
  idle_seconds:
    description:
      - After how many seconds an idle connection is closed.
    type: int
  drain_seconds:
    description:
      - How many seconds running scripts may go on after the agent was asked to stop.
    type: int
  adopt_scripts:
    description:
      - Whether scripts that still run when the agent ends are handed over to its next process, with their output, their
        exit code and their place in the isolation mutex. systemd keeps what that takes while it restarts the service;
        stopping the service gives it up.
      - Without it, and as with the original, such scripts go on, but the server is told that their result is unknown.
      - Needs Linux 5.3. A second bash around each script passes its exit code on.
    type: bool
  log_level:
    description:
      - How much the agent writes to its log.
    type: str
    choices: [trace, debug, info, warn, error, fatal]
  proxy_host:
    description:
      - The web proxy that deployment scripts are told of; the agent itself calls nobody. V(none) is no proxy,
        V(default) the system's own settings, which hold when the instance is created.
    type: str
  proxy_port:
    description: The port of that proxy. The default is V(80).
    type: int
  proxy_username:
    description: The name that the proxy asks for.
    type: str
  proxy_password:
    description:
      - The password that the proxy asks for. It is kept in a file beside the identity, for the same readers.
    type: str
  service_user:
    description:
      - The account that runs the agent. It gets the home directory, and nothing that decides about trust.
      - The default leaves owners as they are; the unit then names the account that runs this module.
    type: str
  service_group:
    description:
      - The group of that account. It may read the configuration and the identity, and not write them.
    type: str
  executable:
    description:
      - The agent's command as it stands in the unit. The default is the one that
        M(listening.tentacle.tentacle_agent) installs where its O(listening.tentacle.tentacle_agent#module:path) is
        not given.
    type: path
  scripts_may_sudo:
    description:
      - Whether deployment scripts may use sudo. The unit then leaves out what would prevent it.
      - This grants nothing. What the account may do is up to the host's sudo rules.
    type: bool
    default: false
  write_unit:
    description:
      - Writes the unit of this instance as well, where the machine's own service manager reads it (V(system)) or that
        of the account that runs the module (V(user)). Nothing is loaded, enabled or started.
      - Without it, RV(unit) and RV(user_unit) are returned only.
    type: str
    choices: [system, user]
  remove_identity:
    description:
      - With O(state=absent), whether key and certificate are removed too. Servers know the agent by them, and a new
        one has to be made known to each server.
    type: bool
    default: false
  remove_home:
    description:
      - With O(state=absent), whether the home directory is removed too. In the usual place all of it goes, in a
        directory that was chosen by O(home_directory) only what an agent makes.
      - An application directory with something in it stays, unless O(remove_applications) is set.
    type: bool
    default: false
  remove_applications:
    description:
      - With O(remove_home), whether the application directory is removed with everything that was deployed there.
    type: bool
    default: false
seealso:
  - module: listening.tentacle.tentacle_instance_info
  - module: listening.tentacle.tentacle_trust
  - module: listening.tentacle.tentacle_certificate
"""

EXAMPLES = r"""
- name: Create the instance that listens on the usual port
  listening.tentacle.tentacle_instance:
    service_user: tentacle
    service_group: tentacle
    write_unit: system
  become: true
  register: tentacle

- name: Start it now and with the host
  ansible.builtin.systemd_service:
    name: "{{ tentacle.unit_name }}"
    enabled: true
    state: started
    daemon_reload: "{{ tentacle.unit_changed }}"
  become: true

- name: Let a second instance listen on one address only
  listening.tentacle.tentacle_instance:
    instance: Staging
    port: 10934
    listen_address: 192.0.2.10
    service_user: tentacle
    service_group: tentacle
  become: true
  notify: Restart the agent

- name: Remove an instance with its logs and workspaces, but keep its identity
  listening.tentacle.tentacle_instance:
    instance: Staging
    state: absent
    remove_home: true
  become: true
"""

RETURN = r"""
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
configuration:
  description: The configuration after the task, as it stands in the file; null when the instance is absent.
  returned: always
  type: dict
  sample:
    instance: Tentacle
    home_directory: /var/lib/tentacle-agent/tentacle
    application_directory: /var/lib/tentacle-agent/tentacle/Applications
    port: 10933
    listen_address: null
    no_listen: false
    certificate_path: identity.pem
    trusted_servers: []
certificate_path:
  description: The file that holds, or will hold, key and certificate; null when the instance is absent.
  returned: always
  type: str
  sample: /etc/tentacle-agent/tentacle/identity.pem
restart_required:
  description:
    - Whether a running agent has to be restarted to follow this change. That is so for port, addresses, directories,
      name and reported version; everything else it takes up by itself.
  returned: always
  type: bool
  sample: false
unit:
  description: The text of the hardened systemd unit that runs this instance; null when the instance is absent.
  returned: always
  type: str
user_unit:
  description: The text of the unit for the account's own service manager; null when the instance is absent.
  returned: always
  type: str
unit_path:
  description: The file of the unit that O(write_unit) writes; null when it writes none.
  returned: always
  type: str
  sample: /etc/systemd/system/tentacle-agent@tentacle.service
unit_changed:
  description: Whether that file was not there, or had another content. The service manager has to read it again then.
  returned: always
  type: bool
  sample: false
unit_name:
  description: The name of the unit; null for an instance without a name.
  returned: always
  type: str
  sample: tentacle-agent@tentacle.service
kept:
  description: What belongs to the instance and was left where it is.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [/etc/tentacle-agent/tentacle/identity.pem]
removed:
  description: What was removed, or would be in check mode.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [/etc/tentacle-agent/tentacle/tentacle.json]
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: configuration_invalid
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _choice
from ansible_collections.listening.tentacle.plugins.module_utils._instance import paths
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError
from ansible_collections.listening.tentacle.plugins.module_utils._instance_change import ARGUMENTS, InstanceChange
from ansible_collections.listening.tentacle.plugins.module_utils._instance_removal import InstanceRemoval


def set_up(choice: _choice.Choice, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Create or change the instance, and return what it is afterwards."""
    change = InstanceChange(choice, params)
    before, wanted = change.read(), change.plan()
    after = wanted
    changed = before != wanted
    restart = change.restart_required()
    if changed and not check_mode:
        change.apply()
        change = InstanceChange(_choice.choose(params), params)
        after = change.read()
    return {
        **_names(choice),
        "changed": changed,
        "configuration": after.configuration,
        "certificate_path": change.wanted.certificate_path,
        "restart_required": restart,
        "unit": change.unit(),
        "unit_path": change.unit_file.path if change.unit_file else None,
        "unit_changed": before.unit != wanted.unit,
        "user_unit": change.user_unit(),
        "diff": {"before": before.facts(), "after": wanted.facts()},
    }


def remove(choice: _choice.Choice, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Remove the instance, and return what was kept of it."""
    removal = InstanceRemoval(
        choice,
        identity=params["remove_identity"],
        home=params["remove_home"],
        applications=params["remove_applications"],
    )
    plan = removal.plan()
    if not check_mode:
        removal.apply(plan)
    return {
        **_names(choice),
        "changed": plan.recorded or bool(plan.paths),
        "configuration": None,
        "certificate_path": None,
        "restart_required": False,
        "unit": None,
        "unit_path": None,
        "unit_changed": False,
        "user_unit": None,
        "kept": plan.kept,
        "removed": plan.paths,
        "diff": {"before": plan.facts(), "after": {"recorded": False, "paths": []}},
    }


def _names(choice: _choice.Choice) -> dict[str, Any]:
    unit_name = paths.unit_name(choice.name) if choice.name is not None else None
    return {"instance": choice.name, "path": choice.path, "unit_name": unit_name}


def main() -> None:
    argument_spec = {**_choice.argument_spec(), **ARGUMENTS}
    needs_host = dict.fromkeys(("proxy_port", "proxy_username", "proxy_password"), "proxy_host")
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True, required_by=needs_host)
    act = remove if module.params["state"] == "absent" else set_up
    try:
        result = act(_choice.choose(module.params), module.params, module.check_mode)
    except InstanceError as error:
        module.fail_json(msg=str(error), cause=error.cause)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
