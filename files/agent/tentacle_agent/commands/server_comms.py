# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``server-comms``: how a trusted server and this agent find each other (docs/protocol/tentacle-services.md §5.2).

For an agent that listens that is always the same way: the server calls. So a server that was set up to be polled, or
that is new, becomes one that calls us; to poll one is refused.
"""

from __future__ import annotations

from module_utils._instance import configuration
from module_utils._instance.configuration import Configuration
from module_utils._instance.errors import ConfigurationError
from module_utils._instance.trusted import PASSIVE, style_named, with_passive

from ..arguments import INSTANCE_OPTIONS, UsageError, Values, option
from . import Context
from .elsewhere import NO_POLLING

NAME = "server-comms"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Configure how the Tentacle communicates with an Octopus Server"
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("thumbprint=", "The thumbprint of the Octopus Server; can be left out when exactly one is trusted"),
    option("style=", f"The communication style to use: {PASSIVE}, the server calls this agent"),
    option("host=", "Polling Tentacles only", hidden=True),
    option("port=", "Polling Tentacles only", hidden=True),
    option("web-socket=", "Polling Tentacles only", hidden=True),
)
_OF_POLLING = ("host", "port", "web-socket")


def execute(options: Values, context: Context) -> int:
    """Make the entry of that server one of a server that calls us."""
    record = context.select(options)
    text = options.required("style", f"Please specify a communication style, e.g., --style={PASSIVE}")
    try:
        style = style_named(text)
    except ValueError as error:
        raise UsageError(f"--style: {error}") from None
    if style != PASSIVE or any(options.get(name) for name in _OF_POLLING):
        raise UsageError(NO_POLLING)
    configuration.change(record.path, lambda wanted: with_passive(wanted, _thumbprint(wanted, options)))
    context.info("Updated server communications configuration")
    return 0


def _thumbprint(wanted: Configuration, options: Values) -> str:
    given = options.get("thumbprint")
    trusted = sorted(wanted.trusted_pins())
    if not trusted:
        raise ConfigurationError("No Octopus Server is trusted yet. Trust one first: configure --trust=THUMBPRINT.")
    if given:
        return given
    if len(trusted) > 1:
        raise UsageError(f"More than one Octopus Server is trusted. Say which with --thumbprint: {', '.join(trusted)}.")
    return trusted[0]
