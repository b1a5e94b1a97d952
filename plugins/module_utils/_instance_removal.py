# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Removing an instance: what belongs to it, what of that goes, and what stays unless it is asked for.

This module util is **private** to the collection. Three things are kept by default, because nothing brings them back:
the identity, the home directory, and applications that deployments put there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Any, NamedTuple

from ._choice import Choice
from ._instance import configuration, paths, proxy, records
from ._instance.errors import ConfigurationError, StorageError

#: What an agent and the servers that use it put below a home (docs/protocol/tentacle-services.md §5.5).
HOME_CONTENT = (
    "Work",
    "Logs",
    "Files",
    "Tools",
    "livez.heartbeat",
    "DeploymentJournal.xml",
    "PackageRetentionJournal.json",
    "agent.pid",
)


class Removal(NamedTuple):
    """Everything of an instance that is there and goes, in the order of removal, and what stays."""

    recorded: bool
    paths: list[str]
    kept: list[str]
    directories: list[str]

    def facts(self) -> dict[str, Any]:
        return {"recorded": self.recorded, "paths": self.paths}


class InstanceRemoval:
    """The removal of one instance, with the home and the identity only where that was asked for."""

    def __init__(
        self, choice: Choice, *, identity: bool = False, home: bool = False, applications: bool = False
    ) -> None:
        self.choice = choice
        self._with_identity = identity
        self._with_home = home
        self._with_applications = applications

    def plan(self) -> Removal:
        """Look what is there. Changes nothing."""
        home, applications, identity = self._places()
        keeping = [] if self._with_identity else [identity]
        if not self._with_home:
            keeping.append(home)
        elif _is_filled(applications) and not self._with_applications:
            keeping.append(applications)
        kept = [path for path in keeping if os.path.lexists(path)]
        inside = [os.path.join(home, name) for name in self._home_names(home)] if self._with_home else []
        inside += [applications] if self._with_home else []
        going = [self.choice.path, proxy.password_path(identity), identity, *inside]
        gone = [path for path in dict.fromkeys(going) if os.path.lexists(path) and not _holds(path, keeping)]
        return Removal(self._is_recorded(), gone, sorted(kept), self._directories(home))

    def apply(self, removal: Removal) -> None:
        """Remove it, the record first: an instance that is half removed is no instance. Raises StorageError."""
        if removal.recorded and self.choice.name is not None:
            records.delete_record(self.choice.name, self.choice.environment)
        for path in removal.paths:
            _remove(path)
        for directory in removal.directories:
            with contextlib.suppress(OSError):
                os.rmdir(directory)

    def _is_recorded(self) -> bool:
        name, environment = self.choice.name, self.choice.environment
        return name is not None and records.find_record(name, environment) is not None

    def _directories(self, home: str) -> list[str]:
        """Directories that go when nothing is left in them, the innermost first."""
        records_directory = paths.records_directory(self.choice.environment)
        configurations = paths.configuration_home(self.choice.environment)
        homes = [home] if self._with_home else []
        if self._with_home and self._is_usual(home):
            homes.append(os.path.dirname(home))
        return [*homes, self.choice.directory, records_directory, os.path.dirname(records_directory), configurations]

    def _places(self) -> tuple[str, str, str]:
        """Home, applications and identity: from the configuration, or where they usually are when it is gone."""
        if self.choice.exists:
            try:
                found = configuration.load(self.choice.path, unknown="keep")
            except ConfigurationError as error:
                if self._with_home:
                    raise ConfigurationError(
                        f"{error} Until then the home directory of this instance is not known and cannot be removed."
                    ) from error
            else:
                return found.home_directory, found.application_directory, found.certificate_path
        home = self.choice.directory
        if self.choice.name is not None:
            home = paths.home_directory(self.choice.name, self.choice.environment)
        return home, os.path.join(home, "Applications"), os.path.join(self.choice.directory, paths.IDENTITY_NAME)

    def _home_names(self, home: str) -> list[str]:
        """What goes from the home: all of it in the usual place, only what an agent makes in one that users chose."""
        try:
            names = sorted(os.listdir(home))
        except OSError:
            return []
        return names if self._is_usual(home) else [name for name in names if name in HOME_CONTENT]

    def _is_usual(self, home: str) -> bool:
        name = self.choice.name
        return name is not None and home == paths.home_directory(name, self.choice.environment)


def _is_filled(path: str) -> bool:
    try:
        return bool(os.listdir(path))
    except OSError:
        return False


def _holds(path: str, others: list[str]) -> bool:
    """Whether ``path`` is one of ``others`` or a directory above one."""
    return any(other == path or other.startswith(os.path.join(path, "")) for other in others)


def _remove(path: str) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(
            f"{error.filename or path} could not be removed: {error.strerror or error}. "
            "A process of the agent may still write there, or the account may not. Stop the agent and run again."
        ) from error
