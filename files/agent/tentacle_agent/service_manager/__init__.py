# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""How an agent is kept running: by systemd, by the user's systemd, or on its own; ``choose`` takes what fits."""

from __future__ import annotations

from collections.abc import Callable

from .base import Service, ServiceError, ServiceManager
from .standalone import Standalone
from .systemd import Systemd
from .systemd_user import SystemdUser

MANAGERS = ("auto", "systemd", "user", "standalone")


def choose(name: str, service: Service, say: Callable[[str], None]) -> ServiceManager:
    """The manager called ``name``; for "auto" the one that has the service already, else the best that works here.

    Raises ServiceError for one that does not work here, with the reason.
    """
    managers: list[ServiceManager] = [Systemd(say), SystemdUser(say), Standalone(say)]
    if name != "auto":
        chosen = next((manager for manager in managers if manager.name == name), None)
        if chosen is None:
            raise ServiceError(f"The manager '{name}' is not known. Use one of: {', '.join(MANAGERS)}.")
        reason = chosen.why_not()
        if reason:
            raise ServiceError(f"The manager '{name}' does not work here: {reason}")
        return chosen
    usable = [manager for manager in managers if not manager.why_not()]
    holding = [manager for manager in usable if manager.holds(service)]
    return (holding or usable)[0]
