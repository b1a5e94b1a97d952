# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes an input that broke a promise as short as it gets, and keeps it as a file for ever after."""

from __future__ import annotations

import hashlib
import itertools
import json
import pathlib
import time
from collections.abc import Callable, Iterator

from . import conversation
from .conversation import Input
from .workers import place_of

FOUND = pathlib.Path(__file__).parent / "found"
PATIENCE_SECONDS = 60.0


def shrink(item: Input, place: str) -> Input:
    """A shorter input that breaks the same promise; the same one if there is none."""
    limit = time.monotonic() + PATIENCE_SECONDS

    def fails(data: bytes) -> bool:
        return time.monotonic() < limit and breaks(_in_form_of(item, data), place)

    data = b"".join(item.pieces)
    if not fails(data):
        return item
    return _in_form_of(item, shorter(data, fails))


def shorter(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """The bytes without all stretches that are not needed for `fails`."""
    size = max(len(data) // 2, 1)
    while size:
        at = 0
        while at < len(data):
            tried = data[:at] + data[at + size :]
            if fails(tried):
                data = tried
            else:
                at += size
        size //= 2
    return data


def breaks(item: Input, place: str) -> bool:
    """Whether the input breaks a promise, and the same one."""
    try:
        conversation.check(item)
    except Exception as problem:
        return place_of(problem) == place
    return False


def _in_form_of(item: Input, data: bytes) -> Input:
    bytewise = [data[at : at + 1] for at in range(len(data))]
    return item._replace(pieces=[data], again=None if item.again is None else bytewise)


def keep(item: Input, text: str, directory: pathlib.Path = FOUND) -> pathlib.Path:
    """Write the input down."""
    data = b"".join(item.pieces)
    path = directory / f"{item.role}-{hashlib.sha256(data).hexdigest()[:12]}.json"
    document = {
        "role": item.role,
        "primed": item.primed,
        "data": data.hex(),
        "cuts": _cuts(item.pieces),
        "again": None if item.again is None else _cuts(item.again),
        "was": text.strip().splitlines()[-1][:200],
    }
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")
    return path


def kept(directory: pathlib.Path = FOUND) -> Iterator[tuple[str, Input]]:
    """All inputs that were written down, by their names."""
    for path in sorted(directory.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        data, again = bytes.fromhex(document["data"]), document["again"]
        pieces = _pieces(data, document["cuts"])
        yield path.stem, Input(document["role"], pieces, document["primed"], again and _pieces(data, again))


def _cuts(pieces: list[bytes]) -> list[int]:
    return list(itertools.accumulate(map(len, pieces)))


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in zip([0, *cuts], cuts)]
