# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the controller's files for `tentacle_deploy`, and print progress while they are sent and deployed."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.listening.tentacle.plugins.plugin_utils._live_action import LiveAction
from ansible_collections.listening.tentacle.plugins.plugin_utils._task_files import (
    base_name,
    deliver,
    read_text,
    with_host,
)


class ActionModule(LiveAction):
    """Turn what lies on the controller into arguments, and run the module where the task runs."""

    MODULE = "listening.tentacle.tentacle_deploy"

    def _arguments(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        arguments = with_host(arguments, self, variables)
        source = arguments.get("src")
        if source and not boolean(arguments.get("remote_src", False), strict=False):
            arguments["src"] = deliver(self, source, base_name(source))
        if arguments.get("script_src") and not arguments.get("script"):
            arguments["script"] = read_text(self, arguments.pop("script_src"))
        return arguments
