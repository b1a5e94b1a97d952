# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What decides whether and how an agent can be run here: the system, the account of the module, its service manager.

This module util is **private** to the collection.
"""

from __future__ import annotations

import os
import platform
import pwd
from typing import Any, NamedTuple

from .. import _agent_python
from .._instance import unit
from .problem import Problem

INIT = "/sbin/init"
LINGERING = "/var/lib/systemd/linger"


class System(NamedTuple):
    """What was found.

    ``systemd``: it is the init that runs; ``boots_systemd``: it would be, if this root directory were booted.
    ``lingers``: the account has a service manager also when nobody is logged in as it.
    """

    name: str
    python: str
    systemd: bool
    boots_systemd: bool
    uid: int
    user: str
    home: str
    lingers: bool

    def service_manager(self, wanted: str, image: bool) -> str:
        """What runs an agent of this account: ``systemd``, ``user`` or ``standalone``; ``auto`` takes the best.

        An ``image`` may be prepared in a root directory that does not run.
        """
        if wanted != "auto":
            return wanted
        if self.uid == 0 and (self.systemd or (image and self.boots_systemd)):
            return "systemd"
        # Without lingering there is one, too, and the agent would end with it at the account's logout.
        return "user" if self.systemd and self.lingers else "standalone"

    def facts(self, manager: str) -> dict[str, Any]:
        """What modules return of it, with the service manager that was chosen."""
        return {
            "system": self.name,
            "python_version": self.python,
            "uid": self.uid,
            "user": self.user,
            "user_home": self.home,
            "lingers": self.lingers,
            "service_manager": manager,
            "libraries_package": _agent_python.package(),
        }


def look() -> System:
    """The host and the account that this runs on and as."""
    uid = os.geteuid()
    try:
        account = pwd.getpwuid(uid)
        name, home = account.pw_name, account.pw_dir
    except KeyError:  # an account of a directory that does not answer, or none at all
        name, home = str(uid), os.path.expanduser("~")
    return System(
        name=platform.system(),
        python=platform.python_version(),
        systemd=os.path.isdir(unit.RUNNING_MARK),
        boots_systemd=os.path.basename(os.path.realpath(INIT)) == "systemd",
        uid=uid,
        user=name,
        home=home,
        lingers=os.path.exists(os.path.join(LINGERING, name)),
    )


def check(system: System) -> list[Problem]:
    """Whether the agent runs on such a system at all, and the modules under such a Python."""
    numbers = tuple(int(number) for number in system.python.split(".")[:2])
    if system.name == "Linux" and numbers >= _agent_python.MINIMUM_PYTHON:
        return []
    return [
        Problem(
            "unsupported_platform",
            f"This host runs {system.name} with Python {system.python}, and the agent needs Linux, the tasks Python "
            "3.9 or newer. The interpreter that Ansible found is an old one beside a newer one, or the system is none "
            "that this collection supports. Name another one in 'ansible_python_interpreter', or use the original "
            "Tentacle on this host.",
        )
    ]
