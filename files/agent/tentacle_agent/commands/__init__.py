# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The verbs of the command line: one file each, loaded only when it is called.

Every file of this package that is named in ``_FILES`` has this shape:

    NAME      the verb, as the original spells it
    ALIASES   other spellings
    SUMMARY   one line for the help
    OPTIONS   the options it takes (``arguments.Option``)
    execute(options: Values, context: Context) -> int
              does it and returns the exit code; raises UsageError or InstanceError for a failure with a sentence
    POSITIONAL  (optional) under which name the first word that is no option is found among the values

A verb writes through its context only, so that tests and other programs can listen.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO, cast

if TYPE_CHECKING:
    from module_utils._instance.configuration import Configuration
    from module_utils._instance.records import Record

    from ..arguments import Option, Values

# Verb or alias -> file. Order is that of nobody: the help sorts by name.
_FILES = {
    "agent": "run",
    "run": "run",
    "check": "check",
    "clear-trusted-servers": "clear_trusted_servers",
    "configure": "configure",
    "create-instance": "create_instance",
    "delete-instance": "delete_instance",
    "help": "help",
    "import-certificate": "import_certificate",
    "import-configuration": "import_configuration",
    "list-instances": "list_instances",
    "livez": "livez",
    "new-certificate": "new_certificate",
    "proxy": "proxy",
    "server-comms": "server_comms",
    "service": "service",
    "show-configuration": "show_configuration",
    "show-thumbprint": "show_thumbprint",
    "update-trust": "update_trust",
    "version": "version",
}


class Context:
    """The world of one call: where to write, and what the environment says. What is not given is the process's own."""

    def __init__(
        self,
        out: TextIO | None = None,
        err: TextIO | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.environment = os.environ if environment is None else environment
        self.directory = os.getcwd() if directory is None else directory
        self.arguments = arguments

    def info(self, text: str) -> None:
        """A line for the user."""
        print(text, file=self.out, flush=True)

    def write(self, text: str) -> None:
        """Output for programs: nothing is added to it."""
        self.out.write(text)
        self.out.flush()

    def warn(self, text: str) -> None:
        """A line for the user that may need his attention; it is no error, so it goes where the other lines go."""
        self.info(text)

    def error(self, text: str) -> None:
        """A line that tells what failed."""
        print(text, file=self.err, flush=True)

    def select(self, options: Values) -> Record:
        """The instance that ``--instance`` and ``--config`` mean. Raises SelectionError."""
        from module_utils._instance import records

        return records.select(options.get("instance"), options.get("config"), self.environment, self.directory)

    def load(self, options: Values) -> tuple[Record, Configuration]:
        """The instance and its configuration. Raises SelectionError, ConfigurationError or StorageError."""
        from module_utils._instance import configuration

        record = self.select(options)
        return record, configuration.load(record.path)


class Command(Protocol):
    """A file of this package."""

    NAME: str
    ALIASES: tuple[str, ...]
    SUMMARY: str
    OPTIONS: tuple[Option, ...]

    def execute(self, options: Values, context: Context) -> int:
        """Do it; the exit code."""


def find(name: str) -> Command | None:
    """The verb by its name or alias in any case of letters, or None."""
    file = _FILES.get(name.lower())
    if file is None:
        return None
    return cast("Command", importlib.import_module(f"{__name__}.{file}"))


def list_all() -> list[Command]:
    """Every verb once, by name."""
    found = [find(name) for name in _FILES]
    return sorted({command.NAME: command for command in found if command}.values(), key=lambda command: command.NAME)
