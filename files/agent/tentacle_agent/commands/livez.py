# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``livez``: whether the agent was alive a short while ago (docs/protocol/tentacle-services.md §5.2, §7.5)."""

from __future__ import annotations

import os
import time

from ..arguments import INSTANCE_OPTIONS, UsageError, Values, option
from . import Context

NAME = "livez"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Checks whether the Tentacle agent is alive"
HEARTBEAT_NAME = "livez.heartbeat"
DEFAULT_AGE_SECONDS = 60
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("max-age=", f"Maximum allowed age of the liveness heartbeat in seconds (default {DEFAULT_AGE_SECONDS})."),
)


def execute(options: Values, context: Context) -> int:
    """Succeed when the running agent has touched its heartbeat file recently; the agent does so every 10 s."""
    limit = options.number("max-age", DEFAULT_AGE_SECONDS)
    if limit <= 0:
        raise UsageError("--max-age must be a positive number of seconds.")
    _unused, wanted = context.load(options)
    path = os.path.join(wanted.home_directory, HEARTBEAT_NAME)
    try:
        age = time.time() - os.stat(path).st_mtime
    except FileNotFoundError:
        raise UsageError(
            f"Liveness heartbeat file not found at {path}; the Tentacle agent may not be running."
        ) from None
    if age > limit:
        raise UsageError(
            f"Liveness heartbeat at {path} is stale: last written {int(age)}s ago (threshold {limit}s). "
            "The agent has ended or hangs: see 'service --status' and its log."
        )
    return 0
