# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What all objects of the contracts have in common, and the data stream (docs/protocol/halibut-wire.md §4.7, §5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from . import slots
from .bson import Encoded, Guid, Int64, encode
from .slots import Members
from .values import value

if TYPE_CHECKING:
    from .log_list import LogList


def legacy(name: str) -> tuple[str, str]:
    """The old name of a type of the first contract, which is written, and its present one, which is read as well."""
    return f"Octopus.Shared.Contracts.{name}, Octopus.Shared", *present(name)


def present(name: str) -> tuple[str]:
    return (f"Octopus.Tentacle.Contracts.{name}, Octopus.Tentacle.Contracts",)


class Contract:
    """Base of all objects with a `$type`."""

    TYPE_NAMES: ClassVar[Sequence[str]] = ()
    TYPE_NAME: ClassVar[str] = ""

    @classmethod
    def from_document(cls, value: Any) -> Any:
        raise NotImplementedError

    def to_document(self, as_slot: bool = False) -> Any:
        document = self._members()
        return {slots.TYPE: self.TYPE_NAME, **document} if as_slot else document

    def _members(self) -> dict[str, Any]:
        raise NotImplementedError

    def streams(self) -> tuple[DataStream, ...]:
        return ()

    def bulk(self) -> Bulk | None:
        """The member that is deflated already, which `to_document` leaves empty; None for nearly all objects."""
        return None


@value(frozen=True)
class Bulk:
    """The name of a member, and the list that stands there."""

    member: str
    content: LogList


class Prepared(Contract):
    """A parameter or result that is always the same, and therefore encoded once. Raises LocalProtocolError."""

    def __init__(self, contract: Contract) -> None:
        self.encoded = Encoded(encode(contract.to_document(as_slot=True)))

    def to_document(self, as_slot: bool = False) -> Encoded:
        return self.encoded


@value(frozen=True)
class Untyped:
    """An object or list in an object slot that carries no type: no method takes it (§4.7)."""

    value: Any


@value(frozen=True)
class DataStream(Contract):
    """A reference to bytes that follow the message; `length` is what the sender declared (§5)."""

    id: Guid
    length: int

    TYPE_NAMES = ("Halibut.DataStream, Halibut",)
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("DataStream", TYPE_NAMES, "id", "length")

    @classmethod
    def from_document(cls, value: Any) -> DataStream:
        members = cls._NAMES.of(value)
        return cls(slots.guid(members.get("id", slots.NIL), "DataStream.id"),
                   slots.int64(members.get("length", 0), "DataStream.length"))

    def _members(self) -> dict[str, Any]:
        return {"id": self.id, "length": Int64(self.length)}

    def streams(self) -> tuple[DataStream, ...]:
        return (self,)
