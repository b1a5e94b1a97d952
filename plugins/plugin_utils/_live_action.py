# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins of `tentacle_script`, `tentacle_deploy` and `tentacle_verify` have in common.

This module is **private** to the collection.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.listening.tentacle.plugins.plugin_utils import _progress


class LiveAction(ActionBase):
    """Turns what the controller knows into arguments, runs `MODULE` where the task runs, and prints its reports."""

    MODULE: str

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            arguments = self._arguments(dict(self._task.args), variables)
        except (AnsibleError, OSError, UnicodeError) as error:
            result.update(
                failed=True, cause="invalid_input", msg=f"A file to send cannot be read on the controller: {error}"
            )
            return result
        execute = _progress.execute if self._takes_long(arguments) else _progress.execute_silently
        result.update(execute(self, self.MODULE, arguments, variables))
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _arguments(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The module's arguments, made from the task's own copy. AnsibleError, OSError, UnicodeError for bad files."""
        raise NotImplementedError

    def _takes_long(self, arguments: dict[str, Any]) -> bool:
        """Whether anybody would wait for a report."""
        return True
