# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Removes workspaces that nobody completes (docs/protocol/tentacle-services.md §7.1).

A client that dies before it completes its script leaves a workspace behind. After a day without a new line in its log
it goes, unless its script still runs or waits. Directories that are no workspaces are never touched. The original's
two environment variables change the times; they hold spans like `02:00:00` or `1.00:00:00`.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Mapping

from module_utils._halibut.timespan import TimeSpan

from ...workspace import Workspace
from . import ScriptServices

LOG = logging.getLogger("tentacle_agent.script")

PAUSE = "TENTACLE_WORKSPACE_CLEANER_DELAY"
AGE = "TENTACLE_WORKSPACE_CLEANER_DELETE_OLDER_THAN"
DEFAULTS = {PAUSE: 2 * 3600.0, AGE: 24 * 3600.0}


class WorkspaceCleaner:
    """Sweeps now and then, in a thread that lives only as long as the sweep. Call `look` every few seconds."""

    def __init__(self, services: ScriptServices, environment: Mapping[str, str]) -> None:
        self._services = services
        self._pause = seconds_of(PAUSE, environment)
        self._age = seconds_of(AGE, environment)
        self._due: float | None = None
        self._sweeper: threading.Thread | None = None

    def look(self, now: float) -> None:
        """Start a sweep if it is time: at the first call, and then so many seconds (monotonic) after the last start."""
        if (self._due is not None and now < self._due) or (self._sweeper is not None and self._sweeper.is_alive()):
            return
        self._due = now + self._pause
        self._sweeper = threading.Thread(target=self._sweep_and_tell, name="workspace cleaner", daemon=True)
        self._sweeper.start()

    def sweep(self) -> int:
        """Remove every old workspace without a living script; return how many went. Failures are told in the log."""
        removed = 0
        for workspace in self._services.store.existing():
            if not self._is_old(workspace):
                continue
            try:
                table = self._services.table_of(workspace.ticket)
                if not table.remove_if(workspace, functools.partial(self._is_old, workspace)):
                    continue
                if os.path.lexists(workspace.path):
                    LOG.warning("The workspace %s could not be removed whole. Usual cause: a script left files there "
                                "that belong to another account; remove them by hand.", workspace.path)
                else:
                    removed += 1
            except OSError as error:
                LOG.warning("The workspace %s could not be removed: %s", workspace.path, error)
        return removed

    def _is_old(self, workspace: Workspace) -> bool:
        written = workspace.last_written()
        return written is not None and time.time() - written > self._age

    def _sweep_and_tell(self) -> None:
        try:
            removed = self.sweep()
        except Exception:
            LOG.exception("The workspaces could not be cleaned")
            return
        if removed:
            LOG.info("Deleted %d workspace%s.", removed, "" if removed == 1 else "s")


def seconds_of(name: str, environment: Mapping[str, str]) -> float:
    """The span that an environment variable names; the default where it has none, or none that can be used."""
    text = environment.get(name)
    if text is None:
        return DEFAULTS[name]
    try:
        seconds = TimeSpan.parse(text).total_seconds
        if seconds <= 0:
            raise ValueError("a span has to be positive")
        return seconds
    except ValueError:
        LOG.warning("The environment variable %s is %r, which is no positive time span such as 02:00:00; "
                    "the default of %.0f hours holds.", name, text[:40], DEFAULTS[name] / 3600)
        return DEFAULTS[name]
