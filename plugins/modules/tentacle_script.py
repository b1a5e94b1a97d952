# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_script
short_description: Run a script through a listening Tentacle
author:
  - listening.tentacle contributors (@listening-tentacle)
description:
  - Runs a script on an agent's host as the Octopus Server does, over the Tentacle's own protocol. Needs neither SSH
    nor Python on that host, only the agent.
  - Prints the script's output on the controller while it runs.
  - If the connection is lost the same script is taken up again. It never runs twice.
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
  - listening.tentacle.connection
options:
  thumbprint:
    required: true
  client_cert:
    required: true
  script:
    description:
      - The script itself, for bash on Linux.
      - Exactly one of O(script) and O(src) must be given.
    type: str
    aliases: [body, script_body]
  src:
    description: Path of a file that holds the script, on the controller, looked for in C(files) as usual.
    type: path
  arguments:
    description:
      - Arguments of the script.
      - The agent joins them with spaces and splits them again as Windows does, so an argument with a space must hold
        its own double quotes.
    type: list
    elements: str
    default: []
  files:
    description: Files that are put beside the script, in its working directory, and removed with it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the file in the working directory.
        type: str
        required: true
      src:
        description:
          - Path of the file on the controller. Exactly one of O(files[].src) and O(files[].content) must be given.
        type: path
      content:
        description: What the file holds.
        type: str
      password:
        description:
          - Let the agent keep the file encrypted with this password, as Octopus does for sensitive variables.
          - O(files[].content) is then not shown in output and results either.
        type: str
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
      - A path or pattern on the agent's host. If it exists the script is not run.
      - A small script that runs through the same Tentacle looks for it, in check mode as well. Relative paths start
        at the agent's home directory.
    type: str
  removes:
    description: A path or pattern on the agent's host. If it does not exist the script is not run.
    type: str
  expected_rc:
    description: Exit codes that are a success.
    type: list
    elements: int
    default: [0]
attributes:
  check_mode:
    support: full
    details:
      - The script is not run. O(creates) and O(removes) are looked for, which runs a script that changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - With O(creates) or O(removes). A script that was run counts as a change, as with M(ansible.builtin.command).
  action:
    description: Runs partly on the controller, to read O(src) and to print the output while the script runs.
    support: full
notes:
  - Use C(no_log=true) on the task for scripts or output with secrets. Then nothing is printed while it runs either.
seealso:
  - module: listening.tentacle.tentacle_deploy
  - module: listening.tentacle.tentacle_verify
"""

EXAMPLES = r"""
- name: Run a script on every agent's host, from the controller
  listening.tentacle.tentacle_script:
    thumbprint: "{{ tentacle_thumbprint }}"
    client_cert: files/octopus-server.pem
    script: |
      uname -a
      df -h "$TentacleHome"
  delegate_to: localhost

- name: Install once, with a file beside the script
  listening.tentacle.tentacle_script:
    host: web01.example.com
    thumbprint: 8C:34:0E:11:AA:0B:5C:65:8A:3F:31:4A:FA:6B:8B:EE:15:22:01:7E
    client_cert: files/octopus-server.pem
    src: scripts/install.sh
    arguments: ["--prefix", "/srv/app"]
    files:
      - name: settings.json
        content: "{{ settings | to_json }}"
    creates: /srv/app/bin/app
    script_timeout: 600
"""

RETURN = r"""
rc:
  description:
    - Exit code of the script; V(null) if it was not run or is not known.
    - Codes from -41 down are the agent's own and mean that the script did not end by itself. The message says why.
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
  description:
    - The whole log in order, each line with source, text and occurred.
    - The source is V(stdout), V(stderr), V(verbose) for what the script or the agent marked so, V(wait) for news
      about waiting for other scripts, or V(debug) for the agent's own notes.
  type: list
  elements: dict
  returned: always
ticket:
  description: The name under which the agent knew the script.
  type: str
  returned: always
timed_out:
  description: Whether the script was cancelled after O(script_timeout).
  type: bool
  returned: always
seconds:
  description: How long it took.
  type: float
  returned: always
cause:
  description:
    - V(ok), or the word for what went wrong, as with M(listening.tentacle.tentacle_verify); V(script_failed) for a
      wrong exit code.
  type: str
  returned: always
  sample: ok
