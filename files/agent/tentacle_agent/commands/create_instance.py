# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``create-instance``: a configuration file and, for a named instance, its record (§5.2, §5.3)."""

from __future__ import annotations

import os

from module_utils._instance import configuration, files, paths, records
from module_utils._instance.errors import SelectionError

from ..arguments import Values, option
from . import Context

NAME = "create-instance"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Registers a new instance of the Tentacle service"
OPTIONS = (
    option("instance=", "Name of the instance to create"),
    option("config=", "Path to configuration file to create"),
    option(
        "home=",
        "[Optional] Path to the home directory - defaults to the same directory as the config file, "
        "or to the instance's own place when no config file is named",
    ),
)


def execute(options: Values, context: Context) -> int:
    """Create what is named; a file that is there is kept, only its home changes. Refuses a name that is taken."""
    name = options.get("instance")
    if name:
        _refuse_taken(paths.check_instance_name(name), context)
    path = _configuration_path(name, options.get("config"), options.get("home"), context)
    home = _home(name, path, options, context)
    files.make_directory(os.path.dirname(path))
    files.make_directory(home)
    if os.path.exists(path):
        context.info(f"Configuration file at {path} already exists.")
        wanted = configuration.with_values(configuration.load(path), home_directory=home)
        wanted = configuration.with_values(wanted, instance=name) if name else wanted
    else:
        context.info(f"Creating empty configuration file: {path}")
        wanted = configuration.create(path, name, home)
    if name:
        context.info(f"Saving instance: {name}")
    context.info(f"Setting home directory to: {home}")
    configuration.save(path, wanted)
    if name:
        records.add_record(name, path, context.environment)
    return 0


def _refuse_taken(name: str, context: Context) -> None:
    present = records.find_record(name, context.environment)
    if present is not None:
        raise SelectionError(
            f"Instance {present.name} already exists, with the configuration {present.path}. "
            "Choose another name, or remove that instance first: delete-instance.",
            cause="instance_exists",
        )


def _configuration_path(name: str | None, config: str | None, home: str | None, context: Context) -> str:
    if not config and name:
        return paths.configuration_file(name, context.environment)
    config = os.path.expanduser(config or paths.LOCAL_CONFIGURATION_NAME)
    return os.path.normpath(os.path.join(context.directory, os.path.expanduser(home or ""), config))


def _home(name: str | None, path: str, options: Values, context: Context) -> str:
    home = options.get("home")
    if home:
        return os.path.normpath(os.path.join(context.directory, os.path.expanduser(home)))
    if name and not options.get("config"):
        return paths.home_directory(name, context.environment)
    return os.path.dirname(path)
