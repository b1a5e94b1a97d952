# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``clear-trusted-servers``: trust nobody, but for the servers named (docs/protocol/tentacle-services.md §5.2)."""

from __future__ import annotations

from module_utils._halibut.values import replace
from module_utils._instance import configuration
from module_utils._instance.configuration import Configuration

from ..arguments import INSTANCE_OPTIONS, Values, option
from . import Context

NAME = "clear-trusted-servers"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Clears the trusted servers"
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("keep=", "A comma separated list of Server Comms Addresses to keep as trusted servers"),
)


def execute(options: Values, context: Context) -> int:
    """Empty the list, except for entries whose address was named."""
    record = context.select(options)
    kept = {_address(text) for value in options.all("keep") for text in value.split(",") if text.strip()}

    def clear(wanted: Configuration) -> Configuration:
        servers = (server for server in wanted.trusted_servers if server.address and _address(server.address) in kept)
        return replace(wanted, trusted_servers=tuple(servers))

    before, after = configuration.change(record.path, clear)
    gone = len(before.trusted_servers) - len(after.trusted_servers)
    context.info(f"Removed {gone} trusted Octopus Servers, kept {len(after.trusted_servers)}")
    return 0


def _address(text: str) -> str:
    return text.strip().rstrip("/").replace("http://", "https://", 1).lower()
