# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Open files that systemd keeps for the agent from one process to the next (its file descriptor store).

A descriptor is handed over with a message to NOTIFY_SOCKET, under a name; the next process of the service inherits all
that were kept, and finds their names in LISTEN_FDNAMES. systemd keeps them over a restart of the service, however the
process ended, and gives them up when the service is stopped. It needs `FileDescriptorStoreMax=` in the unit.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping

from . import supervision

LOG = logging.getLogger("tentacle_agent.descriptor_store")
FIRST = 3  # by convention the number of the first inherited descriptor


class DescriptorStore:
    """What this process inherited, and the way to keep more. All methods may be called by any thread."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._inherited = inherited(environment)

    @property
    def available(self) -> bool:
        """Whether there is somebody who could keep descriptors."""
        return bool(self._address)

    def names(self) -> list[str]:
        """The names of what was inherited and not taken."""
        return list(self._inherited)

    def take(self, name: str) -> int | None:
        """The inherited descriptor of that name, which is the caller's from now on; None if there is none."""
        return self._inherited.pop(name, None)

    def keep(self, name: str, descriptor: int) -> bool:
        """Have a copy of a descriptor kept under a name of our own choice; whether that could be asked for.

        It is kept also when its other end is closed meanwhile: what was written before that is wanted.
        """
        return self._send(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", descriptor)

    def drop(self, name: str) -> None:
        """Have what is kept under a name closed, and close what was inherited under it."""
        descriptor = self.take(name)
        if descriptor is not None:
            os.close(descriptor)
        self._send(f"FDSTOREREMOVE=1\nFDNAME={name}")

    def _send(self, message: str, *descriptors: int) -> bool:
        if not self._address:
            return False
        try:
            supervision.send(self._address, message, *descriptors)
        except OSError as error:
            LOG.warning("The service manager could not be asked to keep or drop a descriptor: %s", error)
            return False
        return True


def inherited(environment: Mapping[str, str]) -> dict[str, int]:
    """The descriptors that the service manager gave this process, by name; of equal names the last one."""
    try:
        if int(environment["LISTEN_PID"]) != os.getpid():
            return {}
        count = int(environment["LISTEN_FDS"])
    except (KeyError, ValueError):
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found: dict[str, int] = {}
    for number, name in zip(range(FIRST, FIRST + count), names):
        with contextlib.suppress(OSError):
            os.set_inheritable(number, False)  # raises where there is no such descriptor
            if name in found:
                os.close(found[name])
            found[name] = number
    return found
