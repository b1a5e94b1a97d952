# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``import-configuration``: take over an original Tentacle of this host, thumbprint included (§5.4)."""

from __future__ import annotations

import os

from module_utils._instance import configuration, identity, original

from ..arguments import INSTANCE_OPTIONS, UsageError, Values, option
from . import Context

NAME = "import-configuration"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Takes over the configuration and certificate of an original Tentacle on this host"
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("f|from-file=", "The original's configuration file"),
    option("from-instance=", "Name of the original's instance; not needed where there is only one"),
    option("original-home=", "Where the original lists its instances. Defaults to /etc/octopus."),
    option(
        "machine-id-file=",
        "The machine-id under which the original encrypted its certificate. Defaults to this machine's "
        "/etc/machine-id; another one is for a configuration from a backup.",
    ),
)


def execute(options: Values, context: Context) -> int:
    """Copy what the original says into the instance; the original's own files stay as they are."""
    if options.get("from-file") and options.get("from-instance"):
        raise UsageError("Please specify only one of from-file or from-instance.")
    home = options.get("original-home") or original.CONFIGURATION_HOME
    source = original.load(_source(options, home, context))
    record, wanted = context.load(options)
    original.with_taken_over(wanted, source)  # refuses what cannot be taken over, before anything is written
    pem = original.read_identity(source, original.key_files(home, options.get("machine-id-file")))
    identity.save(wanted.certificate_path, pem)
    configuration.change(record.path, lambda before: original.with_taken_over(before, source))
    _tell(source, context)
    return 0


def _source(options: Values, home: str, context: Context) -> str:
    path = options.get("from-file")
    if path:
        return os.path.join(context.directory, os.path.expanduser(path))
    return original.find(options.get("from-instance"), home).path


def _tell(source: original.OriginalInstance, context: Context) -> None:
    context.info(f"Configuration taken over from {source.path}")
    context.info(f"Services listen port: {source.port}")
    context.info(f"Application directory set to: {source.application_directory}")
    for server in source.trusted_servers:
        context.info(f"Adding trusted Octopus Server: {server.thumbprint}")
    for server in source.polling_servers:
        context.warn(f"The server {server.thumbprint} was polled by the original; this agent only listens to it.")
    context.info(f"Certificate with thumbprint {source.thumbprint} imported successfully.")
    context.info(
        "The original was not changed. Both cannot have one port: stop and disable its service before this one starts. "
        f"Its home {source.home_directory} was not taken over; name it with configure --home if its packages and "
        "journal are to be used."
    )
