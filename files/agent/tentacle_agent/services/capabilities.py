# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""ICapabilitiesServiceV2: which services this agent has (docs/protocol/tentacle-services.md §4.1)."""

from __future__ import annotations

from typing import ClassVar

from module_utils._halibut.contracts import CapabilitiesResponseV2
from module_utils._halibut.objects import Prepared

from ..dispatch import Context, Method

ANSWER = Prepared(CapabilitiesResponseV2(("IScriptService", "IFileTransferService", "IScriptServiceV2")))


def get_capabilities(context: Context) -> Prepared:
    """The three names in the original's order. A constant that cannot fail: an error here makes clients fall back to
    the old script service for ten minutes (docs/protocol/tentacle-services.md §4.3)."""
    return ANSWER


class CapabilitiesService:
    """The service under which a client asks for the others."""

    NAME = "ICapabilitiesServiceV2"
    TYPE_NAME = "Octopus.Tentacle.Services.Capabilities.CapabilitiesServiceV2"
    METHODS: ClassVar[dict[str, Method]] = {
        "getcapabilities": Method(
            "GetCapabilities", (), get_capabilities,
            returns="Octopus.Tentacle.Contracts.Capabilities.CapabilitiesResponseV2",
        ),
    }
