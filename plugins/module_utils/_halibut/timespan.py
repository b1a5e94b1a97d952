# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Durations as .NET's serializer writes them: `[-][d.]hh:mm:ss[.fffffff]` (docs/protocol/halibut-wire.md §4.8)."""

from __future__ import annotations

import re

from .values import value

TICKS_PER_SECOND = 10_000_000
_MINIMUM, _MAXIMUM = -(1 << 63), (1 << 63) - 1
_FORMAT = (  # compiled when it is first needed, as all expressions of the core
    r"(?P<sign>-?)(?:(?P<days>[0-9]{1,8})\.)?(?P<hours>[0-9]{1,2}):(?P<minutes>[0-9]{1,2})"
    r"(?::(?P<seconds>[0-9]{1,2})(?:\.(?P<fraction>[0-9]{1,7}))?)?"
)
_DAYS = r"-?[0-9]{1,8}"


@value(frozen=True)
class TimeSpan:
    """A duration in ticks of 100 nanoseconds, at most 64 bits of them."""

    ticks: int

    @classmethod
    def from_seconds(cls, seconds: int | float) -> TimeSpan:
        """The nearest duration; beyond 64 bits the longest or shortest one."""
        if isinstance(seconds, int):
            ticks = seconds * TICKS_PER_SECOND
        else:
            bound = _MAXIMUM / TICKS_PER_SECOND
            ticks = round(max(-bound, min(bound, seconds)) * TICKS_PER_SECOND)
        return cls(max(_MINIMUM, min(_MAXIMUM, ticks)))

    @classmethod
    def parse(cls, text: str) -> TimeSpan:
        """Read .NET's constant format; also hours and minutes alone, and whole days alone, which .NET reads too.

        Raises ValueError for everything else, for fields out of range, and beyond 64 bits.
        """
        stripped = text.strip()
        if re.fullmatch(_DAYS, stripped):
            return cls._checked(int(stripped) * 86_400 * TICKS_PER_SECOND, text)
        match = re.fullmatch(_FORMAT, stripped)
        if match is None:
            raise ValueError(f"{text[:60]!r} is no time span: [-][d.]hh:mm:ss[.fffffff] is expected")
        days, hours, minutes, seconds = (int(match[name] or 0) for name in ("days", "hours", "minutes", "seconds"))
        if hours > 23 or minutes > 59 or seconds > 59:
            raise ValueError(f"{text[:60]!r} is no time span: hours go to 23, minutes and seconds to 59")
        ticks = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * TICKS_PER_SECOND
        ticks += int((match["fraction"] or "").ljust(7, "0"))
        return cls._checked(-ticks if match["sign"] else ticks, text)

    @classmethod
    def _checked(cls, ticks: int, text: str) -> TimeSpan:
        if not _MINIMUM <= ticks <= _MAXIMUM:
            raise ValueError(f"{text[:60]!r} is no time span: it is beyond 64 bits")
        return cls(ticks)

    @property
    def total_seconds(self) -> float:
        return self.ticks / TICKS_PER_SECOND

    def format(self) -> str:
        """The constant format ("c"): days and fraction only where they are not zero, the fraction with 7 digits."""
        seconds, fraction = divmod(abs(self.ticks), TICKS_PER_SECOND)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        text = "-" if self.ticks < 0 else ""
        if days:
            text += f"{days}."
        text += f"{hours:02}:{minutes:02}:{seconds:02}"
        return f"{text}.{fraction:07}" if fraction else text
