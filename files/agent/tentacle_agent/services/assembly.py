# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Files and scripts: the services that work on this host, and what cleans up behind them.

A tenth of an agent's start goes into loading and building these, and the first thing that a server asks for is another
service. So the agent listens first and builds these in the moment after, or for the first call that needs one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from module_utils._instance import proxy
from module_utils._instance.configuration import Configuration

from .. import environment
from ..descriptor_store import DescriptorStore
from ..dispatch import Service
from ..masking import password_variants
from .file_transfer import FileTransferService
from .script import build_script_services
from .script.workspace_cleaner import WorkspaceCleaner

PROGRAMS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Assembly:
    """Made when everything that the process before has left is cleared away, or taken over."""

    def __init__(self, configuration: Configuration, signature_algorithm: str, environ: Mapping[str, str]) -> None:
        home = configuration.home_directory
        password = proxy.read_password(proxy.password_path(configuration.certificate_path))
        variables = environment.build(configuration, sys.executable, PROGRAMS, signature_algorithm, password)
        masked = password_variants(password) if password else ()
        descriptors = DescriptorStore(environ)
        self.scripts = build_script_services(home, variables, masked, descriptors, configuration.adopt_scripts)
        self.cleaner = WorkspaceCleaner(self.scripts, environ)
        self.files = FileTransferService(home)
        self.files.remove_unfinished()

    def by_name(self) -> dict[str, Service]:
        """The services by their names on the wire."""
        return {
            FileTransferService.NAME: self.files,
            "IScriptService": self.scripts.v1,
            "IScriptServiceV2": self.scripts.v2,
        }
