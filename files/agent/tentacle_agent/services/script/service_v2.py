# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""IScriptServiceV2: scripts under tickets of the client's choice (docs/protocol/tentacle-services.md §2.1, §2.2).

Starting is idempotent. One ticket runs one script, however often and however concurrently it is started, until it is
completed; the state file carries that promise over a restart of the agent. Asking and cancelling never wait for
starting: a start keeps a lock of its ticket while it waits for the script, and only other starts want that lock.
"""

from __future__ import annotations

import logging

from module_utils._halibut.contracts import (
    COMPLETE,
    PENDING,
    RUNNING,
    CancelScriptCommandV2,
    CompleteScriptCommandV2,
    ScriptStatusRequestV2,
    ScriptStatusResponseV2,
    StartScriptCommandV2,
)
from module_utils._instance.errors import InstanceError

from ...dispatch import Context, Method, ServiceError
from ...masking import Masker
from ...workspace import Workspace, WorkspaceStore
from .child import AdoptedChild
from .keeper import Keeper
from .output_log import OutputLog
from .preparation import discard_unused, fill, settings_of, told_to_the_peer, wait_of
from .running_script import EXIT_UNKNOWN_RESULT, EXIT_UNKNOWN_SCRIPT, LaunchSettings, RunningScript, ScriptHost
from .script_service import ScriptService
from .script_state import ScriptState, StateFile
from .script_table import Entry

_LOG = logging.getLogger("tentacle_agent.script")

_RESULT = "Octopus.Tentacle.Contracts.ScriptServiceV2.ScriptStatusResponseV2"


class ScriptServiceV2(ScriptService):
    """The service; one object for the life of the agent."""

    NAME = "IScriptServiceV2"
    TYPE_NAME = "Octopus.Tentacle.Core.Services.Scripts.ScriptServiceV2"
    RESPONSE = ScriptStatusResponseV2

    def __init__(self, store: WorkspaceStore, host: ScriptHost, masker: Masker) -> None:
        super().__init__(store, host, masker)
        self.METHODS = {
            "startscript": Method("StartScript", (StartScriptCommandV2,), self.start_script,
                                  self._reception.open_stream, self._reception.discard_stream, _RESULT),
            "getstatus": Method("GetStatus", (ScriptStatusRequestV2,), self.get_status, returns=_RESULT),
            "cancelscript": Method("CancelScript", (CancelScriptCommandV2,), self.cancel_script, returns=_RESULT),
            "completescript": Method("CompleteScript", (CompleteScriptCommandV2,), self.complete_script),
        }

    def start_script(self, context: Context, command: StartScriptCommandV2 | None) -> ScriptStatusResponseV2:
        """Start the script unless its ticket was started before; answer with its whole log so far.

        Who does not wait is told how the script was when it was started, however quick its thread may be.
        """
        if command is None:
            raise ServiceError.null_reference()
        try:
            workspace = self.table.workspace(command.script_ticket)
            settings, wait = settings_of(command, workspace.ticket), wait_of(command)
            while True:
                entry = self.table.entry(workspace.ticket)
                with entry.starting:
                    with entry.changing:
                        if entry.gone:
                            continue
                        script = self._ensure_started(entry, workspace, command, settings, context)
                    if script is not None and not wait:
                        return ScriptStatusResponseV2(command.script_ticket, (), 0, PENDING, 0)
                    if script is not None:
                        script.wait(wait)
                    answer: ScriptStatusResponseV2 = self._answer(command.script_ticket, 0)
                    return answer
        finally:
            discard_unused(context)

    def complete_script(self, context: Context, command: CompleteScriptCommandV2 | None) -> None:
        """Forget a script and remove its workspace; a script that still runs is not ended by this."""
        if command is None:
            raise ServiceError.null_reference()
        self.table.remove(self.table.workspace(command.ticket))

    def _ensure_started(self, entry: Entry, workspace: Workspace, command: StartScriptCommandV2,
                        settings: LaunchSettings, context: Context) -> RunningScript | None:
        """Start the ticket's script if this is its first start; None if it was not. The caller holds ``changing``."""
        if entry.script is not None:
            return None
        try:
            entry.script = self._launch(workspace, command, settings, context)
            return entry.script
        finally:
            if entry.script is None:
                self.table.drop(workspace.ticket, entry)

    def _launch(self, workspace: Workspace, command: StartScriptCommandV2, settings: LaunchSettings,
                context: Context) -> RunningScript | None:
        file = StateFile(workspace.state_path)
        state = file.load()
        if state is not None and not state.can_be_launched:
            if not state.was_waiting:
                return None
            self._store.delete(workspace)
            state = None
        if state is None:
            with told_to_the_peer(f"The workspace {workspace.path} could not be prepared"):
                workspace = self._store.create(workspace.ticket)
                fill(workspace, command, context.streams)
                state = ScriptState.pending(settings.to_document())
                file.create(state)
        elif state.launch is not None:
            settings = LaunchSettings.from_document(state.launch)
        return self._new_script(workspace, settings, (file, state))

    def adopt(self, keeper: Keeper) -> int:
        """Go on with the scripts of the process before this one; how many. Call this before anything else."""
        adopted = 0
        for workspace in self._store.existing():
            descriptors = keeper.take(workspace.ticket)
            if not descriptors:
                continue
            child = AdoptedChild(descriptors)
            file = StateFile(workspace.state_path)
            state = file.load()
            try:
                if state is None or state.state != RUNNING or state.launch is None:
                    raise ValueError("its state file does not say that it runs")
                settings, rests = LaunchSettings.from_document(state.launch), state.rests
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                _LOG.warning("Script %s is not adopted: %s", workspace.ticket, error)
                child.close()
                keeper.drop(workspace.ticket)
                continue
            log = OutputLog(workspace.log_path, self._masker)
            script = RunningScript(self._host, workspace, log, settings, (file, state))
            self.table.entry(workspace.ticket).script = script
            script.adopt(child, rests)
            adopted += 1
        keeper.drop_rest()
        return adopted

    def _result_without_script(self, workspace: Workspace) -> int | None:
        """The stored result; a script of which nobody will hear any more is recorded as such."""
        file = StateFile(workspace.state_path)
        state = file.load()
        if state is None:
            return EXIT_UNKNOWN_SCRIPT
        if state.state == COMPLETE:
            return state.exit_code or 0
        entry = self.table.entry(workspace.ticket)
        with entry.changing:
            if entry.script is not None or entry.gone:
                return None
            try:
                file.save(state.complete(EXIT_UNKNOWN_RESULT, ran_to_completion=False))
            except InstanceError as error:
                # What ran never runs again, whether that can be written or not; what waits would, after -46 was told.
                if state.was_waiting:
                    raise ServiceError(str(error), "System.IO.IOException") from error
            finally:
                self.table.drop(workspace.ticket, entry)
        return EXIT_UNKNOWN_RESULT
