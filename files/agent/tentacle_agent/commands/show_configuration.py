# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``show-configuration``: the configuration as the original shows its own (docs/protocol/tentacle-services.md §5.4)."""

from __future__ import annotations

import json
import os
from typing import Any

from module_utils._instance import files, identity
from module_utils._instance.configuration import Configuration
from module_utils._instance.trusted import STYLES

from ..arguments import INSTANCE_OPTIONS, Values, option
from . import Context

NAME = "show-configuration"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Outputs the Tentacle configuration"
OPTIONS = (*INSTANCE_OPTIONS, option("file=", "Writes the configuration to this file instead of the console"))


def execute(options: Values, context: Context) -> int:
    """Print nested JSON with sorted keys; the private key is not among them."""
    _unused, wanted = context.load(options)
    text = json.dumps(_document(wanted), indent=2, ensure_ascii=False) + "\n"
    path = options.get("file")
    if path:
        path = os.path.join(context.directory, os.path.expanduser(path))
        files.write_atomically(path, text.encode("utf-8"))
        context.info(f"The configuration has been written to {path}.")
    else:
        context.write(text)
    return 0


def _document(wanted: Configuration) -> dict[str, Any]:
    thumbprint = None
    if os.path.exists(wanted.certificate_path):
        thumbprint = identity.thumbprints_of(files.read(wanted.certificate_path)).sha1
    servers = [
        {
            "Thumbprint": server.thumbprint,
            "CommunicationStyle": STYLES[server.communication_style],
            "Address": server.address,
            "Squid": server.squid,
            "SubscriptionId": server.subscription_id,
        }
        for server in wanted.trusted_servers
    ]
    return {
        "Octopus": {
            "Home": wanted.home_directory,
            "Watchdog": {"Enabled": False, "Instances": "*", "Interval": 0},
        },
        "Tentacle": {
            "CertificateThumbprint": thumbprint,
            "Communication": {"PollingConnectionCount": None, "TrustedOctopusServers": servers},
            "Deployment": {"ApplicationDirectory": wanted.application_directory},
            "Services": {
                "ListenIP": wanted.listen_address,
                "NoListen": wanted.no_listen,
                "PortNumber": wanted.port,
            },
        },
    }
