# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill in the host that a bare `tentacle_verify` means, and print how far the check of a fleet is."""

from __future__ import annotations

from typing import Any

from ansible_collections.listening.tentacle.plugins.plugin_utils._live_action import LiveAction
from ansible_collections.listening.tentacle.plugins.plugin_utils._task_files import with_host


class ActionModule(LiveAction):
    """Run the module where the task runs, against the host that the task is for, or against those that it lists."""

    MODULE = "listening.tentacle.tentacle_verify"

    def _arguments(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        if self._takes_long(arguments) or arguments.get("compare") is not None:
            return arguments
        return with_host(arguments, self, variables)

    def _takes_long(self, arguments: dict[str, Any]) -> bool:
        return arguments.get("endpoints") is not None
