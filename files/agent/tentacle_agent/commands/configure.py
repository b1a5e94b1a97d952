# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``configure``: directories, port, address and trust (docs/protocol/tentacle-services.md §5.2).

The order is the original's: trust is reset, then removed, then added; then come the other options as they stand on the
command line. All of it is one change of the file, or none.
"""

from __future__ import annotations

import os

from module_utils._halibut.values import replace
from module_utils._instance import configuration, files
from module_utils._instance.configuration import Configuration
from module_utils._instance.trusted import ACTIVE, PASSIVE, normalise_pin, with_trust_added, with_trust_removed

from ..arguments import INSTANCE_OPTIONS, UsageError, Values, option
from . import Context

NAME = "configure"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Sets Tentacle settings such as the port number and thumbprints"
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("home=|homedir=", "Home directory"),
    option("app=|appdir=", "Default directory to deploy applications to"),
    option("port=", "TCP port on which Tentacle should listen to connections"),
    option("noListen=", "Suppress listening on a TCP port (intended for polling Tentacles only)"),
    option("listenIpAddress=", "IP address on which Tentacle should listen. Default: any"),
    option("pollingConnectionCount=", "Polling Tentacles only", hidden=True),
    option("trust=", "The thumbprint of the Octopus Server to trust"),
    option("remove-trust=", "The thumbprint of the Octopus Server to remove from the trusted list"),
    option("reset-trust", "Removes all trusted Octopus Servers"),
)
_RESTART = "These changes require a restart of the Tentacle."
_NO_RESTART = "A running Tentacle takes up these changes by itself."


def execute(options: Values, context: Context) -> int:
    """Change the file in one step and say what was set; a value that cannot be used changes nothing."""
    record = context.select(options)
    lines: list[str] = []

    def change(before: Configuration) -> Configuration:
        after = _with_trust(before, options, lines)
        for name, value in options.given:
            after = _with_option(after, name, value, options, context, lines)
        return after

    before, after = configuration.change(record.path, change)
    for line in lines:
        context.info(line)
    if not lines:
        context.info("Nothing was set. See 'Tentacle configure --help'.")
    elif configuration.restart_keys(before, after):
        context.warn(_RESTART)
    else:
        context.info(_NO_RESTART)
    return 0


def _with_trust(wanted: Configuration, options: Values, lines: list[str]) -> Configuration:
    removed, added = options.all("remove-trust"), options.all("trust")
    if options.has("reset-trust"):
        lines.append("Removing all trusted Octopus Servers...")
        wanted = replace(wanted, trusted_servers=())
    if removed:
        lines.append(f"Removing {len(removed)} trusted Octopus Servers")
        wanted = with_trust_removed(wanted, removed)
    if added:
        lines.append(f"Adding {len(added)} trusted Octopus Servers")
        wanted = with_trust_added(wanted, added)
    return wanted


def _with_option(
    wanted: Configuration, name: str, value: str, options: Values, context: Context, lines: list[str]
) -> Configuration:
    if name == "home":
        home = _directory(value, context)
        lines.append(f"Home directory set to: {home}")
        return configuration.with_values(wanted, home_directory=home)
    if name == "app":
        applications = _directory(value, context)
        lines.append(f"Application directory set to: {applications}")
        return configuration.with_values(wanted, application_directory=applications)
    if name == "port":
        lines.append(f"Services listen port: {value}")
        return configuration.with_values(wanted, port=_number(value))
    if name == "noListen":
        return _with_listening(wanted, _boolean(value), options, lines)
    if name == "listenIpAddress":
        wanted = configuration.with_values(wanted, listen_address=value)
        address = wanted.listen_address
        lines.append(f"Listen on IP address: {address}" if address else "Listen on any IP address")
    if name == "pollingConnectionCount":
        raise UsageError("This agent listens and never polls, so it has no polling connections. Leave that option out.")
    return wanted


def _with_listening(wanted: Configuration, no_listen: bool, options: Values, lines: list[str]) -> Configuration:
    """The servers just added are then such as we would have to call (§5.2)."""
    if no_listen:
        lines.append("Tentacle will not listen on a port")
        lines.append("This agent never polls a server either: nobody will reach it.")
    else:
        lines.append("Tentacle will listen on a TCP port")
    added = {normalise_pin(text) for text in options.all("trust")}
    style = ACTIVE if no_listen else PASSIVE
    servers = tuple(
        replace(server, communication_style=style) if server.thumbprint in added else server
        for server in wanted.trusted_servers
    )
    return replace(configuration.with_values(wanted, no_listen=no_listen), trusted_servers=servers)


def _directory(value: str, context: Context) -> str:
    path = os.path.normpath(os.path.join(context.directory, os.path.expanduser(value)))
    files.make_directory(path)
    return path


def _number(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"The port has to be a number from 0 to 65535, not '{value}'.") from None


def _boolean(value: str) -> bool:
    word = value.strip().lower()
    if word not in ("true", "false"):
        raise UsageError(f"--noListen has to be true or false, not '{value}'.")
    return word == "true"
