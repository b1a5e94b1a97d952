# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs made to cost much: bombs, deep and wide documents, endless lines. Each has a cap for memory and time."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from . import conversation, corpus, mutations
from .conversation import Input

MIB = 1 << 20
CPU_SECONDS = 3.0
"""CPU time of one of these; the worst, a request of 250,000 elements, takes about half a second."""
SAMPLE = 1000
SAMPLE_CAP = 4 * MIB
"""Peak for ordinary inputs, which are far below 100 KB."""


class Hostile(NamedTuple):
    """An input and the peak of memory, in bytes, that it may cause."""

    name: str
    item: Input
    cap: int


class Cost(NamedTuple):
    """What an input cost."""

    name: str
    peak: int
    cap: int
    seconds: float

    @property
    def allowed(self) -> bool:
        """Whether this is within the limits."""
        return self.peak <= self.cap and self.seconds <= CPU_SECONDS


def inputs() -> Iterator[Hostile]:
    """All of them. The caps follow from `limits.py`: 64 MiB of document, twice while it is joined, and its values."""
    hello = b"".join(corpus.load("client").hellos[0])
    greeting = b"".join(corpus.load("server").hellos[0])
    wide = b"".join(b"\x0a%d\0" % number for number in range(300_000))
    texts = b"\x02a\0" + mutations.text(b"x" * (60 * MIB))
    streams = _announcing(12_000)
    for role, opening in (("service", hello), ("client", greeting)):
        # The elements that a response may have are worth more memory: its log is answered in one piece.
        elements = 96 * MIB if role == "service" else 224 * MIB
        yield Hostile(f"{role}: zeros for ever", _of(role, opening, _deflate(bytes(80 * MIB))), 192 * MIB)
        yield Hostile(f"{role}: one long text", _of(role, opening, _deflate(_document(texts))), 320 * MIB)
        yield Hostile(f"{role}: many elements", _of(role, opening, _deflate(_document(wide))), elements)
        yield Hostile(f"{role}: one name", _of(role, opening, _deflate(_document(b"\x0a\0" * 500_000))), elements)
        yield Hostile(f"{role}: deep", _of(role, opening, mutations.stored(mutations.nest(5000, 3))), 4 * MIB)
        yield Hostile(f"{role}: empty blocks", _of(role, opening, b"\0\0\0\xff\xff" * (14 * MIB)), 192 * MIB)
        yield Hostile(f"{role}: endless line", _of(role, b"MX\n\n" if role == "service" else b"", b"A" * MIB), 4 * MIB)
    yield Hostile("service: many streams", _of("service", hello, mutations.stored(streams)), 96 * MIB)
    yield Hostile("service: endless preface", _of("service", b"", b"G" * (8 * MIB)), 12 * MIB)
    yield Hostile("service: empty lines", _of("service", hello, _call() + b"\r\n" * MIB), 4 * MIB)


def _of(role: str, opening: bytes, rest: bytes) -> Input:
    size = 65536
    return Input(role, [opening, *(rest[at : at + size] for at in range(0, len(rest), size))], False)


def _deflate(data: bytes) -> bytes:
    writer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return writer.compress(data) + writer.flush()


def _document(body: bytes) -> bytes:
    inner = struct.pack("<i", len(body) + 5) + body + b"\0"
    inner = b"\x03Message\0" + inner
    return struct.pack("<i", len(inner) + 5) + inner + b"\0"


def _call() -> bytes:
    message = next(message for message in corpus.load("client").messages if "GetCapabilities" in message.method)
    return mutations.stored(message.document)


def _announcing(count: int) -> bytes:
    """A start of a script with that many files."""
    message = next(m for m in corpus.load("client").messages if "StartScript" in m.method and m.streams)
    files = next(e for e in message.elements if message.document[e.name : e.value] == b"Files\0")
    first = next(e for e in message.elements if e.start == files.value + 4)
    one = message.document[first.value : first.end]
    body = b"".join(b"\x03%d\0%b" % (number, one) for number in range(count))
    array = b"\x04Files\0" + struct.pack("<i", len(body) + 5) + body + b"\0"
    return mutations.with_element(message.document, files, array)


def measure(seed: int) -> Iterator[Cost]:
    """Feed the hostile inputs, and a sample of ordinary ones, while memory is traced."""
    yield _sample(seed)
    for hostile in inputs():
        yield Cost(hostile.name, _peak(hostile.item), hostile.cap, _seconds(hostile.item))


def _sample(seed: int) -> Cost:
    items = [item for first in range(0, SAMPLE, conversation.SERIES) for item in conversation.series(seed, first)]
    for item in items[:50]:
        conversation.check(item)  # what is made once is not counted
    peak, seconds = max(map(_peak, items)), max(map(_seconds, items))
    return Cost(f"{len(items)} damaged conversations", peak, SAMPLE_CAP, seconds)


def _peak(item: Input) -> int:
    """The most bytes that Python had to itself meanwhile."""
    tracemalloc.start()
    try:
        conversation.check(item)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _seconds(item: Input) -> float:
    began = time.process_time()
    conversation.check(item)
    return time.process_time() - began
