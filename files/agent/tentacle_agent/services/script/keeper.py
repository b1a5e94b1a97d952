# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Scripts that outlive the process of the agent that has started them, and are adopted by the next one.

For each such script the service manager keeps both ends of its output, the pipe that will tell its exit code, and a
descriptor that stands for its bash. What the script writes while there is no agent waits in the pipes, and the script
waits when they are full. The state file says what else there is to know (`script_state`).
"""

from __future__ import annotations

import hashlib
import os

from ...descriptor_store import DescriptorStore
from ...workspace import fold
from .child import Child

_PREFIX = "script-"
_ROLES = ("out", "err", "exit", "pid")


class Keeper:
    """Has the descriptors of scripts kept, by ticket."""

    def __init__(self, store: DescriptorStore) -> None:
        self._store = store

    def keep(self, ticket: str, child: Child) -> bool:
        """Have what a script needs kept; whether that could be asked for, else the next agent will not know it."""
        copies = child.descriptors()
        try:
            return bool(copies) and all(self._store.keep(_name(ticket, role), copies[role]) for role in _ROLES)
        finally:
            for descriptor in copies.values():
                os.close(descriptor)

    def take(self, ticket: str) -> dict[str, int]:
        """What was kept for a script, by its part, the caller's from now on; empty unless all of it is there."""
        names = {role: _name(ticket, role) for role in _ROLES}
        if not set(names.values()) <= set(self._store.names()):
            return {}
        taken = {role: self._store.take(name) for role, name in names.items()}
        return {role: descriptor for role, descriptor in taken.items() if descriptor is not None}

    def drop(self, ticket: str) -> None:
        """Nothing of the script is to be kept any more."""
        for role in _ROLES:
            self._store.drop(_name(ticket, role))

    def drop_rest(self) -> None:
        """Give up what was kept and nobody took."""
        for name in self._store.names():
            if name.startswith(_PREFIX):
                self._store.drop(name)


def _name(ticket: str, role: str) -> str:
    """A name for the service manager: short and plain, whatever the ticket is."""
    digest = hashlib.sha256(fold(ticket).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_PREFIX}{digest[:32]}-{role}"
