# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From the bytes that a script writes to the lines of its log (docs/protocol/tentacle-services.md §2.9).

The bytes are UTF-8. What is not becomes U+FFFD, one for each longest beginning of a valid sequence: .NET's rule and
Python's as well. NUL, ESC and a byte-order mark are characters like others. Lines end at ``\\n``, ``\\r`` or
``\\r\\n`` and at nothing else; a carriage return ends its line at once, so that progress bars are seen while they move.
"""

from __future__ import annotations

import codecs

MAX_LINE = 8 * 1024 * 1024
"""Characters of one log entry. The original has no limit and keeps an endless line in memory; we log it in pieces."""


class LineDecoder:
    """Turns one stream's bytes into whole lines; holds at most one unfinished line of ``limit`` characters."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._decode = self._decoder.decode
        self._limit = limit
        self._pieces: list[str] = []
        self._held = 0
        self._after_return = False

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes; return the lines that they complete, without their ends."""
        return self._split(self._decode(data))

    def finish(self) -> list[str]:
        """Say that the stream has ended; return what was left: nothing, or a line that had no end."""
        lines = self._split(self._decode(b"", True))
        if self._pieces:
            lines.append(self._take())
        return lines

    def rest(self) -> bytes:
        """The bytes that are held: a decoder that is fed them first goes on like this one."""
        return "".join(self._pieces).encode() + self._decoder.getstate()[0]

    def _split(self, text: str) -> list[str]:
        if self._after_return and text:
            self._after_return = False
            if text[0] == "\n":
                text = text[1:]
        if "\r" in text:
            self._after_return = text[-1] == "\r"
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        rest = lines.pop()
        if lines and self._pieces:
            self._pieces.append(lines[0])
            lines[0] = self._take()
        if rest:
            self._pieces.append(rest)
            self._held += len(rest)
            if self._held >= self._limit:
                lines.append(self._take())
        return lines

    def _take(self) -> str:
        line = "".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        return line
