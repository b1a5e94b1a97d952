# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``list-instances``: what is recorded on this machine (docs/protocol/tentacle-services.md §5.2)."""

from __future__ import annotations

import json

from module_utils._instance import records

from ..arguments import FORMAT_OPTION, Values
from . import Context

NAME = "list-instances"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Lists all installed Tentacle instances"
OPTIONS = (FORMAT_OPTION,)


def execute(options: Values, context: Context) -> int:
    """Print every record, as lines or as a JSON array."""
    as_json = options.format() == "json"
    present = records.list_records(context.environment)
    if as_json:
        rows = [{"InstanceName": record.name, "ConfigurationFilePath": record.path} for record in present]
        context.write(json.dumps(rows, indent=2, ensure_ascii=False))
    elif present:
        context.write("".join(f"Instance '{one.name}' uses configuration '{one.path}'.\n" for one in present))
    else:
        context.write("No instances installed")
    return 0
