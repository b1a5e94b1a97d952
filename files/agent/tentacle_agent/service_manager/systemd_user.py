# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A service of one user: a unit of ``systemd --user``; without root.

It starts with the machine only when the user lingers; otherwise it lives from the first login to the last logout.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from module_utils._instance import paths, unit

from .base import Service
from .readiness import START_SECONDS
from .systemd import Runner, Systemd, run_program

RUNTIME_DIRECTORIES = "/run/user"


class SystemdUser(Systemd):
    """Units in the calling user's systemd."""

    name = "user"
    control = ("systemctl", "--user")

    def __init__(
        self,
        say: Callable[[str], None],
        run: Runner = run_program,
        unit_directory: str | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        super().__init__(say, run, unit_directory or unit.user_directory(), start_seconds)

    def why_not(self) -> str | None:
        """It takes a user manager that answers; root has the machine's own instead."""
        if paths.is_privileged():
            return "root has the machine's own systemd."
        if not _find_runtime_directory():
            return "this user has no user manager (XDG_RUNTIME_DIR is not set, and there is none in the usual place)."
        try:
            done = self._run([*self.control, "show-environment"])
        except Exception as error:
            return str(error)
        return None if done.returncode == 0 else f"the user manager does not answer: {done.stderr.strip()}"

    def render(self, service: Service) -> str:
        """The text of the unit: without account and sandbox, which a user manager cannot set up."""
        return unit.render_for_user(
            service.configuration_path, service.instance, service.command, drain_seconds=service.drain_seconds
        )

    def prepare(self, service: Service) -> None:
        """Everything belongs to the user already."""

    def install(self, service: Service) -> None:
        """Write and enable the unit, and say what is missing for a start with the machine."""
        super().install(service)
        if not self.starts_with_machine():
            self._say(
                "It starts at the next login only and ends at the last logout. For a start with the machine, root "
                f"(or polkit) has to allow it: loginctl enable-linger {_user_name()}"
            )

    def starts_with_machine(self) -> bool:
        """Whether this user's manager is started without a login."""
        done = self._run(["loginctl", "show-user", _user_name(), "--property=Linger"])
        return done.returncode == 0 and done.stdout.strip() == "Linger=yes"

    @property
    def journal(self) -> tuple[str, ...]:
        """The command that shows what a unit of this manager said."""
        return ("journalctl", "--user", "-n", "10", "-u")


def _find_runtime_directory() -> bool:
    """Whether the user's runtime directory is known; one that only sudo or a playbook did not name is taken over."""
    usual = os.path.join(RUNTIME_DIRECTORIES, str(os.getuid()))
    if not os.environ.get("XDG_RUNTIME_DIR") and os.path.isdir(usual):
        os.environ["XDG_RUNTIME_DIR"] = usual
    return bool(os.environ.get("XDG_RUNTIME_DIR"))


def _user_name() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name
