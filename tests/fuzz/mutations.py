# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to damage a conversation: bytes, lines, deflate data, BSON elements, streams, and the order of all of these.

An input is a list of parts; every mutation takes the random numbers and the parts and changes the list. The same seed
gives the same input, on every machine and Python.
"""

from __future__ import annotations

import functools
import random
import struct
import zlib
from collections.abc import Callable

from .corpus import Corpus, Element, Message

Parts = list[bytes]
NUMBERS = (
    -(2**63), -(2**40), -(2**31), -65536, -257, -256, -17, -5, -4, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 17, 24,
    64, 100, 127, 128, 255, 256, 1000, 4096, 8191, 8192, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40,
    2**40 + 1, 2**62, 2**63 - 1,
)
WORDS = (
    b"MX", b"MX\r\n\r\n", b"MX\n\n", b"MX-CLIENT 1.0", b"MX-SERVER 1.0", b"MX-SUBSCRIBER 1.0 poll://x/", b"MX-CLIENT",
    b"MX-ELSE 9", b"NEXT", b"PROCEED", b"END", b"next", b" NEXT", b"NEXT ", b"", b"\0", b"GET / HTTP/1.1",
    b"\xff\xfe", b"E", b"EN", b"\xc3\xa4" * 40, b"A" * 9000, b"M", b"MX-SUBSCRIBER 1.0", b"MX-CLIENT  1.0  more",
)
ENDS = (b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"", b"\r\r\n", b"\n\r", b" \r\n", b"\0\r\n")
TEXTS = (
    b"", b"x", b"\xff", b"a\0b", b"\xed\xa0\x80", b"-1", b"00:00:01", b"24.20:31:23.6470000", b"-00:00:01", b"NaN",
    b"1.25:00:00", b"99999999999.00:00:00", b"true", b"9" * 30, b"FullIsolation", b"Bash", b"../../x",
    b"/", b"\\", b"a" * 300,
    b"2026-01-01T00:00:00.0000000+00:00", b"9999-12-31T23:59:59.9999999-14:00", b"0000-00-00T00:00:00Z",
    b"9dd1e22d-ab24-4bd8-a948-3e8278523ed7", b"{}", b"https://h/", b"\xf0\x9f\x98\x80", b"+5", b" 7 ", b"\xd9\xa3",
)


def text(raw: bytes) -> bytes:
    """The value of a BSON text."""
    return struct.pack("<i", len(raw) + 1) + raw + b"\0"


def nest(depth: int, kind: int) -> bytes:
    """Containers in containers."""
    value = b"\x05\0\0\0\0"
    for _unused in range(depth):
        value = struct.pack("<i", len(value) + 8) + bytes([kind]) + b"0\0" + value + b"\0"
    return value


@functools.lru_cache(maxsize=1)
def values() -> tuple[tuple[int, bytes], ...]:
    """Type and value of elements that readers stumble over."""
    found = [(0x02, text(raw)) for raw in TEXTS]
    found += [(0x10, struct.pack("<q", number)[:4]) for number in NUMBERS]
    found += [(kind, struct.pack("<q", number)) for number in NUMBERS for kind in (0x12, 0x09, 0x11)]
    doubles = (0.0, -0.0, 0.5, 1e300, -1e19, 2.0**63, float("nan"), float("inf"), float("-inf"))
    found += [(0x01, struct.pack("<d", number)) for number in doubles]
    found += [(0x05, struct.pack("<iB", size, subtype) + bytes(range(size))) for size in (0, 1, 15, 16, 17, 40)
              for subtype in (0, 2, 3, 4, 5, 128)]
    found += [(0x05, struct.pack("<iB", size, 4) + bytes(16)) for size in (-1, 2**31 - 1, 999)]
    found += [(0x08, b"\0"), (0x08, b"\1"), (0x08, b"\2"), (0x0A, b""), (0x06, b""), (0x07, bytes(12)), (0xFF, b"")]
    found += [(0x0B, b"a\0i\0"), (0x0B, b"\xff\0\0"), (0x0B, b"a"), (0x0D, text(b"x")), (0x0E, text(b"y"))]
    found += [(kind, nest(depth, kind)) for depth in (0, 1, 2, 60, 61, 62, 70) for kind in (0x03, 0x04)]
    many = b"".join(b"\x0a%d\0" % number for number in range(300))
    found.append((0x04, struct.pack("<i", len(many) + 5) + many + b"\0"))
    kinds = (0x00, 0x0C, 0x0F, 0x13, 0x7F)
    return (*found, *((kind, b"\x05\0\0\0\0") for kind in kinds))


# The parts of an undamaged conversation ---------------------------------------------------------------------------


def stored(document: bytes) -> bytes:
    """A deflate stream of a block that is not compressed: cheap, and leaves the document open to damage."""
    size = len(document)
    if size > 0xFFFF:
        return b"\0" + stored(document[:0xFFFF])[1:] + stored(document[0xFFFF:])
    return struct.pack("<BHH", 1, size, size ^ 0xFFFF) + document


def stream(identifier: bytes, payload: bytes) -> Parts:
    """A data stream as it stands behind its message."""
    size = struct.pack("<q", len(payload))
    return [identifier + size, payload, size]


def begin(rng: random.Random, corpus: Corpus, line: bytes) -> tuple[Parts, list[tuple[int, Message]]]:
    """Hello and one to three messages, with `line` in front of each but the first; and where the messages are."""
    parts: Parts = list(rng.choice(corpus.hellos) if rng.random() < 0.1 else corpus.hellos[0])
    places: list[tuple[int, Message]] = []
    for number in range(rng.choice((1, 1, 1, 1, 1, 2, 2, 3))):
        message = rng.choice(corpus.messages)
        if number:
            parts.append(line)
        places.append((len(parts), message))
        parts.append(stored(message.document))
        for identifier, payload in message.streams:
            parts += stream(identifier, payload)
    return parts, places


# Damage -----------------------------------------------------------------------------------------------------------


def damage_bytes(rng: random.Random, parts: Parts) -> None:
    """Somewhere: other bits, other bytes, more bytes, fewer bytes."""
    at = int(rng.random() * len(parts))
    parts[at] = altered(rng, parts[at])


def altered(rng: random.Random, data: bytes) -> bytes:
    """The bytes with one spot changed."""
    spot = int(rng.random() * (len(data) + 1))
    size = 1 + int(rng.random() ** 3 * 16)
    way = rng.random()
    if way < 0.35 and spot < len(data):
        return data[:spot] + bytes([data[spot] ^ (1 << int(rng.random() * 8))]) + data[spot + 1 :]
    if way < 0.55:
        return data[:spot] + rng.randbytes(size) + data[spot + size :]
    if way < 0.70:
        return data[:spot] + data[spot + size :]
    if way < 0.85:
        return data[:spot] + rng.randbytes(size) + data[spot:]
    if way < 0.93:
        return data[:spot]
    return data[:spot] + data[spot : spot + size] * 2 + data[spot + size :]


def damage_order(rng: random.Random, parts: Parts) -> None:
    """A part twice, not at all, elsewhere, or cut off with all behind it."""
    at = int(rng.random() * len(parts))
    way = rng.random()
    if way < 0.25:
        parts.insert(at, parts[at])
    elif way < 0.55:
        del parts[at]
    elif way < 0.85:
        parts.insert(int(rng.random() * len(parts)), parts.pop(at))
    else:
        del parts[at:]


def damage_line(rng: random.Random, parts: Parts) -> None:
    """A line that is not expected, or one that ends in another way, put in or in the place of a part."""
    line = rng.choice(WORDS) + rng.choice(ENDS)
    if rng.random() < 0.1:
        line *= 2 + int(rng.random() * 40)
    at = int(rng.random() * len(parts))
    parts[at : at + int(rng.random() * 2)] = [line]


def damage_stream(rng: random.Random, parts: Parts) -> None:
    """A wrong identifier, length, trailer or payload; a stream that nobody announced."""
    heads = [at for at, part in enumerate(parts[:-2]) if len(part) == 24 and len(parts[at + 2]) == 8]
    if not heads or rng.random() < 0.1:
        at = int(rng.random() * (len(parts) + 1))
        parts[at:at] = stream(rng.randbytes(16), rng.randbytes(int(rng.random() * 40)))
        return
    at = rng.choice(heads)
    way = rng.random()
    number = struct.pack("<q", rng.choice(NUMBERS))
    if way < 0.25:
        parts[at] = altered(rng, parts[at][:16])[:16].ljust(16, b"\0") + parts[at][16:]
    elif way < 0.5:
        parts[at] = parts[at][:16] + number
    elif way < 0.6:
        parts[at], parts[at + 2] = parts[at][:16] + number, number
    elif way < 0.75:
        parts[at + 2] = number
    else:
        parts[at + 1] = altered(rng, parts[at + 1])


def damage_deflate(rng: random.Random, parts: Parts, at: int, message: Message) -> None:
    """Other deflate data for one message: as recorded, in odd blocks, bent, cut, wrapped, with rubbish behind."""
    way, document = rng.random(), message.document
    if way < 0.3:
        parts[at] = altered(rng, message.deflated)
    elif way < 0.45:
        header = bytearray(parts[at][:5])
        header[int(rng.random() * len(header))] ^= 1 << int(rng.random() * 8)
        parts[at] = bytes(header) + parts[at][5:]
    elif way < 0.55:
        parts[at] = message.deflated[: int(rng.random() * len(message.deflated))]
    elif way < 0.65:
        half = int(rng.random() * len(document))
        empty = b"\0\0\0\xff\xff" * int(rng.random() * 30)
        parts[at] = b"\0" + stored(document[:half])[1:] + empty + stored(document[half:])
    elif way < 0.75:
        writer = zlib.compressobj(int(rng.random() * 10), zlib.DEFLATED, rng.choice((-15, -9, 15, 31)))
        parts[at] = writer.compress(document) + writer.flush(rng.choice((zlib.Z_FINISH, zlib.Z_SYNC_FLUSH)))
    elif way < 0.85:
        parts[at] = stored(document + rng.randbytes(int(rng.random() * 40)))
    elif way < 0.95:
        parts[at] = stored(document[: int(rng.random() * len(document))])
    else:
        parts[at] = rng.randbytes(int(rng.random() * 60))


def damage_element(rng: random.Random, parts: Parts, at: int, message: Message) -> None:
    """One element less, more, or other; all sizes around it are right again."""
    if not message.elements:
        return
    document, element = message.document, rng.choice(message.elements)
    start, end = element.start, element.end
    way = rng.random()
    if way < 0.5:
        kind, value = rng.choice(values())
        new = bytes([kind]) + document[element.name : element.value] + value
    elif way < 0.6:
        new = b""
    elif way < 0.7:
        new = document[start:end] * (2 if rng.random() < 0.9 else 50)
    elif way < 0.85:
        other = rng.choice(message.elements)
        if rng.random() < 0.5:
            new = document[start : element.name] + document[other.name : other.value] + document[element.value : end]
        else:
            new = document[other.start : other.name] + document[element.name : element.value]
            new += document[other.value : other.end]
    elif way < 0.93:
        other = rng.choice(message.elements)
        new = document[start:end] + document[other.start : other.end]
    else:
        name = altered(rng, document[element.name : element.value - 1])
        new = document[start : element.name] + name + b"\0" + document[element.value : end]
    parts[at] = stored(with_element(document, element, new))


def with_element(document: bytes, element: Element, new: bytes) -> bytes:
    """The document with other bytes for one element, and right sizes."""
    changed = bytearray(document)
    changed[element.start : element.end] = new
    for place in element.around:
        size = struct.unpack_from("<i", document, place)[0] + len(new) - (element.end - element.start)
        struct.pack_into("<i", changed, place, size)
    return bytes(changed)


def damage_size(rng: random.Random, parts: Parts, at: int, message: Message) -> None:
    """A wrong size of a container, text or binary, or a wrong type, with nothing else adapted."""
    if not message.elements:
        return
    document, element = bytearray(message.document), rng.choice(message.elements)
    way = rng.random()
    if way < 0.3:
        document[element.start] = rng.choice((*range(0x14), 0x7F, 0xFF))
    elif way < 0.6:
        place = rng.choice(element.around)
        _shift(rng, document, place)
    elif element.end - element.value >= 4:
        _shift(rng, document, element.value)
    else:
        document[element.value - 1] = 0x41
    parts[at] = stored(bytes(document))


def _shift(rng: random.Random, document: bytearray, place: int) -> None:
    size = struct.unpack_from("<i", document, place)[0]
    new = size + rng.choice((-5, -4, -1, 1, 4, 5)) if rng.random() < 0.5 else rng.choice(NUMBERS)
    struct.pack_into("<I", document, place, new & 0xFFFFFFFF)


IN_MESSAGE: tuple[Callable[[random.Random, Parts, int, Message], None], ...] = (
    damage_element, damage_element, damage_element, damage_size, damage_size, damage_deflate,
)
ANYWHERE: tuple[Callable[[random.Random, Parts], None], ...] = (
    damage_bytes, damage_bytes, damage_order, damage_line, damage_stream,
)


def make(rng: random.Random, corpus: Corpus, line: bytes) -> Parts:
    """A damaged conversation: one to three kinds of damage."""
    parts, places = begin(rng, corpus, line)
    if corpus.oddities and rng.random() < 0.01:
        parts[int(rng.random() * len(parts))] = rng.choice(corpus.oddities)
    if rng.random() < 0.6:
        at, message = rng.choice(places)
        rng.choice(IN_MESSAGE)(rng, parts, at, message)
        more = rng.random() < 0.2
    else:
        more = True
    while more and parts:
        rng.choice(ANYWHERE)(rng, parts)
        more = rng.random() < 0.3
    return parts


def cut(rng: random.Random, parts: Parts) -> Parts:
    """The same bytes in other pieces: whole, part by part, at random places, or byte by byte."""
    way = rng.random()
    if way < 0.5:
        return [b"".join(parts)]
    if way < 0.8:
        return parts
    data = b"".join(parts)
    if way < 0.98 or len(data) > 600:
        places = sorted(int(rng.random() * len(data)) for _unused in range(1 + int(rng.random() * 6)))
        return [data[a:b] for a, b in zip([0, *places], [*places, len(data)])]
    return [data[at : at + 1] for at in range(len(data))]
