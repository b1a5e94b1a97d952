# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which instance a task means: the options ``instance``, ``config`` and ``configuration_home``.

This module util is **private** to the collection. Unlike the command line, a task never guesses from the working
directory or from what happens to be there: without a name and a file it means the instance ``Tentacle``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from ._instance import paths, records
from ._instance.errors import SelectionError

#: The options of the documentation fragment ``instance``.
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "instance": {"type": "str", "aliases": ["name"]},
    "config": {"type": "path", "aliases": ["config_path"]},
    "configuration_home": {"type": "path"},
}


class Choice(NamedTuple):
    """The instance that is meant. ``name`` is None for one that is only a file."""

    name: str | None
    path: str
    recorded: bool
    environment: Mapping[str, str]

    @property
    def exists(self) -> bool:
        return os.path.isfile(self.path)

    @property
    def directory(self) -> str:
        return os.path.dirname(self.path)


def argument_spec() -> dict[str, dict[str, Any]]:
    """A copy of ``ARGUMENTS`` for a module to extend."""
    return {name: dict(option) for name, option in ARGUMENTS.items()}


def environment(configuration_home: str | None) -> dict[str, str]:
    """The environment in which places are looked up."""
    variables = dict(os.environ)
    if configuration_home:
        variables[paths.CONFIGURATION_HOME_VARIABLE] = configuration_home
    return variables


def choose(params: Mapping[str, Any]) -> Choice:
    """The instance that the task's options name, whether it exists or not.

    Raises SelectionError for an impossible name, and for a name that stands for another configuration already.
    """
    variables = environment(params["configuration_home"])
    config = os.path.abspath(params["config"]) if params["config"] else None
    name = params["instance"] or (None if config else paths.DEFAULT_INSTANCE)
    if name is None:
        return Choice(None, str(config), False, variables)
    record = records.find_record(paths.check_instance_name(name), variables)
    if record is None:
        return Choice(name, config or paths.configuration_file(name, variables), False, variables)
    if config not in (None, record.path):
        raise SelectionError(
            f"The instance {name} has the configuration {record.path} on this host, but 'config' is {config}. Two "
            "instances were given one name, probably. Leave 'config' out, or choose another name.",
            cause="instance_exists",
        )
    return Choice(name, record.path, True, variables)


def choose_existing(params: Mapping[str, Any]) -> Choice:
    """Like ``choose``; raises SelectionError, saying what there is to choose from, where nothing exists."""
    choice = choose(params)
    if choice.exists:
        return choice
    present = ", ".join(record.name for record in records.list_records(choice.environment))
    raise SelectionError(
        f"There is no instance {choice.name or choice.path} on this host: the configuration {choice.path} does not "
        f"exist. {'Instances here are ' + present if present else 'No instance was created here yet'}. "
        "Create it first with listening.tentacle.tentacle_instance, or correct 'instance', 'config' or "
        "'configuration_home'."
    )
