# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files of the controller for `tentacle_script`, and print the script's output while it runs."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.listening.tentacle.plugins.plugin_utils import _progress
from ansible_collections.listening.tentacle.plugins.plugin_utils._task_files import deliver, read_text, with_host


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
        result.update(_progress.execute(self, "listening.tentacle.tentacle_script", arguments, variables))
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        source = arguments.get("src")
        if source and not any(arguments.get(name) for name in ("script", "body", "script_body")):
            arguments["script"] = read_text(self, source)
            del arguments["src"]
        files = arguments.get("files")
        if isinstance(files, list):
            arguments["files"] = [self._file(entry, number) for number, entry in enumerate(files)]
        return arguments

    def _file(self, entry: Any, number: int) -> Any:
        if isinstance(entry, dict) and entry.get("src"):
            return {**entry, "src": deliver(self, entry["src"], f"file-{number}")}
        return entry
