# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What every way of keeping an agent running has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from module_utils._instance import paths
from module_utils._instance.errors import InstanceError


class ServiceError(InstanceError):
    """A service could not be installed, started or stopped; the text says why and what to do next."""

    default_cause = "service_failed"


@dataclass(frozen=True)
class Service:
    """One instance as a service: what is run, where it lives, as whom."""

    instance: str | None
    configuration_path: str
    home_directory: str
    application_directory: str
    certificate_path: str
    command: tuple[str, ...]  # the beginning of a command line that runs this agent again
    drain_seconds: int = 30
    user: str | None = None
    depends_on: str | None = None
    scripts_may_sudo: bool = False

    @property
    def name(self) -> str:
        """What the service is called in messages."""
        return self.instance or paths.DEFAULT_INSTANCE

    @property
    def unit(self) -> str:
        """What its systemd unit is called."""
        return paths.unit_name(self.name)

    @property
    def run_command(self) -> tuple[str, ...]:
        """The whole command line of the agent."""
        return (*self.command, "run", f"--config={self.configuration_path}", "--noninteractive")


class Status(NamedTuple):
    """How a service is."""

    installed: bool
    running: bool
    pid: int | None
    survives_reboot: bool


class ServiceManager(Protocol):
    """One way of keeping agents running. Every method raises ServiceError when it fails."""

    name: str

    def why_not(self) -> str | None:
        """Why this way is not open here; None when it is."""

    def holds(self, service: Service) -> bool:
        """Whether the service is installed or running this way already."""

    def install(self, service: Service) -> None:
        """Make the service known, so that it starts with the machine where that is possible; again and again."""

    def uninstall(self, service: Service) -> None:
        """Stop the service and forget it; its configuration and home stay."""

    def start(self, service: Service) -> bool:
        """Start it and wait until it listens; False when it was running."""

    def stop(self, service: Service) -> bool:
        """Stop it, giving running scripts their time to end; False when it was not running."""

    def restart(self, service: Service) -> None:
        """Stop it if it runs, and start it."""

    def status(self, service: Service) -> Status:
        """How it is now."""
