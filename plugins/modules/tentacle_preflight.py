# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_preflight
short_description: See whether a host can take a Tentacle agent, before anything is changed
description:
  - Looks for everything that would make an installation fail half-way, and says all of it at once, each with its
    cause and its remedy. Nothing is changed.
  - Looked at are the instance's settings, the thumbprints to trust, the identity to import or the one that is there,
    the port, the account, the directories with their rights and their free space, the clock, and the system itself.
  - Each option is called as the variable of the role P(listening.tentacle.tentacle#role) without C(tentacle_) in
    front. The role runs this module as its first step.
author:
  - listening.tentacle contributors (@listening-tentacle)
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.attributes.info_module
  - listening.tentacle.instance
options:
  listen_port:
    description:
      - The TCP port that the agent is going to listen on. It must be free, or held by the agent of this instance.
      - When it is not given, nobody is asked about a port.
    type: int
    aliases: [port]
  listen_address:
    description: The IP address that the agent is going to listen on. V(any) is every address of the host.
    type: str
    default: any
  public_hostname:
    description: As O(listening.tentacle.tentacle_instance#module:public_hostname).
    type: str
  comms_port:
    description: As O(listening.tentacle.tentacle_instance#module:comms_port).
    type: int
  idle_seconds:
    description: As O(listening.tentacle.tentacle_instance#module:idle_seconds).
    type: int
  drain_seconds:
    description: As O(listening.tentacle.tentacle_instance#module:drain_seconds).
    type: int
  home_directory:
    description: Where workspaces, logs and files are going to lie. The default is that of the instance.
    type: path
  application_directory:
    description: Where applications are going to lie. The default is that of the instance.
    type: path
  programs_directory:
    description: Where the programs are going to lie. The default is C(/opt/tentacle-agent) for root.
    type: path
  minimum_free_mb:
    description: How many MB have to be free in each of these places; with V(0) nobody looks.
    type: int
    default: 100
  service_manager:
    description:
      - How the agent is going to be run, as in the role. RV(platform.service_manager) says what V(auto) comes to.
      - With it, O(service_user) counts only where the machine's own systemd is going to run the agent, because nobody
        else can run it as another account.
    type: str
    choices: [auto, systemd, user, standalone]
  service_user:
    description: The account that is going to run the agent. Without it, no account is looked at.
    type: str
  service_group:
    description: The group of that account.
    type: str
  manage_account:
    description: Whether the account is going to be made, and not only used.
    type: bool
    default: false
  account_home:
    description: With O(manage_account=true), the home that the account is going to have.
    type: path
  trusted_thumbprints:
    description: The thumbprints that are going to be trusted, in any spelling, or whole certificates as PEM.
    type: list
    elements: str
    default: []
  certificate_content:
    description:
      - The identity that is going to be imported, as O(listening.tentacle.tentacle_certificate#module:content).
    type: str
  certificate_pfx_path:
    description: A PFX file on the host that is going to be imported.
    type: path
  certificate_passphrase:
    description: The password of the identity.
    type: str
  agent_python:
    description:
      - The Python that is going to run the agent. An identity is opened under it where the Python of the module lacks
        cryptography; where both lack it, only the shape of the identity is looked at.
    type: path
  makes_environment:
    description: Whether the distribution's Python has to be able to make an environment for the agent.
    type: bool
    default: false
  prepare_image:
    description: Whether the host is going to become an image, which must have no identity.
    type: bool
    default: false
  purge_identity:
    description: With O(prepare_image=true), whether an identity that is there is going to be removed.
    type: bool
    default: false
  controller_time:
    description:
      - The controller's clock in seconds since 1970, to compare the host's with. Without it, nobody looks at the clock.
    type: float
  clock_tolerance:
    description: By how many seconds the two clocks may differ; with V(0) by any.
    type: int
    default: 300
  fail_on_problems:
    description: Whether the task fails when there is any problem. Otherwise RV(problems) has them.
    type: bool
    default: true
seealso:
  - module: listening.tentacle.tentacle_instance_info
  - module: listening.tentacle.tentacle_verify
"""

EXAMPLES = r"""
- name: See which hosts are ready for an agent
  listening.tentacle.tentacle_preflight:
    listen_port: 10933
    service_user: tentacle
    manage_account: true
    trusted_thumbprints:
      - 2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12
    controller_time: "{{ now().timestamp() }}"
  become: true
"""

RETURN = r"""
problems:
  description: What has to be repaired first; an empty list when nothing has to be.
  returned: always
  type: list
  elements: dict
  contains:
    cause:
      description: A stable word for the problem.
      type: str
      returned: always
      sample: port_taken
    msg:
      description: What is wrong, why that may be, and what to do.
      type: str
      returned: always
      sample: Port 10933 of this host is taken ...
notes:
  description: What does not stop the agent, and is good to know when something is refused later. Said as warnings, too.
  returned: always
  type: list
  elements: str
  sample: []
places:
  description: The directories that were looked at.
  returned: always
  type: list
  elements: dict
  sample: [{option: home_directory, path: /var/lib/tentacle-agent/tentacle, exists: true, free_mb: 20480}]
platform:
  description: What decides whether and how an agent can be run here.
  returned: always
  type: dict
  contains:
    system:
      description: The operating system's name. The agent runs on Linux.
      type: str
      returned: always
      sample: Linux
    python_version:
      description: The version of the Python that runs the module.
      type: str
      returned: always
      sample: 3.11.2
    uid:
      description: The number of the account that runs the module.
      type: int
      returned: always
      sample: 0
    user:
      description: The name of that account.
      type: str
      returned: always
      sample: root
    user_home:
      description: The home of that account.
      type: str
      returned: always
      sample: /root
    lingers:
      description: Whether that account has a service manager also when nobody is logged in as it.
      type: bool
      returned: always
      sample: false
    service_manager:
      description: What runs an agent of that account, with O(service_manager) and O(prepare_image).
      type: str
      returned: always
      sample: systemd
    libraries_package:
      description: The distribution's package that brings the agent's libraries; null for a distribution not known here.
      type: str
      returned: always
      sample: python3-openssl
account:
  description: The account O(service_user) as it is; null where there is none or it does not count.
  returned: always
  type: dict
  sample:
    name: tentacle
    uid: 998
    home: /var/lib/tentacle-agent
    group: tentacle
    shell: /bin/bash
    comment: Tentacle deployment agent
clock_offset:
  description:
    - By how many seconds the host's clock is fast, the time it took to ask included; null without O(controller_time).
  returned: always
  type: float
  sample: 0.4
instances:
  description:
    - The instance as M(listening.tentacle.tentacle_instance_info) returns it, in a list that is empty without one.
  returned: always
  type: list
  elements: dict
port_holders:
  description: Who listens on O(listen_port), as M(listening.tentacle.tentacle_instance_info) returns it.
  returned: always
  type: list
  elements: dict
msg:
  description: All problems as one text.
  returned: when there is a problem
  type: str
  sample: This host is not ready, and nothing was changed. Port 10933 of this host is taken ...
cause:
  description: The word of the first problem.
  returned: failure
  type: str
  sample: port_taken
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _agent_python
from ansible_collections.listening.tentacle.plugins.module_utils._choice import argument_spec as choice_options
from ansible_collections.listening.tentacle.plugins.module_utils._identity_library import complaint_without_library
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError
from ansible_collections.listening.tentacle.plugins.module_utils._preflight.host import Host
from ansible_collections.listening.tentacle.plugins.module_utils._preflight.problem import Problem

_MAKES_ENVIRONMENTS = [_agent_python.DISTRIBUTION_PYTHON, "-I", "-c", "import venv, ensurepip"]


def look_for_environments(module: AnsibleModule) -> list[Problem]:
    """Whether the distribution's Python can make an environment, where it has to."""
    if not module.params["makes_environment"]:
        return []
    status, _said, complained = module.run_command(_MAKES_ENVIRONMENTS, expand_user_and_vars=False)
    if status == 0:
        return []
    return [
        Problem(
            "runtime_missing",
            f"{_agent_python.DISTRIBUTION_PYTHON} cannot make an environment for the agent: "
            f"{(complained.strip() or 'no message').splitlines()[-1]}. Distributions keep that part of Python in a "
            "package of its own, probably: apt-get install python3-venv. Install it, or name an existing environment "
            "in 'agent_python'.",
        )
    ]


def describe(problems: list[Problem]) -> str:
    """All problems as one text: a host that is repaired once shall not fail again for the next one."""
    if len(problems) == 1:
        return f"This host is not ready, and nothing was changed. {problems[0].msg}"
    listed = " ".join(f"({number}) {problem.msg}" for number, problem in enumerate(problems, 1))
    return f"This host is not ready for {len(problems)} reasons, and nothing was changed. {listed}"


def main() -> None:
    options = choice_options()
    options.update(
        listen_port={"type": "int", "aliases": ["port"]},
        listen_address={"type": "str", "default": "any"},
        public_hostname={"type": "str"},
        comms_port={"type": "int"},
        idle_seconds={"type": "int"},
        drain_seconds={"type": "int"},
        home_directory={"type": "path"},
        application_directory={"type": "path"},
        programs_directory={"type": "path"},
        minimum_free_mb={"type": "int", "default": 100},
        service_manager={"type": "str", "choices": ["auto", "systemd", "user", "standalone"]},
        service_user={"type": "str"},
        service_group={"type": "str"},
        manage_account={"type": "bool", "default": False},
        account_home={"type": "path"},
        trusted_thumbprints={"type": "list", "elements": "str", "default": []},
        certificate_content={"type": "str", "no_log": True},
        certificate_pfx_path={"type": "path"},
        certificate_passphrase={"type": "str", "no_log": True},
        agent_python={"type": "path"},
        makes_environment={"type": "bool", "default": False},
        prepare_image={"type": "bool", "default": False},
        purge_identity={"type": "bool", "default": False},
        controller_time={"type": "float"},
        clock_tolerance={"type": "int", "default": 300},
        fail_on_problems={"type": "bool", "default": True},
    )
    module = AnsibleModule(
        argument_spec=options,
        supports_check_mode=True,
        mutually_exclusive=[("certificate_content", "certificate_pfx_path")],
    )
    now = time.time()
    params: dict[str, Any] = module.params
    if params["certificate_content"] or params["certificate_pfx_path"]:
        complaint_without_library(module)  # goes on under a Python that has it, where there is one
    try:
        host = Host(params, now)
    except InstanceError as error:
        module.fail_json(msg=str(error), cause=error.cause)
    problems = host.problems() + look_for_environments(module)
    result = dict(host.facts(), problems=[problem.facts() for problem in problems])
    for note in result["notes"]:
        module.warn(note)
    if problems:
        result["msg"] = describe(problems)
        if params["fail_on_problems"]:
            module.fail_json(cause=problems[0].cause, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
