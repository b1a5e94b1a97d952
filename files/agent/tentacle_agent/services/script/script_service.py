# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What both versions of the script service do alike: tell how a script is, and cancel it
(docs/protocol/tentacle-services.md §2.2, §2.6)."""

from __future__ import annotations

from typing import Any, ClassVar

from module_utils._halibut.contracts import (
    COMPLETE,
    CancelScriptCommand,
    CancelScriptCommandV2,
    ScriptStatusRequest,
    ScriptStatusRequestV2,
    ScriptTicket,
)

from ...dispatch import Context, ServiceError
from ...masking import Masker
from ...workspace import Workspace, WorkspaceStore
from .output_log import OutputLog, read_file
from .preparation import Reception
from .running_script import LaunchSettings, Recorded, RunningScript, ScriptHost
from .script_table import ScriptTable

RUNNING_PAGE = 16 * 1024 * 1024
"""Bytes of log in one answer about a running script; the rest comes with the next. A Complete answer is never cut."""


class ScriptService:
    """Base of both services; one object of each for the life of the agent."""

    RESPONSE: ClassVar[Any]

    def __init__(self, store: WorkspaceStore, host: ScriptHost, masker: Masker) -> None:
        self.table = ScriptTable(store)
        self._store = store
        self._host = host
        self._masker = masker
        self._reception = Reception(store)

    def get_status(self, context: Context, request: ScriptStatusRequest | ScriptStatusRequestV2 | None) -> Any:
        """The state of a script and its log behind the number asked for."""
        if request is None:
            raise ServiceError.null_reference()
        return self._answer(request.ticket, request.last_log_sequence)

    def cancel_script(self, context: Context, command: CancelScriptCommand | CancelScriptCommandV2 | None) -> Any:
        """Ask a script to end; answer with its state of this moment."""
        if command is None:
            raise ServiceError.null_reference()
        script = self.table.script(self.table.workspace(command.ticket).ticket)
        if script is not None:
            script.cancel()
        return self._answer(command.ticket, command.last_log_sequence)

    def _new_script(self, workspace: Workspace, settings: LaunchSettings, recorded: Recorded = None) -> RunningScript:
        """Start a prepared script in a thread of its own."""
        log = OutputLog(workspace.log_path, self._masker)
        script = RunningScript(self._host, workspace, log, settings, recorded)
        script.start()
        return script

    def _answer(self, ticket: ScriptTicket | None, after: int) -> Any:
        """The state first and the log then: a log read after the script was complete is complete as well."""
        workspace = self.table.workspace(ticket)
        while True:
            script = self.table.script(workspace.ticket)
            if script is not None:
                state, exit_code = script.status
                page = script.log.read(after, None if state == COMPLETE else RUNNING_PAGE)
                return self.RESPONSE(ticket, page.entries, page.next_sequence, state, exit_code)
            result = self._result_without_script(workspace)
            if result is not None:
                page = read_file(workspace.log_path, after)
                return self.RESPONSE(ticket, page.entries, page.next_sequence, COMPLETE, result)

    def _result_without_script(self, workspace: Workspace) -> int | None:
        """The exit code for a ticket that this process has not started; None if it was just started after all."""
        raise NotImplementedError
