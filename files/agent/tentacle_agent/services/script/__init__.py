# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The script services: both versions, their workspaces and the mutex that they share."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from ...descriptor_store import DescriptorStore
from ...environment import for_scripts, inherited
from ...isolation import IsolationMutex
from ...masking import Masker
from ...workspace import WorkspaceStore
from .keeper import Keeper
from .running_script import RunningScript, ScriptHost, account_name
from .script_table import ScriptTable
from .service_v1 import ScriptServiceV1
from .service_v2 import ScriptServiceV2

_HAND_OVER_SECONDS = 15.0
"""Half of what a unit grants beyond the time for scripts; on a busy host one reader may need some of it."""
_LOG = logging.getLogger("tentacle_agent.script")


class ScriptServices:
    """Both services and what they share; made by `build_script_services`."""

    def __init__(self, store: WorkspaceStore, host: ScriptHost, masker: Masker) -> None:
        self.store = store
        self.v1 = ScriptServiceV1(store, host, masker)
        self.v2 = ScriptServiceV2(store, host, masker)

    def table_of(self, ticket: str) -> ScriptTable:
        """The table that knows the ticket's script; the newer version's for tickets that none knows."""
        return self.v2.table if self.v1.table.script(ticket) is None else self.v1.table

    def running(self) -> list[RunningScript]:
        """The scripts of both services that are not complete."""
        return self.v1.table.running() + self.v2.table.running()

    def stop(self, drain_seconds: float) -> int:
        """Wait for running scripts, at most so long; return how many are left to themselves.

        Those outlive the agent, and their tickets read -46 afterwards (docs/protocol/tentacle-services.md §2.12); those
        that are handed over to the agent's next process do not count. See to it first that no new ones are started.
        """
        limit = time.monotonic() + max(drain_seconds, 0.0)
        for script in self.running():
            script.wait(limit - time.monotonic())
        limit = time.monotonic() + _HAND_OVER_SECONDS
        left = [script for script in self.running() if not script.hand_over(limit - time.monotonic())]
        if left:
            names = ", ".join(script.workspace.ticket for script in left[:10])
            _LOG.warning("%d script(s) still run and are left to themselves: %s", len(left), names)
        return len(left)


def build_script_services(
    home: str, environment: Mapping[str, str], masked: Iterable[str] = (), descriptors: DescriptorStore | None = None,
    adopt: bool = False,
) -> ScriptServices:
    """The script services of an agent with this home directory.

    ``environment`` holds the variables of `environment.build`, which scripts find on top of the agent's own;
    ``masked`` the values that must not appear in logs. With ``adopt``, scripts are handed over to the next process of
    the agent, and those of the one before adopted, where ``descriptors`` can keep what that takes; without it, what is
    kept is given up. Removes what the process before had not finished receiving.
    """
    store = WorkspaceStore(home)
    store.remove_incoming()
    keeper = Keeper(descriptors) if descriptors is not None and descriptors.available else None
    if keeper is not None and not adopt:
        keeper.drop_rest()
        keeper = None
    host = ScriptHost(IsolationMutex(), for_scripts(inherited(), environment), account_name(), keeper)
    services = ScriptServices(store, host, Masker(masked))
    if keeper is not None:
        adopted = services.v2.adopt(keeper)
        if adopted:
            _LOG.info("%d script(s) of the agent's previous process go on", adopted)
    return services
