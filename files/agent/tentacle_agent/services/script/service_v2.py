# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""IScriptServiceV2: scripts under tickets of the client's choice (docs/protocol/tentacle-services.md §2.1, §2.2).

Starting is idempotent. One ticket runs one script, however often and however concurrently it is started, until it is
completed; the state file carries that promise over a restart of the agent. Asking and cancelling never wait for
starting: a start keeps a lock of its ticket while it waits for the script, and only other starts want that lock.
"""

from __future__ import annotations

import threading

from module_utils._halibut.contracts import (
    COMPLETE,
    PENDING,
    CancelScriptCommandV2,
    CompleteScriptCommandV2,
    ScriptStatusRequestV2,
    ScriptStatusResponseV2,
    ScriptTicket,
    StartScriptCommandV2,
)
from module_utils._instance.errors import InstanceError

from ...dispatch import Context, Method, ServiceError
from ...masking import Masker
from ...workspace import Workspace, WorkspaceStore, fold
from .output_log import OutputLog, read_file
from .preparation import Reception, discard_unused, fill, settings_of, told_to_the_peer, wait_of
from .running_script import (
    EXIT_UNKNOWN_RESULT,
    EXIT_UNKNOWN_SCRIPT,
    LaunchSettings,
    RunningScript,
    ScriptHost,
)
from .script_state import ScriptState, StateFile

_RESULT = "Octopus.Tentacle.Contracts.ScriptServiceV2.ScriptStatusResponseV2"
RUNNING_PAGE = 16 * 1024 * 1024
"""Bytes of log in one answer about a running script; the rest comes with the next. A Complete answer is never cut."""


class _Entry:
    """What this process of the agent knows about one ticket."""

    def __init__(self) -> None:
        self.starting = threading.Lock()  # held by one start until it has been answered
        self.changing = threading.Lock()  # held for moments, while workspace and script come and go
        self.script: RunningScript | None = None
        self.gone = False  # no longer in the table; whoever got hold of it before has to ask for another


class ScriptServiceV2:
    """The service; one object for the life of the agent."""

    NAME = "IScriptServiceV2"
    TYPE_NAME = "Octopus.Tentacle.Core.Services.Scripts.ScriptServiceV2"

    def __init__(self, store: WorkspaceStore, host: ScriptHost, masker: Masker) -> None:
        self._store = store
        self._host = host
        self._masker = masker
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        reception = Reception(store)
        self.METHODS = {
            "startscript": Method("StartScript", (StartScriptCommandV2,), self.start_script,
                                  reception.open_stream, reception.discard_stream, _RESULT),
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
            workspace = self._find(command.script_ticket)
            settings, wait = settings_of(command, workspace.ticket), wait_of(command)
            key = fold(workspace.ticket)
            while True:
                entry = self._entry(key)
                with entry.starting:
                    with entry.changing:
                        if entry.gone:
                            continue
                        script = self._ensure_started(entry, key, workspace, command, settings, context)
                    if script is not None and not wait:
                        return ScriptStatusResponseV2(command.script_ticket, (), 0, PENDING, 0)
                    if script is not None:
                        script.wait(wait)
                    return self._answer(command.script_ticket, 0)
        finally:
            discard_unused(context)

    def get_status(self, context: Context, request: ScriptStatusRequestV2 | None) -> ScriptStatusResponseV2:
        """The state of a script and its log behind the number asked for."""
        if request is None:
            raise ServiceError.null_reference()
        return self._answer(request.ticket, request.last_log_sequence)

    def cancel_script(self, context: Context, command: CancelScriptCommandV2 | None) -> ScriptStatusResponseV2:
        """Ask a script to end; answer with its state of this moment."""
        if command is None:
            raise ServiceError.null_reference()
        script = self._script(self._find(command.ticket))
        if script is not None:
            script.cancel()
        return self._answer(command.ticket, command.last_log_sequence)

    def complete_script(self, context: Context, command: CompleteScriptCommandV2 | None) -> None:
        """Forget a script and remove its workspace; a script that still runs is not ended by this."""
        if command is None:
            raise ServiceError.null_reference()
        workspace = self._find(command.ticket)
        key = fold(workspace.ticket)
        entry = self._entry(key)
        with entry.changing:
            if entry.gone:
                return
            if entry.script is not None:
                entry.script.disown()
            self._store.delete(workspace)
            self._drop(key, entry)

    def running(self) -> list[RunningScript]:
        """The scripts that are not complete."""
        with self._lock:
            scripts = [entry.script for entry in self._entries.values()]
        return [script for script in scripts if script is not None and script.status[0] != COMPLETE]

    def _find(self, ticket: ScriptTicket | None) -> Workspace:
        with told_to_the_peer("The ticket cannot be used"):
            return self._store.find(None if ticket is None else ticket.task_id)

    def _entry(self, key: str) -> _Entry:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry()
            return entry

    def _script(self, workspace: Workspace) -> RunningScript | None:
        with self._lock:
            entry = self._entries.get(fold(workspace.ticket))
        if entry is None:
            return None
        with entry.changing:
            return entry.script

    def _ensure_started(self, entry: _Entry, key: str, workspace: Workspace, command: StartScriptCommandV2,
                        settings: LaunchSettings, context: Context) -> RunningScript | None:
        """Start the ticket's script if this is its first start; None if it was not. The caller holds ``changing``."""
        if entry.script is not None:
            return None
        try:
            entry.script = self._launch(workspace, command, settings, context)
            return entry.script
        finally:
            if entry.script is None:
                self._drop(key, entry)

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
        log = OutputLog(workspace.log_path, self._masker)
        script = RunningScript(self._host, workspace, log, settings, (file, state))
        script.start()
        return script

    def _answer(self, ticket: ScriptTicket | None, after: int) -> ScriptStatusResponseV2:
        """The state first and the log then: a log read after the script was complete is complete as well."""
        workspace = self._find(ticket)
        while True:
            script = self._script(workspace)
            if script is not None:
                state, exit_code = script.status
                page = script.log.read(after, None if state == COMPLETE else RUNNING_PAGE)
                return ScriptStatusResponseV2(ticket, page.entries, page.next_sequence, state, exit_code)
            result = self._stored_result(workspace)
            if result is not None:
                page = read_file(workspace.log_path, after)
                return ScriptStatusResponseV2(ticket, page.entries, page.next_sequence, COMPLETE, result)

    def _stored_result(self, workspace: Workspace) -> int | None:
        """The result of a script that this process has not started; None if it was just started after all."""
        file = StateFile(workspace.state_path)
        state = file.load()
        if state is None:
            return EXIT_UNKNOWN_SCRIPT
        if state.state == COMPLETE:
            return state.exit_code or 0
        key = fold(workspace.ticket)
        entry = self._entry(key)
        with entry.changing:
            if entry.script is not None or entry.gone:
                return None
            try:
                file.save(state.complete(EXIT_UNKNOWN_RESULT, ran_to_completion=False))
            except InstanceError as error:
                raise ServiceError(str(error), "System.IO.IOException") from error
            finally:
                self._drop(key, entry)
        return EXIT_UNKNOWN_RESULT

    def _drop(self, key: str, entry: _Entry) -> None:
        """Forget an entry, holding its ``changing``; who waits for its locks sees that and begins anew."""
        entry.gone = True
        with self._lock:
            if self._entries.get(key) is entry:
                del self._entries[key]