"""

import io
import os
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.listening.tentacle.plugins.module_utils import _agent_host
from ansible_collections.listening.tentacle.plugins.module_utils._argspec_connection import (
    client_of,
    connection_arguments,
    failure,
)
from ansible_collections.listening.tentacle.plugins.module_utils._client.client import Client
from ansible_collections.listening.tentacle.plugins.module_utils._client.errors import ClientError
from ansible_collections.listening.tentacle.plugins.module_utils._client.scripts import FileToSend, Script
from ansible_collections.listening.tentacle.plugins.module_utils._reporter import Reporter, progress_path
from ansible_collections.listening.tentacle.plugins.module_utils._script_output import Sorter, complaint

ARGUMENTS: dict[str, Any] = {
    "script": {"type": "str", "aliases": ["body", "script_body"]},
    "src": {"type": "path"},
    "arguments": {"type": "list", "elements": "str", "default": []},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "src": {"type": "path"},
            "content": {"type": "str", "no_log": False},
            "password": {"type": "str", "no_log": True},
        },
        "mutually_exclusive": [("src", "content")],
        "required_one_of": [("src", "content")],
    },
    "isolation": {"type": "str", "choices": ["full", "none"], "default": "full"},
    "mutex_name": {"type": "str", "default": "RunningScript"},
    "mutex_timeout": {"type": "int"},
    "script_timeout": {"type": "int"},
    "creates": {"type": "str"},
    "removes": {"type": "str"},
    "expected_rc": {"type": "list", "elements": "int", "default": [0]},
}


def script_of(parameters: dict[str, Any]) -> Script:
    """The script that the options describe; ClientError (invalid_input) for a file that cannot be read."""
    try:
        body = parameters["script"]
        if body is None:
            with open(parameters["src"], encoding="utf-8") as file:
                body = file.read()
        files = tuple(_file(entry) for entry in parameters["files"])
    except (OSError, UnicodeError) as error:
        raise ClientError("invalid_input", f"A file to send cannot be read: {error}.") from error
    return Script(
        body,
        tuple(parameters["arguments"]),
        files,
        isolated=parameters["isolation"] == "full",
        mutex_name=parameters["mutex_name"],
        mutex_timeout=parameters["mutex_timeout"],
    )


def _file(entry: dict[str, Any]) -> FileToSend:
    if entry["content"] is not None:
        data = entry["content"].encode("utf-8")
        return FileToSend(entry["name"], io.BytesIO(data), len(data), entry["password"])
    source = open(entry["src"], "rb")  # noqa: SIM115  read while the script is sent, closed with the process
    return FileToSend(entry["name"], source, os.fstat(source.fileno()).st_size, entry["password"])


def sensitive(files: Any) -> set[str]:
    """What files hold that are to be kept encrypted, also where the option is not what it should be."""
    entries = [entry for entry in files if isinstance(entry, dict)] if isinstance(files, list) else []
    return {str(entry["content"]) for entry in entries if entry.get("password") and entry.get("content")}


def skip_reason(client: Client, parameters: dict[str, Any]) -> str | None:
    """Why the script need not run; None if it must."""
    if parameters["creates"] and _agent_host.exists(client, parameters["creates"]):
        return f"Not run, because {parameters['creates']} exists on the agent's host."
    if parameters["removes"] and not _agent_host.exists(client, parameters["removes"]):
        return f"Not run, because {parameters['removes']} does not exist on the agent's host."
    return None


def work(module: AnsibleModule, client: Client, sorter: Sorter) -> None:
    """Run the script unless there is no need to; ends the module."""
    parameters = module.params
    script = script_of(parameters)
    reason = skip_reason(client, parameters)
    if reason:
        module.exit_json(changed=False, failed=False, skipped=True, msg=reason, cause="ok", **sorter.result(None))
    if module.check_mode:
        module.exit_json(
            changed=True, failed=False, msg="Would have run the script.", cause="ok", **sorter.result(None)
        )
    reporter = Reporter(progress_path(), lambda text: str(remove_values(text, module.no_log_values)))
    outcome = client.run_script(script, lambda line: reporter.line(sorter.take(line)), parameters["script_timeout"])
    reporter.close()
    facts = {"changed": True, "cause": "ok", **sorter.result(outcome)}
    wrong = complaint(outcome, parameters["expected_rc"], parameters["script_timeout"])
    if wrong:
        module.fail_json(msg=wrong, **{**facts, "cause": "script_failed"})
    module.exit_json(failed=False, **facts)  # said outright, or Ansible would judge by rc


class ScriptModule(AnsibleModule):
    """A module whose scripts and files, which are full of secrets, do not go to the system's log when it starts.

    Nor do files that are to be kept encrypted come back to the controller, even when an option is wrong.
    """

    def _log_invocation(self) -> None:
        """Log nothing; the constructor's no_log would be replaced by that of the task."""

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        """Fail, perhaps in the constructor, which has not judged the options yet."""
        self.no_log_values.update(sensitive(self.params.get("files")))
        super().fail_json(msg=msg, **kwargs)


def main() -> None:
    module = ScriptModule(
        argument_spec={**connection_arguments(credentials=True), **ARGUMENTS},
        mutually_exclusive=[("script", "src")],
        required_one_of=[("script", "src")],
        supports_check_mode=True,
    )
    module.no_log_values.update(sensitive(module.params["files"]))
    sorter = Sorter()
    try:
        with client_of(module.params) as client:
            work(module, client, sorter)
    except ClientError as error:
        module.fail_json(
            **{**sorter.result(None), "changed": bool(sorter.lines), **failure(error, "The script has no result")}
        )


if __name__ == "__main__":
    main()
