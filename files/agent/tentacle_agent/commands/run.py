# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The verb that runs the agent in the foreground until it is told to stop (docs/protocol/tentacle-services.md §5.2)."""

from __future__ import annotations

import gc
import importlib
import time
from typing import TYPE_CHECKING

from ..arguments import INSTANCE_OPTIONS, Values, option
from ..put_off import OF_LOGGING, stand_ins

if TYPE_CHECKING:
    from . import Context

NAME = "agent"
ALIASES = ("run",)
SUMMARY = "Starts the Tentacle Agent in debug mode"
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("wait=", "Delay (ms) before starting"),
    option("console", "Don't attempt to run as a service, even if the user is non-interactive"),
    option("noninteractive", "Run without expecting anybody at the keyboard", hidden=True),
)
SHORTEST_WAIT = 20  # milliseconds; the original ignores shorter ones


def execute(options: Values, context: Context) -> int:
    """Run the agent; returns its exit code when SIGINT or SIGTERM has ended it."""
    gc.disable()  # what is made on the way is not garbage; the runtime switches it on again
    with stand_ins(*OF_LOGGING):
        importlib.import_module("logging")  # before anybody imports it with all that it may need one day
    from ..runtime import Runtime  # brings TLS, which no other verb needs

    record = context.select(options)
    wait = options.number("wait", 0)
    if wait >= SHORTEST_WAIT:
        time.sleep(wait / 1000)
    return Runtime(record.path, record.name or None).run()
