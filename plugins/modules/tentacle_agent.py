# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tentacle_agent
short_description: Install the Tentacle agent's software on a host
description:
  - Puts the agent of this collection on a host, from the collection's own files, without any download.
  - The agent is packed on the controller into one file, C(tentacle-agent.pyz), sent only where it is missing or
    different, unpacked and compiled into a directory of its own, and put into use by moving one link. The version
    before it is kept.
  - Nothing is started or restarted. Notify a handler of RV(ignore:changed), or use the role
    P(listening.tentacle.tentacle#role).
  - Before anything is sent, the Python that shall run the agent is asked for its version and libraries. When something
    is missing, the task fails and says with which command it is installed.
requirements:
  - On the target, Python 3.9 or newer with pyOpenSSL and cryptography for the agent, see O(agent_python). The Python
    that runs the module may be another one.
author:
  - listening.tentacle contributors (@listening-tentacle)
extends_documentation_fragment:
  - listening.tentacle.attributes
  - listening.tentacle.attributes.actiongroup_tentacle
attributes:
  check_mode:
    support: full
    details:
      - In check mode a missing library is a warning, because an earlier task of the same run may be the one that
        would install it.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  path:
    description:
      - The directory that holds the agent's programs.
      - The default is C(/opt/tentacle-agent) for root and C(~/.local/share/tentacle-agent/programs) for everybody
        else.
    type: path
    aliases: [programs_directory]
  agent_python:
    description:
      - The Python interpreter that runs the agent, for instance of a virtual environment that has pyOpenSSL.
      - The default is the first usable one of C(/usr/bin/python3), for which distributions package pyOpenSSL, and
        the Python that runs this module.
    type: path
  state:
    description:
      - V(present) installs this collection's version of the agent, whichever version was there.
      - V(absent) removes the programs. Instances, their identities and what they deployed stay.
    type: str
    choices: [present, absent]
    default: present
  bundle:
    description:
      - The path on the target of a C(tentacle-agent.pyz) that was brought there by other means.
      - The default is the one that is packed from this collection and sent, with its O(checksum) and O(version).
    type: path
  checksum:
    description:
      - The SHA-256 check sum that O(bundle) must have.
    type: str
  version:
    description:
      - The version of the bundle with O(checksum), to foresee what is installed before it was sent.
    type: str
seealso:
  - module: listening.tentacle.tentacle_instance
  - module: listening.tentacle.tentacle_verify
"""

EXAMPLES = r"""
- name: Install the agent
  listening.tentacle.tentacle_agent:
  become: true

- name: Install the agent and run it with an existing environment
  listening.tentacle.tentacle_agent:
    agent_python: /opt/python/bin/python3
  become: true
  register: agent

- name: Say which version is there now
  ansible.builtin.debug:
    msg: "{{ agent.executable }} is {{ agent.version }}, before it was {{ agent.previous_version }}"

- name: Install the agent into an image from a file that is there
  listening.tentacle.tentacle_agent:
    bundle: /mnt/media/tentacle-agent.pyz
    checksum: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  become: true

- name: Remove the programs
  listening.tentacle.tentacle_agent:
    state: absent
  become: true
"""

RETURN = r"""
path:
  description: The directory that holds the agent's programs.
  returned: always
  type: str
  sample: /opt/tentacle-agent
executable:
  description: The agent's command.
  returned: always
  type: str
  sample: /opt/tentacle-agent/tentacle-agent
directory:
  description:
    - Where the programs of this version are, without symbolic links on the way, as the command line of a running agent
      has it; null when the agent is not installed.
  returned: always
  type: str
  sample: /opt/tentacle-agent/0.1.0+9f86d081884c
version:
  description: The version in use after the task; null when the agent is not installed.
  returned: always
  type: str
  sample: 0.1.0
checksum:
  description: The SHA-256 check sum of the installed bundle; null when the agent is not installed.
  returned: always
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
previous_version:
  description: The version that is kept beside the one in use; null when there is none.
  returned: always
  type: str
  sample: 0.1.0
steps:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
  sample: [deliver, unpack, switch]
kept:
  description: Files in the programs' directory that do not belong to the agent, which is why the directory stays.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: []
python:
  description: The Python that runs the agent.
  returned: when O(state=present)
  type: dict
  contains:
    executable:
      description: The interpreter.
      type: str
      returned: always
      sample: /usr/bin/python3
    version:
      description: Its version; null when it did not answer.
      type: str
      returned: always
      sample: 3.11.2
    pyopenssl:
      description: The version of pyOpenSSL; null when it is missing.
      type: str
      returned: always
      sample: 23.0.0
    cryptography:
      description: The version of cryptography; null when it is missing.
      type: str
      returned: always
      sample: 38.0.4
    openssl:
      description: The OpenSSL that pyOpenSSL uses.
      type: str
      returned: always
      sample: OpenSSL 3.0.15 3 Sep 2024
    missing:
      description: What the agent needs and this Python lacks, as sentences.
      type: list
      elements: str
      returned: always
      sample: []
    remedy:
      description: What to do about it; null when nothing is missing.
      type: str
      returned: always
      sample: run 'apt-get install python3-openssl' on the target
cause:
  description: A stable word for the reason of a failure.
  returned: failure
  type: str
  sample: runtime_missing
"""

import contextlib
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.listening.tentacle.plugins.module_utils import _agent_python
from ansible_collections.listening.tentacle.plugins.module_utils._installation import (
    Bundle,
    Found,
    Installation,
    InstallationError,
)
from ansible_collections.listening.tentacle.plugins.module_utils._instance import paths
from ansible_collections.listening.tentacle.plugins.module_utils._instance.errors import InstanceError


class Software:
    """What the task wants, and the installation it wants it of."""

    def __init__(self, params: dict[str, Any], check_mode: bool, run: _agent_python.Run) -> None:
        self.params = params
        self.check_mode = check_mode
        if params["state"] == "absent":
            self.python = _agent_python.unasked(params["agent_python"])
        else:
            self.python = _agent_python.find(run, params["agent_python"])
        self.installation = Installation(params["path"] or paths.programs_directory(), self.python, run)

    def run(self) -> dict[str, Any]:
        """Compare, act unless in check mode, and return what is there afterwards."""
        if self.params["state"] == "absent":
            return self._remove()
        if self.python.missing and not self.check_mode:
            raise InstallationError(self.python.complaint(), "runtime_missing")
        before = self.installation.read()
        bundle = self._bundle()
        if bundle is None:
            wanted = (self.params["version"], self.params["checksum"])
            steps = self.installation.steps_for(*wanted)
            return self._result(before, self.installation.expect(*wanted), steps, _bundle_needed=not self.check_mode)
        steps = self.installation.plan(bundle)
        if self.check_mode:
            return self._result(before, self.installation.expect(bundle.version, bundle.checksum), steps)
        self.installation.apply(bundle, steps)
        return self._result(before, self.installation.read(), steps)

    def _bundle(self) -> Bundle | None:
        """The bundle that was sent, or the one that lies there already; None when it has to be sent."""
        path, checksum = self.params["bundle"], self.params["checksum"]
        if not path:
            if checksum is None:
                raise InstallationError(_NO_ACTION, "bundle_missing")
            return self.installation.delivered(checksum)
        with open(path, "rb") as handle:
            bundle = Bundle(handle.read())
        if checksum is not None and bundle.checksum != checksum.lower():
            raise InstallationError(_damaged(bundle.checksum, checksum), "bundle_invalid")
        return bundle

    def _remove(self) -> dict[str, Any]:
        before = self.installation.read()
        steps = [f"remove {name}" for name in self.installation.leftovers()]
        kept = []
        if not self.check_mode:
            kept = self.installation.remove()
        result = self._result(before, Found(None, None, None, None, None), steps, kept=kept)
        del result["python"]
        return result

    def _result(self, before: Found, after: Found, steps: list[str], **more: Any) -> dict[str, Any]:
        return {
            "changed": bool(steps),
            "path": self.installation.path,
            "executable": self.installation.executable,
            "directory": self.installation.real_directory(after),
            "version": after.version,
            "checksum": after.checksum,
            "previous_version": after.previous_version,
            "steps": steps,
            "python": self.python.facts(),
            "diff": {"before": before.facts(), "after": after.facts()},
            **more,
        }


_NO_ACTION = (
    "Cannot install the agent: the module was run without its action plugin, which packs the agent on the controller. "
    "Call it by its full name, listening.tentacle.tentacle_agent, from a play or the command line."
)


def _damaged(seen: str, expected: str) -> str:
    return (
        f"Cannot install the agent: the bundle has the check sum {seen[:12]}, expected {expected[:12]}. "
        "It was damaged or replaced on the way. Run the task again, and look at the target's disk if it happens again."
    )


def runner(module: AnsibleModule) -> _agent_python.Run:
    """Run commands as they are, and raise OSError where they cannot be run."""

    def run(words: list[str]) -> tuple[int, str, str]:
        status, said, complained = module.run_command(words, expand_user_and_vars=False, handle_exceptions=False)
        return status, said, complained

    return run


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "aliases": ["programs_directory"]},
            "agent_python": {"type": "path"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "bundle": {"type": "path"},
            "checksum": {"type": "str"},
            "version": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        software = Software(module.params, module.check_mode, runner(module))
        result = software.run()
        if module.params["state"] == "present" and software.python.missing:
            module.warn(software.python.complaint())
    except (InstallationError, InstanceError) as error:
        module.fail_json(msg=str(error), cause=error.cause)
    except OSError as error:
        module.fail_json(msg=_storage(error), cause="storage_failed")
    module.exit_json(**result)


def _storage(error: OSError) -> str:
    account = ""
    with contextlib.suppress(AttributeError):
        account = f" as user number {os.geteuid()}"
    return (
        f"Cannot change the agent's programs{account}: {error.filename or 'the directory'}: {error.strerror or error}. "
        "The account may not write there or the disk is full. Use 'become', or name another directory in 'path'."
    )


if __name__ == "__main__":
    main()
