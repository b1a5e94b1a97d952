# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
"""Values of typed members, converted as leniently as Halibut's serializer does (docs/protocol/halibut-wire.md §4.8).

Every function takes the value as BSON has it and the name of the member for the error, and raises RemoteProtocolError
when the value cannot be converted: the peer is then left without an answer (§3.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .bson import Date, Guid
from .errors import RemoteProtocolError

if TYPE_CHECKING:
    from .timespan import TimeSpan

TYPE = "$type"
VALUES = "$values"
NIL = Guid(bytes(16))
_INTEGER = r"[+-]?[0-9]{1,19}"
_DATE = r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,7})?(Z|[+-][0-9]{2}:[0-9]{2})?"


def unconvertible(value: Any, where: str, expected: str) -> RemoteProtocolError:
    """The error for a value that does not fit its member; never quotes the value, which may be a secret."""
    seen = "null" if value is None else f"a value of type {type(value).__name__}"
    return RemoteProtocolError(f"The message cannot be read: {where} is {seen}, {expected} was expected.")


class Members:
    """The declared members of one class of objects."""

    __slots__ = ("declared", "folded", "type_names", "where")

    def __init__(self, where: str, type_names: Sequence[str], *names: str) -> None:
        self.where = where
        self.type_names = type_names
        self.declared = frozenset((TYPE, *names))
        self.folded = {name.lower(): name for name in names}

    def of(self, value: Any) -> Mapping[str, Any]:
        """The object's members under their declared names.

        Names in another case are accepted, unknown members ignored (docs/protocol/halibut-wire.md §4.8); a `$type` in
        front must be this class's own (§4.7).
        """
        if type(value) is not dict:
            raise unconvertible(value, self.where, "an object")
        if self.declared.issuperset(value):
            if TYPE in value:
                self._check_type(value)
            return value
        self._check_type(value)
        found = {}
        for name, item in value.items():
            known = name if name in self.declared else self.folded.get(name.lower()) if name.isascii() else None
            if known is not None:
                found[known] = item
        return found

    def _check_type(self, value: Mapping[str, Any]) -> None:
        if next(iter(value), None) == TYPE and value[TYPE] not in self.type_names:
            name = repr(value[TYPE])[:120]
            raise RemoteProtocolError(f"The message cannot be read: {self.where} has the forbidden type {name}.")


def text(value: Any, where: str) -> str | None:
    """A text or None; scalars are turned into text as .NET does."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, (bool, float, Guid)):
        return str(value)
    if isinstance(value, int) and not isinstance(value, Date):
        return str(int(value))
    raise unconvertible(value, where, "a text")


def int64(value: Any, where: str) -> int:
    """A whole number of 64 bits, also out of a double or of digits."""
    return _integer(value, where, 63)


def int32(value: Any, where: str) -> int:
    """A whole number of 32 bits."""
    return _integer(value, where, 31)


def _integer(value: Any, where: str, bits: int) -> int:
    number = None
    if isinstance(value, int) and not isinstance(value, (bool, Date)):
        number = int(value)
    elif isinstance(value, float):
        number = round(value) if abs(value) < 2.0**64 else None  # also None for not-a-number
    elif isinstance(value, str) and re.fullmatch(_INTEGER, value.strip()):
        number = int(value)
    if number is None or not -(1 << bits) <= number < 1 << bits:
        raise unconvertible(value, where, f"a whole number of {bits + 1} bits")
    return number


def boolean(value: Any, where: str) -> bool:
    """True or false; also as a number or a word."""
    if isinstance(value, (bool, int, float)) and not isinstance(value, Date):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise unconvertible(value, where, "true or false")


def enumeration(value: Any, where: str, names: Sequence[str]) -> int:
    """The number of an enumeration's member, as a number (also out of range) or by its name."""
    if isinstance(value, str) and not re.fullmatch(_INTEGER, value.strip()):
        folded = [name.lower() for name in names]
        if value.strip().lower() in folded:
            return folded.index(value.strip().lower())
        raise unconvertible(value, where, "the name of an enumeration's member")
    return int32(value, where)


def time_span(value: Any, where: str) -> TimeSpan:
    """A duration, which is always a text."""
    if not isinstance(value, str):
        raise unconvertible(value, where, "a time span")
    from .timespan import TimeSpan  # only here: a client hardly ever reads one

    try:
        return TimeSpan.parse(value)
    except ValueError:
        raise unconvertible(value, where, "a time span such as 00:01:00") from None


def guid(value: Any, where: str) -> Guid:
    """A GUID: binary of 16 bytes under any sub-type, or text."""
    if isinstance(value, bytes) and len(value) == 16:
        return value if type(value) is Guid else Guid(value)
    if isinstance(value, str):
        import uuid  # brings `platform`, and a GUID is hardly ever a text

        try:
            return Guid.from_uuid(uuid.UUID(value))
        except ValueError:
            pass
    raise unconvertible(value, where, "a GUID")


def date(value: Any, where: str) -> Date:
    """An instant: a BSON date or ISO 8601 text (without an offset taken as UTC), never a number."""
    if type(value) is Date:
        return value
    match = re.fullmatch(_DATE, value) if isinstance(value, str) else None
    if match is None:
        raise unconvertible(value, where, "a date")
    from datetime import datetime, timedelta, timezone  # a start need not wait for it, and a date is hardly ever a text

    offset = match[3] or "Z"
    try:
        moment = datetime.fromisoformat(match[1] + (match[2] or ".0")[:7].ljust(7, "0")
                                        + ("+00:00" if offset == "Z" else offset))
        return Date((moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1))
    except (ValueError, OverflowError):
        raise unconvertible(value, where, "a date") from None


def items(value: Any, where: str) -> Sequence[Any] | None:
    """The items of a list, also of one that is wrapped in `$type` and `$values` (§4.7), or None."""
    if value is None or type(value) is list:
        return value
    if type(value) is dict and next(iter(value), None) == TYPE and type(value.get(VALUES)) is list:
        return value[VALUES]  # type: ignore[no-any-return]
    raise unconvertible(value, where, "a list")
