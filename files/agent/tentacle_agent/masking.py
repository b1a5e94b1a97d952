# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Hiding values that must not be read in logs (docs/protocol/tentacle-services.md §2.5).

The only values that an agent knows as secret are passwords of proxies. Each is hidden as it is and as it looks inside
a URL. A value with line breaks is hidden line by line, since its lines arrive as separate entries of a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "********"
SHORTEST = 4  # Shorter values would tear holes into ordinary words; the original ignores them too.


class Masker:
    """Replaces secret values in texts; where values overlap, all that they cover together becomes one mask."""

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part for value in values for part in _parts(value)}
        self._values = sorted(parts, key=len, reverse=True)

    def mask_lines(self, lines: Iterable[str]) -> list[str]:
        """The lines with every secret value replaced."""
        return [self.mask(line) for line in lines] if self._values else list(lines)

    def mask(self, text: str) -> str:
        """The text with every secret value replaced."""
        covered = sorted(
            (start, start + len(value)) for value in self._values for start in _occurrences(text, value)
        )
        pieces: list[str] = []
        end = 0
        for first, last in covered:
            if first >= end:
                pieces += [text[end:first], MASK]
            end = max(end, last)
        return "".join(pieces) + text[end:] if pieces else text


def password_variants(password: str) -> set[str]:
    """A password as it is and as it is written in URLs, with hex digits of either case."""
    from urllib.parse import quote, quote_plus  # a large module, needed for the first script with a password only

    encoded = {quote(password, safe=""), quote_plus(password)}
    lowered = {re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), text) for text in encoded}
    return {password} | encoded | lowered


def _parts(value: str) -> list[str]:
    return [part for part in re.split(r"\r\n|\r|\n", value) if len(part) >= SHORTEST]


def _occurrences(text: str, value: str) -> Iterable[int]:
    start = text.find(value)
    while start >= 0:
        yield start
        start = text.find(value, start + 1)
