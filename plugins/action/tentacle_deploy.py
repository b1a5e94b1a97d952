# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the controller's files for `tentacle_deploy`, and print progress while they are sent and deployed."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.listening.tentacle.plugins.plugin_utils import _progress
from ansible_collections.listening.tentacle.plugins.plugin_utils._task_files import (
    base_name,
    deliver,
    read_text,
    with_host,
)


class ActionModule(ActionBase):
    """Turn what lies on the controller into arguments, and run the module where the task runs."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            arguments = self._arguments(with_host(self._task.args, self, variables))
        except (AnsibleError, OSError, UnicodeError) as error:
            result.update(
                failed=True, cause="invalid_input", msg=f"A file to send cannot be read on the controller: {error}"
            )
            return result
        result.update(_progress.execute(self, "listening.tentacle.tentacle_deploy", arguments, variables))
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        source = arguments.get("src")
        if source and not boolean(arguments.get("remote_src", False), strict=False):
            arguments["src"] = deliver(self, source, base_name(source))
        if arguments.get("script_src") and not arguments.get("script"):
            arguments["script"] = read_text(self, arguments.pop("script_src"))
        return arguments
