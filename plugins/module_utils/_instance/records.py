# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The machine's list of instances, and which of them is meant (docs/protocol/tentacle-services.md §5.3).

A record is a small JSON file with ``Name`` and ``ConfigurationFilePath`` in the original's place and spelling; the
instance itself is its configuration file, wherever that lies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from .._halibut.values import value
from . import files, paths
from .errors import InstanceError, SelectionError, StorageError

_SUFFIX = ".config"


@value(frozen=True)
class Record:
    """One instance of this machine: its name and its configuration file."""

    name: str
    path: str


def record_file(name: str, environment: Mapping[str, str] | None = None) -> str:
    """Where the record of the instance ``name`` lies, whether it exists or not. Raises SelectionError."""
    return os.path.join(
        paths.records_directory(environment), paths.file_name(paths.check_instance_name(name)) + _SUFFIX
    )


def list_records(environment: Mapping[str, str] | None = None) -> list[Record]:
    """All instances of this machine by name; a record that cannot be read is left out, as it names nothing."""
    directory = paths.records_directory(environment)
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(_SUFFIX))
    except OSError:
        return []
    found = (_read(os.path.join(directory, name)) for name in names if not name.startswith("."))
    return sorted((record for record in found if record is not None), key=lambda record: record.name.lower())


def _read(path: str) -> Record | None:
    try:
        document = json.loads(files.read(path).decode("utf-8-sig"))
        return Record(str(document["Name"]), str(document["ConfigurationFilePath"]))
    except (InstanceError, ValueError, KeyError, TypeError):
        return None


def find_record(name: str, environment: Mapping[str, str] | None = None) -> Record | None:
    """The instance ``name``, or None."""
    return _read(record_file(name, environment))


def add_record(name: str, configuration_path: str, environment: Mapping[str, str] | None = None) -> bool:
    """Record an instance; False when exactly this was recorded already. Raises SelectionError or StorageError."""
    record = Record(paths.check_instance_name(name), os.path.abspath(configuration_path))
    present = find_record(name, environment)
    if present == record:
        return False
    if present is not None:
        raise SelectionError(
            f"Instance {present.name} already exists, with the configuration {present.path}. "
            "Choose another name, or remove that instance first: delete-instance.",
            cause="instance_exists",
        )
    files.make_directory(paths.configuration_home(environment))
    files.make_directory(paths.records_directory(environment))
    text = json.dumps({"Name": record.name, "ConfigurationFilePath": record.path}, indent=2) + "\n"
    files.write_atomically(record_file(name, environment), text.encode("utf-8"), 0o644)
    return True


def delete_record(name: str, environment: Mapping[str, str] | None = None) -> bool:
    """Forget an instance and leave its files; False when there was none. Raises SelectionError or StorageError."""
    path = record_file(name, environment)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"The record {path} could not be removed: {error.strerror or error}.") from error
    files.sync_directory(os.path.dirname(path))
    return True


def select(
    instance: str | None = None,
    config: str | None = None,
    environment: Mapping[str, str] | None = None,
    directory: str | None = None,
) -> Record:
    """The instance that is meant; its name is "" where only a file was named.

    In this order: the named instance, the named file, ``Tentacle.config`` in the working directory (``directory``),
    the instance named Tentacle, the only instance. Raises SelectionError, saying what there is to choose from.
    """
    if instance:
        return _named(instance, environment)
    if config:
        return _from_file(os.path.abspath(os.path.expanduser(config)))
    local = os.path.join(directory or os.getcwd(), paths.LOCAL_CONFIGURATION_NAME)
    if os.path.isfile(local):
        return _from_file(local)
    present = list_records(environment)
    for record in present:
        if record.name.lower() == paths.DEFAULT_INSTANCE.lower():
            return _existing(record)
    if len(present) == 1:
        return _existing(present[0])
    if not present:
        raise SelectionError(
            "There are no instances of tentacle configured on this machine. "
            "Create one first: create-instance --instance=NAME."
        )
    raise SelectionError(
        "There is more than one instance of tentacle configured on this machine. "
        f"Say which with --instance=NAME. {_available(present)}"
    )


def _named(instance: str, environment: Mapping[str, str] | None) -> Record:
    record = find_record(instance, environment)
    if record is None:
        present = list_records(environment)
        hint = _available(present) if present else "There are no instances yet: create-instance makes one."
        raise SelectionError(f"Instance {instance} of tentacle has not been configured on this machine. {hint}")
    return _existing(record)


def _from_file(path: str) -> Record:
    if not os.path.isfile(path):
        raise SelectionError(
            f"There is no configuration file {path}. Check --config, or create it with create-instance --config={path}."
        )
    return Record("", path)


def _existing(record: Record) -> Record:
    if not os.path.isfile(record.path):
        raise SelectionError(
            f"Instance {record.name} of tentacle names the configuration file {record.path}, which is not there. "
            "Put it back, or remove the record with delete-instance and create the instance again."
        )
    return record


def _available(present: list[Record]) -> str:
    return "Available instances: " + ", ".join(record.name for record in present) + "."
