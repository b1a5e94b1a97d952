# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``version``: our own version; the one reported to servers is the original's (see ``reported_version``)."""

from __future__ import annotations

import json

from .._version import VERSION
from ..arguments import FORMAT_OPTION, Values
from . import Context

NAME = "version"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Show the Tentacle version information"
OPTIONS = (FORMAT_OPTION,)


def execute(options: Values, context: Context) -> int:
    """Text is the version alone, without a line's end; JSON has the original's keys (§5.2)."""
    if options.format() == "text":
        context.write(VERSION)
        return 0
    plain, _unused, label = VERSION.partition("-")
    document = {
        "InformationalVersion": VERSION,
        "MajorMinorPatch": plain,
        "NuGetVersion": VERSION,
        "SourceBranchName": "main",
        "IsPrerelease": bool(label),
    }
    context.write(json.dumps(document, indent=2))
    return 0
