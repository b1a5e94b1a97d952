# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One host as an agent would find it: all problems together, and the facts that they were judged by.

This module util is **private** to the collection.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from .. import _choice, _instance_facts
from .._instance import configuration, paths, trusted
from .._instance.configuration import Configuration
from .._instance.errors import InstanceError
from . import account, clock, confinement, identities, places, system
from .places import Place
from .problem import Problem, from_error

_SETTINGS = (
    "public_hostname",
    "comms_port",
    "idle_seconds",
    "drain_seconds",
    "home_directory",
    "application_directory",
)


class Host:
    """What the options of ``tentacle_preflight`` want of this host. Raises InstanceError for an impossible instance."""

    def __init__(self, params: Mapping[str, Any], now: float) -> None:
        self._params = params
        self._now = now
        self._system = system.look()
        self._manager = self._system.service_manager(params["service_manager"] or "auto", params["prepare_image"])
        self._choice = _choice.choose(params)
        self._instances = _instance_facts.of_choice(self._choice)
        self._settings_problems: list[Problem] = []
        self._wanted = self._settings()
        port = self._wanted.port if params["listen_port"] is not None else None
        asked = {"port": port, "listen_address": self._wanted.listen_address}
        self._port_holders = _instance_facts.port_holders(asked)
        self._places = self._needed_places()

    def problems(self) -> list[Problem]:
        """Everything that has to be repaired first, settings before the host's own."""
        params = self._params
        found = system.check(self._system) + self._settings_problems + list(self._bad_thumbprints())
        source = identities.Source(
            params["certificate_content"], params["certificate_pfx_path"], params["certificate_passphrase"]
        )
        present = self._wanted.certificate_path
        found += identities.check(source, present, params["prepare_image"], params["purge_identity"])
        found += self._taken_port()
        user = self._service_user()
        if user:
            wanted = (user, params["service_group"], params["manage_account"], params["account_home"])
            found += account.check(account.Wanted(*wanted))
        found += places.check(self._places, params["minimum_free_mb"], user)
        if params["controller_time"] is not None:
            found += clock.check(self._now, params["controller_time"], params["clock_tolerance"])
        return found

    def facts(self) -> dict[str, Any]:
        """What modules return beside the problems."""
        at_controller = self._params["controller_time"]
        return {
            "instances": self._instances,
            "port_holders": self._port_holders,
            "places": [place.facts() for place in self._places],
            "account": account.facts(self._service_user()),
            "clock_offset": None if at_controller is None else round(self._now - at_controller, 1),
            "notes": confinement.notes(self._programs()),
            "platform": self._system.facts(self._manager),
        }

    def _service_user(self) -> str | None:
        """Only the machine's own service manager can run the agent as somebody else than the account of the module."""
        if self._params["service_manager"] and self._manager != "systemd":
            return None
        return self._params["service_user"] or None

    def _settings(self) -> Configuration:
        """The configuration as it would become, as far as the options can stand in one."""
        choice = self._choice
        home = self._params["home_directory"] or self._home_of_its_own()
        wanted = configuration.create(choice.path, choice.name, home, self._params["application_directory"])
        if choice.exists:
            try:
                wanted = configuration.load(choice.path)
            except InstanceError as error:
                self._settings_problems.append(from_error(error))
        given = {"port": self._params["listen_port"], "listen_address": self._params["listen_address"]}
        given.update((key, self._params[key]) for key in _SETTINGS)
        for key, setting in given.items():
            if setting is not None:
                try:
                    wanted = configuration.with_values(wanted, **{key: setting})
                except InstanceError as error:
                    self._settings_problems.append(from_error(error))
        return wanted

    def _home_of_its_own(self) -> str | None:
        if self._choice.name is None:
            return None
        return paths.home_directory(self._choice.name, self._choice.environment)

    def _programs(self) -> str:
        return str(self._params["programs_directory"] or paths.programs_directory(self._choice.environment))

    def _needed_places(self) -> list[Place]:
        needed = [
            Place("programs_directory", self._programs(), runs=True),
            Place("configuration_home", self._choice.directory),
            Place("home_directory", self._wanted.home_directory),
        ]
        applications = self._wanted.application_directory
        if not applications.startswith(os.path.join(self._wanted.home_directory, "")):
            needed.append(Place("application_directory", applications))
        return needed

    def _bad_thumbprints(self) -> Iterator[Problem]:
        for number, text in enumerate(self._params["trusted_thumbprints"], 1):
            try:
                trusted.normalise_pin(text)
            except InstanceError as error:
                yield Problem(
                    error.cause,
                    f"Entry {number} of 'trusted_thumbprints' cannot be trusted: {error} A character was lost or "
                    "mistyped on the way, probably. Copy it from the server's Configuration > Thumbprint page again.",
                )

    def _taken_port(self) -> list[Problem]:
        process = self._instances[0]["process"] if self._instances else None
        own = process["pid"] if process else None
        foreign = [holder for holder in self._port_holders if holder["pid"] is None or holder["pid"] != own]
        if not foreign or self._wanted.port == 0:
            return []
        holder = foreign[0]
        command = holder["command"] or "a process that this account may not see"
        return [
            Problem(
                "port_taken",
                f"Port {self._wanted.port} of this host is taken: {command} (process {holder['pid'] or 'unknown'} of "
                f"{holder['user']}) listens on {holder['address']}. It may be the original Tentacle or another "
                "instance. Stop it, or give this agent another port in 'listen_port'.",
            )
        ]
