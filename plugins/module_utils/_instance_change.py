# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Creating and changing an instance: its record, the keys of its configuration, its directories, and its unit.

This module util is **private** to the collection. Trust and identity are not touched, except that files which are
there get the group that may read them. ``read`` looks, ``plan`` computes what will be, ``apply`` makes it so.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import _directories
from ._choice import Choice
from ._directories import Entry
from ._instance import configuration, files, paths, proxy, records, unit
from ._instance.configuration import Configuration
from ._instance.errors import ConfigurationError
from ._instance_proxy import ProxyChange
from ._unit_file import SYSTEM, USER, UnitFile

#: The options that are keys of the configuration; one that is not given leaves the key as it is.
SETTINGS = (
    "home_directory",
    "application_directory",
    "port",
    "listen_address",
    "no_listen",
    "minimum_tls_version",
    "show_page",
    "reported_version",
    "idle_seconds",
    "drain_seconds",
    "adopt_scripts",
    "log_level",
    "public_hostname",
    "comms_port",
)
#: The options of the module beside those that choose the instance.
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "home_directory": {"type": "path", "aliases": ["home", "homedir"]},
    "application_directory": {"type": "path", "aliases": ["app", "appdir"]},
    "port": {"type": "int", "aliases": ["listen_port"]},
    "listen_address": {"type": "str", "aliases": ["listen_ip_address", "bind_address"]},
    "public_hostname": {"type": "str", "aliases": ["public_host_name", "announce_host"]},
    "comms_port": {"type": "int", "aliases": ["tentacle_comms_port", "announce_port"]},
    "no_listen": {"type": "bool"},
    "minimum_tls_version": {"type": "str", "choices": list(configuration.TLS_VERSIONS)},
    "show_page": {"type": "bool"},
    "reported_version": {"type": "str"},
    "idle_seconds": {"type": "int"},
    "drain_seconds": {"type": "int"},
    "adopt_scripts": {"type": "bool"},
    "log_level": {"type": "str", "choices": list(configuration.LOG_LEVELS)},
    "proxy_host": {"type": "str"},
    "proxy_port": {"type": "int"},
    "proxy_username": {"type": "str"},
    "proxy_password": {"type": "str", "no_log": True},
    "service_user": {"type": "str"},
    "service_group": {"type": "str"},
    "executable": {"type": "path"},
    "scripts_may_sudo": {"type": "bool", "default": False},
    "write_unit": {"type": "str", "choices": [SYSTEM, USER]},
    "remove_identity": {"type": "bool", "default": False},
    "remove_home": {"type": "bool", "default": False},
    "remove_applications": {"type": "bool", "default": False},
}
CONFIGURATION_MODE = 0o640
PRIVATE_DIRECTORY_MODE = 0o750
APPLICATION_DIRECTORY_MODE = 0o755


class State(NamedTuple):
    """An instance as it is, or as it will be; everything in it may be shown."""

    configuration: dict[str, Any] | None
    recorded: bool
    places: dict[str, Any]
    unit: str | None
    proxy_password: str

    def facts(self) -> dict[str, Any]:
        lines = None if self.unit is None else self.unit.splitlines()  # a difference is read line by line
        return dict(self._asdict(), unit=lines)


