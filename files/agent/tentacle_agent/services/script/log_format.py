# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The bytes of `Output.log`: JSON arrays without anything between them (docs/protocol/tentacle-services.md §2.5).

    ["stdout","text","2026-01-01T00:00:00.0000000+00:00"]["stderr","more","2026-01-01T00:00:00.0012340+00:00"]

A quote inside a text is always written with a backslash before it. The four bytes `"]["` therefore occur where one
entry ends and the next begins, and nowhere else: entries can be counted, skipped and cut without being parsed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring

from module_utils._halibut.bson import Date
from module_utils._halibut.log_list import Row
from module_utils._halibut.values import value

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BETWEEN = b'"]["'
_NAMES = ("stdout", "stderr", "debug")
_SOURCES = {name: source for source, name in enumerate(_NAMES)}


@value(frozen=True)
class Parsed:
    """What could be read: the entries, how many bytes they take, and whether something unreadable follows."""

    rows: list[Row]
    length: int
    corrupt: bool


def encode(source: int, lines: Iterable[str], nanoseconds: int) -> bytes:
    """Entries for lines of one source that arrived at one instant (nanoseconds since 1970 UTC)."""
    head = f'["{_NAMES[source]}",'
    tail = f',"{stamp(nanoseconds)}"]'
    return (head + (tail + head).join(map(encode_basestring, lines)) + tail).encode("utf-8", "replace")


def stamp(nanoseconds: int) -> str:
    """An instant (nanoseconds since 1970 UTC) as the original writes it: seven digits of a second, and the offset."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 100:07d}+00:00"


def count(data: bytes) -> int:
    """How many entries a piece holds that begins and ends with whole entries."""
    return data.count(BETWEEN) + 1 if data else 0


def offset_of(data: bytes, index: int) -> int:
    """Where entry ``index`` (from 0) begins in such a piece; its length if there are not so many."""
    position = 0
    for _unused in range(index):
        position = data.find(BETWEEN, position) + 2
        if position == 1:
            return len(data)
    return position


def last_end(data: bytes) -> int:
    """Where the last entry ends that is certainly whole, because another one begins behind it; 0 if none is."""
    position = data.rfind(BETWEEN)
    return position + 2 if position >= 0 else 0


def parse(data: bytes) -> Parsed:
    """Read entries; stop at the first that is cut or wrong. ``data`` begins with an entry, without a mark."""
    if not data:
        return Parsed([], 0, False)
    try:
        rows = json.loads(b"[" + data.replace(BETWEEN, b'"],["') + b"]")
        return Parsed(_rows(rows), len(data), False)
    except (ValueError, KeyError, TypeError, RecursionError):
        return _parse_singly(data)


def _parse_singly(data: bytes) -> Parsed:
    """The slow way, which knows where the readable part ends; white space between entries is allowed."""
    rows: list[Row] = []
    text = data.decode("utf-8", "surrogateescape")
    decode = json.JSONDecoder(strict=False).raw_decode
    position = 0
    try:
        while True:
            start = position
            while text[start : start + 1].isspace():
                start += 1
            if start == len(text):
                return Parsed(rows, len(data), False)
            row, end = decode(text, start)
            rows += _rows([row])
            position = end
    except (ValueError, KeyError, TypeError, RecursionError):
        return Parsed(rows, len(text[:position].encode("utf-8", "surrogateescape")), True)


def _rows(found: Sequence[Sequence[str]]) -> list[Row]:
    """Raises ValueError, KeyError or TypeError for what is no entry."""
    rows: list[Row] = []
    known, occurred = "", Date(0)
    for name, text, stamp in found:
        if stamp != known:
            occurred, known = _instant(stamp), stamp
        if text is not None and not isinstance(text, str):
            raise TypeError("the text of a log entry is no string")
        rows.append((_SOURCES[name], occurred, text))
    return rows


def _instant(stamp: str) -> Date:
    """``2026-01-01T00:00:00[.fff…](Z|+hh:mm)`` as milliseconds since 1970. Raises ValueError."""
    from datetime import datetime  # a start need not wait for it

    whole, fraction, zone = stamp[:19], stamp[19:], "+00:00"
    if fraction.endswith("Z"):
        fraction = fraction[:-1]
    else:
        fraction, zone = fraction[:-6], fraction[-6:]
    moment = datetime.fromisoformat(whole + zone)
    milliseconds = (fraction[1:] + "000")[:3] if fraction[:1] == "." else "0"
    return Date(int(moment.timestamp()) * 1000 + int(milliseconds))
