# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mutated: the recorded conversations of `tests/vectors`, taken apart into lines, messages and streams."""

from __future__ import annotations

import functools
import json
import pathlib
import struct
import zlib
from dataclasses import dataclass, field

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"
FILES = {"client": "client-to-server.bin", "server": "server-to-client.bin"}
LONGEST_DOCUMENT = 8192
"""Inflated bytes of a message that is taken; a few recorded ones are far longer and would cost most of the time."""
LONGEST_PAYLOAD = 256
"""Bytes to which the recorded streams are cut; the number in front of and behind a stream is what counts."""
CONTAINERS = (0x03, 0x04)
FIXED = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8}


@dataclass(frozen=True)
class Element:
    """Where one element of a document lies: its type byte, name, value and end, and the sizes that count it."""

    start: int
    name: int
    value: int
    end: int
    around: tuple[int, ...]


@dataclass(frozen=True)
class Message:
    """A recorded message: the BSON document, its elements, its deflate data as recorded, and its streams."""

    document: bytes
    elements: tuple[Element, ...]
    deflated: bytes
    streams: tuple[tuple[bytes, bytes], ...]  # identifier, payload
    method: str = ""


@dataclass
class Corpus:
    """All that one side of the recorded conversations said."""

    messages: list[Message] = field(default_factory=list)
    hellos: list[tuple[bytes, ...]] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    oddities: list[bytes] = field(default_factory=list)


@functools.lru_cache(maxsize=2)
def load(side: str) -> Corpus:
    """The corpus of one side, "client" or "server"."""
    corpus = Corpus()
    for path in sorted(VECTORS.glob("*/conversation.json")):
        story = json.loads(path.read_text(encoding="utf-8"))
        _take_apart(corpus, side, story["segments"], (path.parent / FILES[side]).read_bytes())
    corpus.hellos = sorted(set(corpus.hellos))
    corpus.lines = sorted(set(corpus.lines))
    corpus.oddities = sorted(set(corpus.oddities))
    return corpus


def _take_apart(corpus: Corpus, side: str, segments: list[dict[str, object]], data: bytes) -> None:
    hello: list[bytes] = []
    pending: tuple[bytes, bytes, str] | None = None
    streams: list[tuple[bytes, bytes]] = []
    for segment in [*(s for s in segments if s["from"] == side), {"kind": "end", "offset": 0, "length": 0}]:
        kind, offset, length = str(segment["kind"]), int(str(segment["offset"])), int(str(segment["length"]))
        piece = data[offset : offset + length]
        if kind == "datastream":
            streams.append((piece[:16], piece[24:-8][:LONGEST_PAYLOAD]))
            continue
        if pending is not None:
            document, deflated, method = pending
            corpus.messages.append(Message(document, elements_of(document), deflated, tuple(streams), method))
            pending, streams = None, []
        if kind == "message":
            document = zlib.decompress(piece, -15)
            if 5 < len(document) <= LONGEST_DOCUMENT:
                pending = document, piece, str(segment.get("note", ""))
        elif kind == "identity":
            hello.append(piece)
        elif kind == "control":
            corpus.lines.append(piece)
        elif piece:
            corpus.oddities.append(piece[:LONGEST_DOCUMENT])
    if hello:
        corpus.hellos.append(tuple(hello))


def elements_of(document: bytes) -> tuple[Element, ...]:
    """Every element of a valid document, those of inner containers behind the one that holds them."""
    found: list[Element] = []
    _walk(document, 0, (), found)
    return tuple(found)


def _walk(data: bytes, at: int, around: tuple[int, ...], found: list[Element]) -> None:
    around = (*around, at)
    end = at + struct.unpack_from("<i", data, at)[0] - 1
    position = at + 4
    while position < end:
        kind = data[position]
        value = data.index(0, position + 1) + 1
        stop = value + _size_of(kind, data, value)
        found.append(Element(position, position + 1, value, stop, around))
        if kind in CONTAINERS:
            _walk(data, value, around, found)
        position = stop


def _size_of(kind: int, data: bytes, at: int) -> int:
    if kind in FIXED:
        return FIXED[kind]
    size = int(struct.unpack_from("<i", data, at)[0])
    return size if kind in CONTAINERS else size + 5 if kind == 0x05 else size + 4