class InstanceChange:
    """What the options of a task want of one instance."""

    def __init__(self, choice: Choice, params: Mapping[str, Any]) -> None:
        self.choice = choice
        self.params = params
        self.existing = configuration.load(choice.path) if choice.exists else None
        self._proxy = ProxyChange(params)
        self.wanted = self._wanted()
        self.unit_file = self._unit_file()
        self._password_path = proxy.password_path(self.wanted.certificate_path)

    def read(self) -> State:
        """The instance as it is; changes nothing. Raises InstanceError for a configuration that is damaged."""
        document = self._document(self.existing) if self.existing else None
        places = {entry.path: _directories.show(entry.path) for entry in self._entries() + self._file_entries()}
        text = self.unit_file.read() if self.unit_file else None
        return State(document, self.choice.recorded, places, text, "as before")

    def plan(self) -> State:
        """The instance as ``apply`` will make it."""
        places = {entry.path: _directories.show_wanted(entry) for entry in self._entries() + self._file_entries()}
        password = "another" if self._proxy.password_differs(self._password_path) else "as before"
        return State(self._document(self.wanted), self.choice.name is not None, places, self._unit_text(), password)

    def apply(self) -> None:
        """Make it so. Directories come first, the record last, so that a record never names what is not there.

        Raises StorageError or ConfigurationError; for an account that does not exist, before anything was changed.
        """
        files.user_number(self.params["service_user"])
        files.group_number(self.params["service_group"])
        self.unit()
        text = self._unit_text()
        for entry in self._entries():
            _directories.settle(entry)
        group = self.params["service_group"]
        if self.existing is None:
            configuration.save(self.choice.path, self.wanted, group=group)
            files.adjust(self.choice.path, CONFIGURATION_MODE)
        elif self.wanted != self.existing:
            configuration.change(self.choice.path, self._changed)
        self._proxy.apply(self._password_path, group)
        if self.unit_file and text is not None and self.unit_file.read() != text:
            self.unit_file.write(text)
        for entry in self._file_entries():
            if os.path.exists(entry.path):
                files.adjust(entry.path, entry.mode, entry.owner, entry.group)
        if self.choice.name is not None and not self.choice.recorded:
            records.add_record(self.choice.name, self.choice.path, self.choice.environment)

    def restart_required(self) -> bool:
        """Whether a running agent has to be restarted to follow the change; most of it, it takes up by itself."""
        if self.existing is None:
            return False
        password = self._proxy.password_differs(self._password_path)
        return password or bool(configuration.restart_keys(self.existing, self.wanted))

    def unit(self) -> str:
        """The unit of the system's service manager. Raises ConfigurationError for what cannot stand in one."""
        user, group = self.params["service_user"] or _account_name(), self.params["service_group"]
        return unit.render(
            self.choice.path,
            self.choice.name,
            self.executable(),
            user,
            None if group == user else group,  # as the command line writes it for the account's own group
            scripts_may_sudo=self.params["scripts_may_sudo"],
            drain_seconds=self.wanted.drain_seconds,
            writable=(self.wanted.home_directory, self.wanted.application_directory),
        )

    def user_unit(self) -> str:
        """The unit of an account's own service manager."""
        return unit.render_for_user(
            self.choice.path, self.choice.name, self.executable(), drain_seconds=self.wanted.drain_seconds
        )

    def _unit_file(self) -> UnitFile | None:
        """The unit that the task writes; None when it writes none."""
        scope = self.params["write_unit"]
        if scope is None:
            return None
        if self.choice.name is None:
            raise ConfigurationError(
                "The unit cannot be written: 'config' names an instance that has no name, and units are called by "
                "names. Give it one in 'instance', or write 'unit' to a file of your own.",
                cause="invalid_input",
            )
        return UnitFile(scope, paths.unit_name(self.choice.name))

    def _unit_text(self) -> str | None:
        """What the unit's file will hold."""
        if self.unit_file is None:
            return None
        return self.user_unit() if self.params["write_unit"] == USER else self.unit()

    def executable(self) -> str:
        return self.params["executable"] or os.path.join(paths.programs_directory(), paths.PROGRAM)

    def _wanted(self) -> Configuration:
        base = self.existing
        if base is None:
            home = self.params["home_directory"]
            if home is None and self.choice.name is not None:
                home = paths.home_directory(self.choice.name, self.choice.environment)
            base = configuration.create(self.choice.path, self.choice.name, home, self.params["application_directory"])
        return self._changed(base)

    def _changed(self, base: Configuration) -> Configuration:
        given = {key: self.params[key] for key in SETTINGS if self.params[key] is not None}
        return configuration.with_values(base, proxy=self._proxy.applied_to(base.proxy), **given)

    def _document(self, value: Configuration) -> dict[str, Any]:
        return configuration.to_document(value, self.choice.directory)

    def _entries(self) -> list[Entry]:
        """The directories: the configuration's for root to write and the agent to read, the rest for the agent."""
        user, group = self.params["service_user"], self.params["service_group"]
        entries = [
            Entry(self.wanted.home_directory, PRIVATE_DIRECTORY_MODE, user, group),
            Entry(self.wanted.application_directory, None, user, group),
        ]
        if self.choice.directory == self.wanted.home_directory:
            return entries
        if self._has_own_directory() or not os.path.isdir(self.choice.directory):
            entries.insert(0, Entry(self.choice.directory, PRIVATE_DIRECTORY_MODE, None, group))
        return entries

    def _has_own_directory(self) -> bool:
        name, environment = self.choice.name, self.choice.environment
        return name is not None and self.choice.directory == paths.configuration_directory(name, environment)

    def _file_entries(self) -> list[Entry]:
        """The configuration and, where they are, identity and proxy password: read by the agent's group alone."""
        group = self.params["service_group"]
        entries = [Entry(self.choice.path, CONFIGURATION_MODE, None, group)]
        identity = self.wanted.certificate_path
        secrets = [path for path in (identity, self._password_path) if os.path.exists(path)]
        entries += [Entry(path, CONFIGURATION_MODE if group else None, None, group) for path in secrets]
        return [*entries, self.unit_file.entry] if self.unit_file else entries


def _account_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
