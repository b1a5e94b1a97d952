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
import os
import time

from module_utils._halibut.contracts import (
    CancelScriptCommand,
    CompleteScriptCommand,
    ScriptStatusRequest,
    ScriptStatusResponse,
    ScriptTicket,
    StartScriptCommand,
)

from ...dispatch import Context, Method, ServiceError
from ...masking import Masker
from ...workspace import Workspace, WorkspaceStore
from .preparation import discard_unused, fill, settings_of, told_to_the_peer
from .running_script import ScriptHost
from .script_service import ScriptService

_RESULT = "Octopus.Tentacle.Contracts.ScriptStatusResponse"
_TASK_PREFIX = "ServerTasks-"


class ScriptServiceV1(ScriptService):
    """The service; one object for the life of the agent."""

    NAME = "IScriptService"
    TYPE_NAME = "Octopus.Tentacle.Services.Scripts.ScriptService"
    RESPONSE = ScriptStatusResponse

    def __init__(self, store: WorkspaceStore, host: ScriptHost, masker: Masker) -> None:
        super().__init__(store, host, masker)
        self._numbers = itertools.count(1)
        self.METHODS = {
            "startscript": Method(
                "StartScript", (StartScriptCommand,), self.start_script, self._reception.open_stream,
                self._reception.discard_stream, "Octopus.Tentacle.Contracts.ScriptTicket",
            ),
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
            entry = self.table.entry(ticket)
            with entry.changing:
                try:
                    with told_to_the_peer("The script's workspace could not be prepared"):
                        workspace = self._store.create(ticket)
                    try:
                        fill(workspace, command, context.streams)
                    except ServiceError:
                        self._store.delete(workspace)
                        raise
                    entry.script = self._new_script(workspace, settings)
                finally:
                    if entry.script is None:
                        self.table.drop(ticket, entry)
            return ScriptTicket(ticket)
        finally:
            discard_unused(context)

    def complete_script(self, context: Context, command: CompleteScriptCommand | None) -> ScriptStatusResponse:
        """Answer with the last state of a script, forget it and remove its workspace."""
        if command is None:
            raise ServiceError.null_reference()
        answer: ScriptStatusResponse = self._answer(command.ticket, command.last_log_sequence)
        self.table.remove(self.table.workspace(command.ticket))
        return answer

    def _new_ticket(self, task: str | None) -> str:
        """A ticket that nobody has: one that an earlier process made in this very second still has its workspace."""
        moment = time.strftime("%Y%m%d%H%M%S", time.gmtime())
        while True:
            ticket = f"{moment}-{(task or '').replace(_TASK_PREFIX, '')}-{next(self._numbers)}"
            with told_to_the_peer("The ticket cannot be made"):
                if not os.path.lexists(self._store.find(ticket).path):
                    return ticket

    def _result_without_script(self, workspace: Workspace) -> int:
        return 0
