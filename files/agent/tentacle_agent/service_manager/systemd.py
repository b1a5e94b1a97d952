# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A service of the machine: a unit of systemd, written by ``_instance/unit.py`` and driven by systemctl."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence

from module_utils._instance import files, identity, paths, proxy, unit
from module_utils._instance.errors import StorageError

from .base import Service, ServiceError, Status
from .readiness import START_SECONDS, LogWatch, last_lines

DEFAULT_ACCOUNT = "tentacle"
_CALL_SECONDS = 300

Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def run_program(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program without a shell and keep what it says. Raises ServiceError when it cannot be run."""
    try:
        return subprocess.run(
            list(arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_CALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"{arguments[0]} could not be run: {error}. It is part of systemd.") from error


class Systemd:
    """Units in the machine's own systemd; for root."""

    name = "systemd"
    control: tuple[str, ...] = ("systemctl",)

    def __init__(
        self,
        say: Callable[[str], None],
        run: Runner = run_program,
        unit_directory: str = unit.SYSTEM_DIRECTORY,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._say = say
        self._run = run
        self.unit_directory = unit_directory
        self._start_seconds = start_seconds

    def why_not(self) -> str | None:
        """It takes root and a running systemd."""
        if not os.path.isdir(unit.RUNNING_MARK):
            return "systemd does not run here."
        return None if paths.is_privileged() else "it needs root."

    def unit_path(self, service: Service) -> str:
        """Where the unit of a service lies."""
        return os.path.join(self.unit_directory, service.unit)

    def holds(self, service: Service) -> bool:
        """Whether there is a unit for the service."""
        return os.path.exists(self.unit_path(service))

    def render(self, service: Service) -> str:
        """The text of the unit. Raises ConfigurationError."""
        return unit.render(
            service.configuration_path,
            service.instance,
            service.command,
            _account(service),
            scripts_may_sudo=service.scripts_may_sudo,
            drain_seconds=service.drain_seconds,
            writable=(service.home_directory, service.application_directory),
            depends_on=service.depends_on,
        )

    def prepare(self, service: Service) -> None:
        """Let the account read configuration and key but not change them, and own its home (an account of its own)."""
        account = _account(service)
        if not os.path.exists(service.certificate_path):
            self._say("A new certificate is made, as none is there yet.")
            identity.save(service.certificate_path, identity.create())
        if account in ("root", "0"):
            return
        group = _group_of(account)
        directory = os.path.dirname(service.configuration_path)
        if os.path.commonpath([directory, paths.configuration_home()]) == paths.configuration_home():
            files.adjust(directory, 0o750, 0, group)
        password_path = proxy.password_path(service.certificate_path)
        for path in (service.configuration_path, service.certificate_path, password_path):
            if os.path.exists(path):
                files.adjust(path, 0o640, 0, group)
        for path in (service.home_directory, service.application_directory):
            files.make_directory(path, None, account, group)

    def install(self, service: Service) -> None:
        """Write the unit and enable it; a unit that is the same already is left alone."""
        text = self.render(service)
        self.prepare(service)
        files.make_directory(self.unit_directory)
        path = self.unit_path(service)
        present = files.read(path) if os.path.exists(path) else b""
        if present != text.encode("utf-8"):
            files.write_atomically(path, text.encode("utf-8"), 0o644)
            self.call("daemon-reload")
        self.call("enable", service.unit)

    def uninstall(self, service: Service) -> None:
        """Stop, disable and remove the unit."""
        if not self.holds(service):
            return
        self.call("disable", "--now", service.unit)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.unit_path(service))
        self.call("daemon-reload")

    def start(self, service: Service) -> bool:
        """Start the unit and wait until the agent listens."""
        self._require_unit(service)
        if self.status(service).running:
            return False
        self._start("start", service)
        return True

    def stop(self, service: Service) -> bool:
        """Stop the unit; systemd waits for the agent, which waits for running scripts."""
        self._require_unit(service)
        if self._facts(service).get("ActiveState") in ("inactive", "failed"):
            return False  # any other state is one of trying, which has to be stopped as well
        self.call("stop", service.unit)
        return True

    def restart(self, service: Service) -> None:
        """Restart the unit and wait until the agent listens."""
        self._require_unit(service)
        self._start("restart", service)

    def status(self, service: Service) -> Status:
        """What systemd says about the unit."""
        facts = self._facts(service)
        running = facts.get("ActiveState") in ("active", "reloading")
        pid = int(facts.get("MainPID") or 0)
        return Status(
            installed=self.holds(service),
            running=running,
            pid=pid if running and pid else None,
            survives_reboot=facts.get("UnitFileState") == "enabled" and self.starts_with_machine(),
        )

    def _facts(self, service: Service) -> dict[str, str]:
        shown = self._run([*self.control, "show", "--property=ActiveState,MainPID,UnitFileState", service.unit])
        return {name: value for name, _unused, value in (line.partition("=") for line in shown.stdout.splitlines())}

    def starts_with_machine(self) -> bool:
        """Whether enabled units are started when the machine starts."""
        return True

    def call(self, *arguments: str) -> str:
        """Run systemctl; its output. Raises ServiceError with what it said."""
        done = self._run([*self.control, *arguments])
        if done.returncode != 0:
            raise ServiceError(
                f"'{' '.join([*self.control, *arguments])}' failed with exit code {done.returncode}: "
                f"{done.stderr.strip() or 'it gave no reason'}"
            )
        return done.stdout

    def _start(self, verb: str, service: Service) -> None:
        """Type=notify lets systemctl wait; an older unit may have another type, so the log is asked as well."""
        watch = LogWatch(service.home_directory)
        done = self._run([*self.control, verb, service.unit])
        alive = done.returncode == 0
        if alive and watch.wait_until_listening(lambda: self.status(service).running, self._start_seconds):
            return
        said = self._run([*self.journal, service.unit, "--output=cat"]).stdout or done.stderr
        raise ServiceError(
            f"The unit {service.unit} does not get as far as listening; systemd goes on trying. Repair what it says, "
            f"or end it with service --stop. More: {' '.join(self.journal)} {service.unit}"
            f"{last_lines(said.encode()) or watch.last_lines()}"
        )

    @property
    def journal(self) -> tuple[str, ...]:
        """The command that shows what a unit of this manager said."""
        return ("journalctl", "-n", "10", "-u")

    def _require_unit(self, service: Service) -> None:
        if not self.holds(service):
            raise ServiceError(
                f"There is no unit {service.unit} in {self.unit_directory}. "
                "Install the service first: service --install."
            )


def _account(service: Service) -> str:
    """Who the agent runs as. Raises ServiceError when nobody was named and there is no account made for it."""
    if service.user:
        return service.user
    with contextlib.suppress(StorageError):
        files.user_number(DEFAULT_ACCOUNT)
        return DEFAULT_ACCOUNT
    raise ServiceError(
        f"The agent runs as an account of its own, and there is no user '{DEFAULT_ACCOUNT}'. Create it "
        f"(useradd --system --user-group --shell /bin/bash --home-dir {service.home_directory} {DEFAULT_ACCOUNT}), "
        "or name another one with --username (root is possible, and lets every script do everything).",
        cause="account_missing",
    )


def _group_of(account: str) -> int:
    import pwd

    number = files.user_number(account)
    return pwd.getpwuid(number).pw_gid
