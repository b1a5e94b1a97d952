# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The objects that Tentacle's services exchange (docs/protocol/tentacle-services.md §1.8) and their `$type` names.

Every class has

* `TYPE_NAMES`, the names accepted on reading, and `TYPE_NAME`, the one that is written: the twelve types of the first
  contract keep the name of their old home (docs/protocol/halibut-wire.md §4.10),
* `from_document(value)`, which raises RemoteProtocolError naming the member that cannot be converted,
* `to_document(as_slot)`, members in the original's order; `as_slot` puts `$type` in front, as a parameter or result
  needs it and a typed member must not have it (§4.7),
* `streams()`, the data streams inside, in document order.

A member that is missing reads as null, zero or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import slots
from .bson import Int64
from .capabilities import CapabilitiesResponseV2
from .objects import Contract, DataStream, Untyped, legacy
from .scripts import (
    BASH,
    COMPLETE,
    FULL_ISOLATION,
    NO_ISOLATION,
    PENDING,
    POWERSHELL,
    RUNNING,
    SOURCE_DEBUG,
    SOURCE_STDERR,
    SOURCE_STDOUT,
    CancelScriptCommand,
    CancelScriptCommandV2,
    CompleteScriptCommand,
    CompleteScriptCommandV2,
    ProcessOutput,
    ScriptFile,
    ScriptStatusRequest,
    ScriptStatusRequestV2,
    ScriptStatusResponse,
    ScriptStatusResponseV2,
    ScriptTicket,
    StartScriptCommand,
    StartScriptCommandV2,
)
from .slots import Members
from .timespan import TimeSpan
from .values import value

__all__ = [
    "BASH",
    "COMPLETE",
    "FULL_ISOLATION",
    "NO_ISOLATION",
    "PENDING",
    "POWERSHELL",
    "RUNNING",
    "SOURCE_DEBUG",
    "SOURCE_STDERR",
    "SOURCE_STDOUT",
    "TYPES",
    "CancelScriptCommand",
    "CancelScriptCommandV2",
    "CapabilitiesResponseV2",
    "CompleteScriptCommand",
    "CompleteScriptCommandV2",
    "Contract",
    "DataStream",
    "ProcessOutput",
    "ScriptFile",
    "ScriptStatusRequest",
    "ScriptStatusRequestV2",
    "ScriptStatusResponse",
    "ScriptStatusResponseV2",
    "ScriptTicket",
    "StartScriptCommand",
    "StartScriptCommandV2",
    "TimeSpan",
    "Untyped",
    "UploadResult",
]


@value(frozen=True)
class UploadResult(Contract):
    """What an upload left behind; `hash` is SHA-1 in lower-case hex, None for a null upload."""

    full_path: str | None
    hash: str | None
    length: int

    TYPE_NAMES = legacy("UploadResult")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("UploadResult", TYPE_NAMES, "FullPath", "Hash", "Length")

    @classmethod
    def from_document(cls, value: Any) -> UploadResult:
        members = cls._NAMES.of(value)
        return cls(
            slots.text(members.get("FullPath"), "UploadResult.FullPath"),
            slots.text(members.get("Hash"), "UploadResult.Hash"),
            slots.int64(members.get("Length", 0), "UploadResult.Length"),
        )

    def _members(self) -> dict[str, Any]:
        return {"FullPath": self.full_path, "Hash": self.hash, "Length": Int64(self.length)}


TYPES: Mapping[str, type[Contract]] = {
    name: contract
    for contract in (
        CancelScriptCommand,
        CancelScriptCommandV2,
        CapabilitiesResponseV2,
        CompleteScriptCommand,
        CompleteScriptCommandV2,
        DataStream,
        ProcessOutput,
        ScriptFile,
        ScriptStatusRequest,
        ScriptStatusRequestV2,
        ScriptStatusResponse,
        ScriptStatusResponseV2,
        ScriptTicket,
        StartScriptCommand,
        StartScriptCommandV2,
        UploadResult,
    )
    for name in contract.TYPE_NAMES
}
"""Every `$type` that a peer may use, and its class; anything else is refused (docs/protocol/halibut-wire.md §4.7)."""
