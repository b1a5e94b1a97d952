# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in a playbook run, as one JSON line an event, for demo/run.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: demo_events
type: notification
short_description: Writes plays, tasks and results as JSON lines for the demo
description:
  - Writes to standard output, one JSON object a line behind a record separator (U+001E), so that events keep their
    place among the lines that scripts print.
  - Only facts that the demo shows are written, never a whole result.
options: {}
"""

import json
import pathlib
import sys
from typing import Any

from ansible.plugins.callback import CallbackBase

_SHOWN = ("thumbprint", "tls_version", "cause", "msg", "rc")


class CallbackModule(CallbackBase):
    """Forwards events; whoever reads them judges."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "demo_events"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, event: str, **facts: Any) -> None:
        sys.stdout.write("\x1e" + json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._write("play", name=play.get_name())

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        path = pathlib.Path((task.get_path() or "").rpartition(":")[0])
        action = task.action.rpartition(".")[2]
        self._write("task", name=task.get_name(), action=action, file=path.stem, role=bool(task._role))

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def _result(self, event: str, result: Any, **more: Any) -> None:
        given = result.result if hasattr(result, "result") else result._result
        host = result.host if hasattr(result, "host") else result._host
        facts = {name: given[name] for name in _SHOWN if name in given}
        self._write(event, host=host.get_name(), changed=bool(given.get("changed")), facts=facts, **more)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._result("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._result("failed", result, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._result("failed", result, ignored=False)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._write("stats", hosts={host: stats.summarize(host) for host in sorted(stats.processed)})
