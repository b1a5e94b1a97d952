# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs the agent on the controller and sends it to targets that do not have it yet.

The module is asked first: it judges the agent's Python and says whether the bundle with this check sum is there.
So an unchanged host costs one module run and no transfer, and nothing is sent to a host that could not run it.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.listening.tentacle.plugins.plugin_utils import _bundle

MODULE = "listening.tentacle.tentacle_agent"


class ActionModule(ActionBase):
    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        del tmp
        if getattr(self._connection._shell, "_IS_WINDOWS", False):
            return result | _failure("unsupported_platform", _WINDOWS)
        try:
            return result | self._deliver(task_vars or {})
        except _bundle.BundleError as error:
            return result | _failure("bundle_incomplete", str(error))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _deliver(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(self._task.args)
        if arguments.get("bundle") or arguments.get("state") == "absent":
            return self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        bundle = _bundle.build()
        arguments.update(version=bundle.version, checksum=bundle.sha256)
        answer = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        if answer.pop("_bundle_needed", False) and not answer.get("failed"):
            arguments["bundle"] = self._send(bundle)
            answer = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        return answer

    def _send(self, bundle: _bundle.Bundle) -> str:
        """Put the bundle into the target's temporary directory, readable for the account the module runs as."""
        shell = self._connection._shell
        remote = shell.join_path(shell.tmpdir, "tentacle-agent.pyz")
        descriptor, local = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP, suffix=".pyz")
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(bundle.data)
            self._transfer_file(local, remote)
        finally:
            os.unlink(local)
        self._fixup_perms2((shell.tmpdir, remote))
        return str(remote)


_WINDOWS = (
    "Cannot install the agent: this target is managed through PowerShell, and the agent in this version runs on POSIX "
    "systems only. Use the original Tentacle on Windows; its certificate and trust can be checked with "
    "listening.tentacle.tentacle_verify all the same."
)


def _failure(cause: str, message: str) -> dict[str, Any]:
    return {"failed": True, "msg": message, "cause": cause}
