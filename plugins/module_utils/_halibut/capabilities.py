# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The one object of the capabilities service (docs/protocol/tentacle-services.md §1.8), apart from all the others.

It is all that a check of a connection needs to know of the services.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import slots
from .objects import Contract, present
from .slots import Members
from .values import value


@value(frozen=True)
class CapabilitiesResponseV2(Contract):
    """The names of the services that an agent offers."""

    supported_capabilities: tuple[str | None, ...]

    TYPE_NAMES = present("Capabilities.CapabilitiesResponseV2")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("CapabilitiesResponseV2", TYPE_NAMES, "SupportedCapabilities")

    @classmethod
    def from_document(cls, value: Any) -> CapabilitiesResponseV2:
        where = "CapabilitiesResponseV2.SupportedCapabilities"
        listed = slots.items(cls._NAMES.of(value).get("SupportedCapabilities"), where)
        return cls(tuple(slots.text(item, where) for item in listed or ()))

    def _members(self) -> dict[str, Any]:
        return {"SupportedCapabilities": list(self.supported_capabilities)}


CAPABILITIES_TYPES: Mapping[str, type[Contract]] = dict.fromkeys(
    CapabilitiesResponseV2.TYPE_NAMES, CapabilitiesResponseV2
)
"""Every `$type` in an answer of that service, and its class, as `contracts.TYPES` has them for all services."""
