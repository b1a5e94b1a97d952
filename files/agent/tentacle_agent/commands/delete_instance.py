# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``delete-instance``: forgets an instance and leaves its files (docs/protocol/tentacle-services.md §5.2)."""

from __future__ import annotations

from module_utils._instance import records

from ..arguments import Values, option
from . import Context

NAME = "delete-instance"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Deletes an instance of the Tentacle service"
OPTIONS = (option("instance=", "Name of the instance to delete"),)


def execute(options: Values, context: Context) -> int:
    """Remove the record; configuration, key and home stay where they are."""
    name = options.required("instance", "Please specify the instance to delete, e.g., --instance=NAME")
    record = records.find_record(name, context.environment)
    if record is None:
        records.select(name, None, context.environment)  # raises, naming those there are
        return 1
    records.delete_record(name, context.environment)
    context.info(f"Deleted instance: {record.name}")
    context.info(f"Its files were left in place: {record.path}")
    return 0
