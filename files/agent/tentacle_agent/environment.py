# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The environment variables that scripts find (docs/protocol/tentacle-services.md §2.13).

Scripts inherit the agent's environment. On top of it come the variables of the original, without which Calamari and
health checks do not work, and `TentacleAgentVersion`, our own version: `TentacleVersion` names the original's version
whose behaviour we have. What a service manager tells the agent about itself is not passed on: a script that answered
in the agent's name would confuse it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from module_utils._instance.configuration import Configuration
from module_utils._instance.proxy import Proxy

from ._version import VERSION

_FOR_THE_AGENT_ONLY = (
    "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "MAINPID",
    "MANAGERPID", "FDSTORE",
)


def build(
    configuration: Configuration,
    executable: str,
    program_directory: str,
    signature_algorithm: str | None,
    proxy_password: str | None = None,
) -> dict[str, str]:
    """The variables for an instance with this configuration; those without a value are left out.

    ``executable`` is the full path of what runs the agent, ``signature_algorithm`` the friendly name of the one that
    signed our certificate (``sha256RSA``). The proxy's password is no part of the configuration.
    """
    home = configuration.home_directory or "."
    variables: dict[str, str | None] = {
        "TentacleHome": home,
        "TentacleApplications": configuration.application_directory,
        "TentacleJournal": os.path.join(home, "DeploymentJournal.xml"),
        "CalamariPackageRetentionJournalPath": os.path.join(home, "PackageRetentionJournal.json"),
        "TentacleInstanceName": configuration.instance,
        "TentacleVersion": configuration.reported_version,
        "TentacleAgentVersion": VERSION,
        "TentacleNetFrameworkDescription": f"Python {sys.version.split()[0]}",
        "TentacleExecutablePath": executable,
        "TentacleProgramDirectoryPath": program_directory,
        "AgentProgramDirectoryPath": program_directory,
        "TentacleCertificateSignatureAlgorithm": signature_algorithm,
        **_proxy(configuration.proxy, proxy_password),
    }
    return {name: value for name, value in variables.items() if value}


def _proxy(proxy: Proxy, password: str | None) -> dict[str, str | None]:
    """The proxy that scripts are to use for the web."""
    return {
        "TentacleUseDefaultProxy": str(proxy.use_default),
        "TentacleProxyHost": proxy.host,
        "TentacleProxyPort": str(proxy.port),
        "TentacleProxyUsername": proxy.username,
        "TentacleProxyPassword": password,
    }


def inherited() -> dict[str, str]:
    """The environment in which the agent was started.

    Python adds an LC_CTYPE of its own where no locale is set; scripts must not see another locale than elsewhere.
    """
    environment = dict(os.environ)
    try:
        with open("/proc/self/environ", "rb") as file:
            names = {entry.partition(b"=")[0] for entry in file.read().split(b"\0")}
    except OSError:
        return environment
    if b"LC_CTYPE" not in names:
        environment.pop("LC_CTYPE", None)
    return environment


def for_scripts(agents: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a script: the agent's own without what is meant for the agent, and the variables."""
    kept = {name: value for name, value in agents.items() if name not in _FOR_THE_AGENT_ONLY}
    return {**kept, **variables}
