# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_deploy
short_description: Push a file through a listening Tentacle, and deploy it with a script
author:
  - listening.tentacle contributors (@listening-tentacle)
description:
  - Copies a file or an archive to an agent's host through Tentacle file transfer, unless the same file is there
    already, and runs a script after a change, to unpack and start it for instance.
  - A small script that runs through the same Tentacle hashes what is there. Where the host has no tool for SHA-256
    the file is downloaded and hashed instead.
  - What arrived is compared with what was sent.
  - Prints progress and the script's output on the controller while it runs.
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.connection
options:
  thumbprint:
    required: true
  client_cert:
    required: true
  src:
    description: Path of the file, on the controller and looked for in C(files) as usual, unless O(remote_src) is set.
    type: path
    required: true
  remote_src:
    description: Whether O(src) is on the host where the task runs.
    type: bool
    default: false
  dest:
    description:
      - Path of the file on the agent's host. Missing directories are made.
      - Relative paths start at the agent's home directory. If it is a directory, or ends with a slash, the name of
        O(src) is added.
    type: str
    required: true
  force:
    description: Send the file and run the script even if nothing has changed.
    type: bool
    default: false
  script:
    description:
      - Script to run after a change. E(DEPLOYED_FILE) holds the path of the file.
      - If it fails, the next run of the task runs it again. Whether it succeeded is noted in a small file beside
        O(dest) with C(.deployed) added to the name.
    type: str
  script_src:
    description: Path of a file on the controller that holds the script.
    type: path
  arguments:
    description: Arguments of the script, as with M(listening.tentacle.tentacle_script).
    type: list
    elements: str
    default: []
  isolation:
    description:
      - V(full) waits until no other script runs under the same O(mutex_name), and holds back those that come later.
      - V(none) waits only for scripts that run with V(full).
    type: str
    choices: [full, none]
    default: full
  mutex_name:
    description: What O(isolation) is about; the default is the name that the Octopus Server uses.
    type: str
    default: RunningScript
  mutex_timeout:
    description: Seconds to wait for other scripts. Without it the script waits as long as it takes.
    type: int
  script_timeout:
    description: Seconds after which the script is cancelled, waiting included. Without it there is no limit.
    type: int
  creates:
    description:
      - A path or pattern on the agent's host. If it exists nothing is done. Relative paths start at the agent's home
        directory.
    type: str
  expected_rc:
    description: Exit codes of the script that are a success.
    type: list
    elements: int
    default: [0]
attributes:
  check_mode:
    support: full
    details:
      - What is on the agent's host is hashed, which runs a script that changes nothing.
  diff_mode:
    support: full
    details:
      - Shows path, hash and size of the file, not what it holds.
  idempotent:
    support: full
  action:
    description: Runs partly on the controller, to find O(src) and to print progress.
    support: full
notes:
  - If the task does not run on the controller itself, the file is copied to the host where it runs first.
seealso:
  - module: listening.tentacle.tentacle_script
"""

EXAMPLES = r"""
- name: Deploy a web site to every agent's host, from the controller
  listening.tentacle.tentacle_deploy:
    thumbprint: "{{ tentacle_thumbprint }}"
    client_cert: files/octopus-server.pem
    src: site-1.4.2.tar.gz
    dest: Files/site.tar.gz
    script: |
      mkdir -p "$TentacleApplications/site"
      tar -xzf "$DEPLOYED_FILE" -C "$TentacleApplications/site"
  delegate_to: localhost

- name: Only copy a file
  listening.tentacle.tentacle_deploy:
    host: web01.example.com
    thumbprint: 8C340E11AA0B5C658A3F314AFA6B8BEE1522017E
    client_cert: files/octopus-server.pem
    src: app.conf
    dest: /etc/app/app.conf
"""

RETURN = r"""
remote_path:
  description: Path of the file on the agent's host.
  type: str
  returned: always
checksum:
  description: SHA-256 of the file that was to be deployed.
  type: str
  returned: always
checksum_sha1:
  description: SHA-1 of that file, which the agent confirms after a transfer.
  type: str
  returned: always
size:
  description: Its size in bytes.
  type: int
  returned: always
uploaded:
  description: Whether the file was sent; in check mode whether it would be.
  type: bool
  returned: always
script_run:
  description: Whether the script was run; in check mode whether it would be.
  type: bool
  returned: always
rc:
  description: Exit code of the script; V(null) if none was run.
  type: int
  returned: always
stdout:
  description: What the script wrote to its standard output.
  type: str
  returned: always
stdout_lines:
  description: The same, in lines.
  type: list
  elements: str
  returned: always
stderr:
  description: What the script wrote to its standard error.
  type: str
  returned: always
stderr_lines:
  description: The same, in lines.
  type: list
  elements: str
  returned: always
output:
  description: The script's whole log in order, as M(listening.tentacle.tentacle_script) returns it.
  type: list
  elements: dict
  returned: always
ticket:
  description: The name under which the agent knew the script; V(null) if none was run.
  type: str
  returned: always
timed_out:
  description: Whether the script was cancelled after O(script_timeout).
  type: bool
  returned: always
seconds:
  description: How long the script took.
  type: float
  returned: always
cause:
  description:
    - V(ok), or the word for what went wrong, as with M(listening.tentacle.tentacle_verify); also V(script_failed) and
      V(hash_mismatch).
  type: str
  returned: always
  sample: ok
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.listening.tentacle.plugins.module_utils._argspec_connection import (
    client_of,
    connection_arguments,
    failure,
)
from ansible_collections.listening.tentacle.plugins.module_utils._client.errors import ClientError
from ansible_collections.listening.tentacle.plugins.module_utils._deployment import Deployment, ScriptFailed
from ansible_collections.listening.tentacle.plugins.module_utils._reporter import Reporter, progress_path

ARGUMENTS: dict[str, Any] = {
    "src": {"type": "path", "required": True},
    "remote_src": {"type": "bool", "default": False},
    "dest": {"type": "str", "required": True},
    "force": {"type": "bool", "default": False},
    "script": {"type": "str"},
    "script_src": {"type": "path"},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "isolation": {"type": "str", "choices": ["full", "none"], "default": "full"},
    "mutex_name": {"type": "str", "default": "RunningScript"},
    "mutex_timeout": {"type": "int"},
    "script_timeout": {"type": "int"},
    "creates": {"type": "str"},
    "expected_rc": {"type": "list", "elements": "int", "default": [0]},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**connection_arguments(credentials=True), **ARGUMENTS},
        mutually_exclusive=[("script", "script_src")],
        supports_check_mode=True,
    )
    reporter = Reporter(progress_path(), lambda text: str(remove_values(text, module.no_log_values)))
    deployment = Deployment(module.params, reporter)
    try:
        deployment.read_source()
        with client_of(module.params) as client:
            deployment.compare(client)
            if deployment.changed and not module.check_mode:
                deployment.carry_out(client)
    except ScriptFailed as error:
        module.fail_json(msg=str(error), changed=True, **{**deployment.result(), "cause": "script_failed"})
    except ClientError as error:
        changed = deployment.touched
        module.fail_json(
            **{**deployment.result(), "changed": changed, **failure(error, "The deployment was not completed")}
        )
    facts: dict[str, Any] = deployment.result()
    if module._diff:
        facts["diff"] = deployment.diff()
    if deployment.skipped:
        facts.update(skipped=True, msg=deployment.skipped)
    module.exit_json(changed=deployment.changed, failed=False, **facts)  # said outright, or Ansible would judge by rc


if __name__ == "__main__":
    main()
