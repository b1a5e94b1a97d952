# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""IScriptService, for servers that know nothing newer (docs/protocol/tentacle-services.md §2.6).

The agent makes the tickets, every start runs the script, and nothing is remembered over a restart: a ticket that is
not known reads as done with exit code 0, with whatever its workspace has of a log. Scripts of both versions share the
isolation mutex and the directory of workspaces.
"""

from __future__ import annotations

import itertools
import threading
from datetime import datetime, timezone

from module_utils._halibut.contracts import (
    COMPLETE,
    CancelScriptCommand,
    CompleteScriptCommand,
    ScriptStatusRequest,
    ScriptStatusResponse,
    ScriptTicket,
    StartScriptCommand,
)

from ...dispatch import Context, Method, ServiceError
from ...masking import Masker
from ...workspace import Workspace, WorkspaceStore, fold
from .output_log import OutputLog, read_file
from .preparation import Reception, discard_unused, fill, settings_of, told_to_the_peer
from .running_script import RunningScript, ScriptHost
from .service_v2 import RUNNING_PAGE

_RESULT = "Octopus.Tentacle.Contracts.ScriptStatusResponse"
_TASK_PREFIX = "ServerTasks-"


class ScriptServiceV1:
    """The service; one object for the life of the agent."""

    NAME = "IScriptService"
    TYPE_NAME = "Octopus.Tentacle.Services.Scripts.ScriptService"

    def __init__(self, store: WorkspaceStore, host: ScriptHost, masker: Masker) -> None:
        self._store = store
        self._host = host
        self._masker = masker
        self._lock = threading.Lock()
        self._scripts: dict[str, RunningScript] = {}
        self._numbers = itertools.count(1)
        reception = Reception(store)
        self.METHODS = {
            "startscript": Method("StartScript", (StartScriptCommand,), self.start_script, reception.open_stream,
                                  reception.discard_stream, "Octopus.Tentacle.Contracts.ScriptTicket"),
            "getstatus": Method("GetStatus", (ScriptStatusRequest,), self.get_status, returns=_RESULT),
            "cancelscript": Method("CancelScript", (CancelScriptCommand,), self.cancel_script, returns=_RESULT),
            "completescript": Method("CompleteScript", (CompleteScriptCommand,), self.complete_script, returns=_RESULT),
        }

    def start_script(self, context: Context, command: StartScriptCommand | None) -> ScriptTicket:
        """Start a script under a new ticket; returns at once."""
        if command is None:
            raise ServiceError.null_reference()
        try:
            ticket = self._new_ticket(command.task_id)
            settings = settings_of(command, ticket)
            with told_to_the_peer("The script's workspace could not be prepared"):
                workspace = self._store.create(ticket)
            try:
                fill(workspace, command, context.streams)
            except ServiceError:
                self._store.delete(workspace)
                raise
            script = RunningScript(self._host, workspace, OutputLog(workspace.log_path, self._masker), settings)
            script.start()
            with self._lock:
                self._scripts[fold(ticket)] = script
            return ScriptTicket(ticket)
        finally:
            discard_unused(context)

    def get_status(self, context: Context, request: ScriptStatusRequest | None) -> ScriptStatusResponse:
        """The state of a script and its log behind the number asked for."""
        if request is None:
            raise ServiceError.null_reference()
        return self._answer(request.ticket, request.last_log_sequence)

    def cancel_script(self, context: Context, command: CancelScriptCommand | None) -> ScriptStatusResponse:
        """Ask a script to end; answer with its state of this moment."""
        if command is None:
            raise ServiceError.null_reference()
        script = self._script(self._find(command.ticket))
        if script is not None:
            script.cancel()
        return self._answer(command.ticket, command.last_log_sequence)

    def complete_script(self, context: Context, command: CompleteScriptCommand | None) -> ScriptStatusResponse:
        """Answer with the last state of a script, forget it and remove its workspace."""
        if command is None:
            raise ServiceError.null_reference()
        workspace = self._find(command.ticket)
        answer = self._answer(command.ticket, command.last_log_sequence)
        with self._lock:
            script = self._scripts.pop(fold(workspace.ticket), None)
        if script is not None:
            script.disown()
        self._store.delete(workspace)
        return answer

    def running(self) -> list[RunningScript]:
        """The scripts that are not complete."""
        with self._lock:
            scripts = list(self._scripts.values())
        return [script for script in scripts if script.status[0] != COMPLETE]

    def _new_ticket(self, task: str | None) -> str:
        moment = datetime.now(timezone.utc)
        return f"{moment:%Y%m%d%H%M%S}-{(task or '').replace(_TASK_PREFIX, '')}-{next(self._numbers)}"

    def _find(self, ticket: ScriptTicket | None) -> Workspace:
        with told_to_the_peer("The ticket cannot be used"):
            return self._store.find(None if ticket is None else ticket.task_id)

    def _script(self, workspace: Workspace) -> RunningScript | None:
        with self._lock:
            return self._scripts.get(fold(workspace.ticket))

    def _answer(self, ticket: ScriptTicket | None, after: int) -> ScriptStatusResponse:
        workspace = self._find(ticket)
        script = self._script(workspace)
        if script is None:
            page = read_file(workspace.log_path, after)
            return ScriptStatusResponse(ticket, page.entries, page.next_sequence, COMPLETE, 0)
        state, exit_code = script.status
        page = script.log.read(after, None if state == COMPLETE else RUNNING_PAGE)
        return ScriptStatusResponse(ticket, page.entries, page.next_sequence, state, exit_code)
