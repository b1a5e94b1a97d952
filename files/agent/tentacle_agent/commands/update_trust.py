# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``update-trust``: another thumbprint for a server already trusted (docs/protocol/tentacle-services.md §5.2)."""

from __future__ import annotations

from module_utils._instance import configuration
from module_utils._instance.trusted import normalise_pin, with_trust_replaced

from ..arguments import INSTANCE_OPTIONS, Values, option
from . import Context

NAME = "update-trust"
ALIASES: tuple[str, ...] = ()
SUMMARY = (
    "Replaces the trusted Octopus Server thumbprint of any matching polling or listening registrations "
    "with a new thumbprint to trust"
)
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("oldThumbprint=", "The thumbprint of the old Octopus Server to be replaced"),
    option("newThumbprint=", "The thumbprint of the new Octopus Server"),
)


def execute(options: Values, context: Context) -> int:
    """Replace and name each entry that was changed; the running agent takes it up by itself."""
    record = context.select(options)
    old = options.required("oldThumbprint", "Please specify a thumbprint to replace, e.g., --oldThumbprint=VALUE")
    new = options.required("newThumbprint", "Please specify a new thumbprint to trust, e.g., --newThumbprint=VALUE")
    context.info(f"Updating Octopus servers thumbprint from {old} to {new}")
    before, _unused = configuration.change(record.path, lambda wanted: with_trust_replaced(wanted, old, new))
    matching = [server for server in before.trusted_servers if server.thumbprint == normalise_pin(old)]
    for server in matching:
        place = f" at {server.address}" if server.address else ""
        context.info(f"Updated the {server.communication_style} server{place} to thumbprint {normalise_pin(new)}")
    if not matching:
        context.info("No trusted server has that thumbprint; nothing was changed.")
    return 0
