# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which script belongs to which ticket, in this process of the agent; one table for each version of the service.

A ticket has two locks. A start keeps one of them while it waits for its script, so that a second start waits for the
first; the other is held for moments, while workspace and script come and go. Asking and cancelling need no lock that
anybody waits under.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from module_utils._halibut.contracts import COMPLETE, ScriptTicket

from ...workspace import Workspace, WorkspaceStore, fold
from .preparation import told_to_the_peer
from .running_script import RunningScript


class Entry:
    """What is known about one ticket."""

    def __init__(self) -> None:
        self.starting = threading.Lock()  # held by one start until it has been answered
        self.changing = threading.Lock()  # held for moments, while workspace and script come and go
        self.script: RunningScript | None = None
        self.gone = False  # no longer in the table; whoever got hold of it before has to ask for another


class ScriptTable:
    """Scripts by ticket, compared without case. All methods may be called by any thread."""

    def __init__(self, store: WorkspaceStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}

    def workspace(self, ticket: ScriptTicket | None) -> Workspace:
        """The workspace of a ticket, existing or not. Raises ServiceError, which names the field."""
        with told_to_the_peer("The ticket cannot be used"):
            return self._store.find(None if ticket is None else ticket.task_id)

    def entry(self, ticket: str) -> Entry:
        """The ticket's entry, which is made if there is none; holding its ``changing``, look whether it is ``gone``."""
        with self._lock:
            return self._entries.setdefault(fold(ticket), Entry())

    def script(self, ticket: str) -> RunningScript | None:
        """The script that was started for the ticket, running or not; waits while it is being prepared."""
        with self._lock:
            entry = self._entries.get(fold(ticket))
        if entry is None:
            return None
        with entry.changing:
            return entry.script

    def drop(self, ticket: str, entry: Entry) -> None:
        """Forget an entry, holding its ``changing``; who waits for its locks sees that and begins anew."""
        entry.gone = True
        with self._lock:
            if self._entries.get(fold(ticket)) is entry:
                del self._entries[fold(ticket)]

    def remove(self, workspace: Workspace) -> None:
        """Forget a script and remove its workspace; a script that still runs is not ended by this."""
        entry = self.entry(workspace.ticket)
        with entry.changing:
            if not entry.gone:
                self._remove(workspace, entry)

    def remove_if(self, workspace: Workspace, wanted: Callable[[], bool]) -> bool:
        """Remove a workspace unless its script is not complete or ``wanted`` says no; True if it was removed.

        Whoever starts the ticket meanwhile waits, and then starts it in a new workspace.
        """
        entry = self.entry(workspace.ticket)
        with entry.changing:
            script = entry.script
            if entry.gone or (script is not None and script.status[0] != COMPLETE):
                return False
            if wanted():
                self._remove(workspace, entry)
                return True
            if script is None:
                self.drop(workspace.ticket, entry)
            return False

    def _remove(self, workspace: Workspace, entry: Entry) -> None:
        if entry.script is not None:
            entry.script.disown()
        self._store.delete(workspace)
        self.drop(workspace.ticket, entry)

    def running(self) -> list[RunningScript]:
        """The scripts that are not complete."""
        with self._lock:
            scripts = [entry.script for entry in self._entries.values()]
        return [script for script in scripts if script is not None and script.status[0] != COMPLETE]
