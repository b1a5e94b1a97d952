# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill in the host that a bare `tentacle_verify` means; everything else is the module's work."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.listening.tentacle.plugins.plugin_utils._task_files import with_host


class ActionModule(ActionBase):
    """Run the module where the task runs, against the host that the task is for."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        wrap = bool(self._task.async_val) and not self._connection.has_native_async
        result.update(
            self._execute_module(
                module_args=with_host(self._task.args, self, variables), task_vars=variables, wrap_async=wrap
            )
        )
        if not wrap:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result
