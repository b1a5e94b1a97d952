# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Many lines of a log on their way into one answer (docs/protocol/tentacle-services.md §1.8, §2.5).

The answer about a complete script holds its whole log, which may be 50 MB. As objects, documents and BSON one after the
other that would be hundreds of megabytes; here each line is encoded and deflated as it comes, and nothing else is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from .bson import Date, encode_around, utf8
from .envelope import Deflater

Row = tuple[int, Date, Optional[str]]
"""Source, time and text of a line, in the order of the constructor of `ProcessOutput`."""

_INT32 = struct.Struct("<i").pack
_INT64 = struct.Struct("<q").pack
_NULL_SIZE = 41  # bytes of the object of a line whose text is null
_EMPTY_SIZE = 46  # and of one whose text is empty


class LogList:
    """A BSON array of `ProcessOutput` objects, deflated while it grows."""

    __slots__ = ("_count", "_deflater")

    def __init__(self) -> None:
        self._deflater = Deflater()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def extend(self, rows: Iterable[Row]) -> None:
        """Append lines; a few thousand at a time cost the least."""
        parts: list[bytes] = []
        number, head, known = self._count, b"", (-1, -1)
        for source, occurred, text in rows:
            if (source, occurred) != known:
                known = (source, occurred)
                head = b"\x10Source\0%b\x09Occurred\0%b" % (_INT32(source), _INT64(occurred))
            if text is None:
                parts.append(b"\x03%d\0%b%b\x0aText\0\0" % (number, _INT32(_NULL_SIZE), head))
            else:
                raw = utf8(text)
                size = len(raw)
                parts.append(b"\x03%d\0%b%b\x02Text\0%b%b\0\0" % (
                    number, _INT32(size + _EMPTY_SIZE), head, _INT32(size + 1), raw))
            number += 1
        self._count = number
        self._deflater.append(b"".join(parts))

    def within(self, document: Mapping[str, Any], path: Sequence[str]) -> bytes:
        """The deflated document with this array as the member that `path` leads to. Raises LocalProtocolError."""
        size = self._deflater.size + 5
        head, tail = encode_around(document, path, size)
        return self._deflater.enclose(head + _INT32(size), b"\0" + tail)
