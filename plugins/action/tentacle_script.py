# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files of the controller for `tentacle_script`, and print the script's output while it runs."""

from __future__ import annotations

from typing import Any

from ansible_collections.listening.tentacle.plugins.plugin_utils._live_action import LiveAction
from ansible_collections.listening.tentacle.plugins.plugin_utils._task_files import deliver, read_text, with_host


class ActionModule(LiveAction):
    """Turn what lies on the controller into arguments, and run the module where the task runs."""

    MODULE = "listening.tentacle.tentacle_script"

    def _arguments(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        arguments = with_host(arguments, self, variables)
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
