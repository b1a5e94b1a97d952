# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
"""The subset of BSON that Halibut's serializer writes, both ways (docs/protocol/halibut-wire.md §4.8).

Values are plain Python values, except where BSON makes a difference that Python does not:

==========  =======================================================================================
BSON        Python
==========  =======================================================================================
int32       int
int64       Int64 (an int); a plain int that does not fit into 32 bits is written as int64 too
date        Date (an int): milliseconds since 1970-01-01 UTC
binary 4    Guid (bytes): 16 bytes in .NET's order
binary      bytes (sub-type 0 when written; any sub-type when read)
others      float, str, bool, None, dict, list
==========  =======================================================================================

A document that was read and is written again gives the same bytes, apart from the element types that Halibut only
tolerates (undefined, symbol, ObjectId, regular expression, code, timestamp).
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable

from .errors import LocalProtocolError, RemoteProtocolError
from .limits import MAX_DEPTH, MAX_RESPONSE_ELEMENTS, MAX_STRING

if TYPE_CHECKING:
    import uuid

_INT32 = struct.Struct("<i")
_INT64 = struct.Struct("<q")
_DOUBLE = struct.Struct("<d")
_BINARY = struct.Struct("<iB")
_INDEXES = tuple(b"%d" % number for number in range(1000))


class Int64(int):
    """An integer that is written with 64 bits, however small it is."""

    __slots__ = ()


class Date(int):
    """An instant, in milliseconds since 1970-01-01 UTC."""

    __slots__ = ()


class Guid(bytes):
    """A GUID: 16 bytes in .NET's order, the first three fields little-endian (docs/protocol/halibut-wire.md §4.8)."""

    __slots__ = ()

    @classmethod
    def new(cls, random16: bytes) -> Guid:
        """A random (version 4) GUID out of 16 random bytes, which the caller supplies: the core has no source."""
        made = bytearray(random16[3::-1] + random16[5:3:-1] + random16[7:5:-1] + random16[8:16])
        made[7] = made[7] & 0x0F | 0x40
        made[8] = made[8] & 0x3F | 0x80
        return cls(made)

    @classmethod
    def from_uuid(cls, value: uuid.UUID) -> Guid:
        return cls(value.bytes_le)

    @property
    def uuid(self) -> uuid.UUID:
        import uuid  # brings `platform`, and is rarely needed

        return uuid.UUID(bytes_le=bytes(self))

    def __str__(self) -> str:
        fields = (self[3::-1], self[5:3:-1], self[7:5:-1], self[8:10], self[10:])
        return "-".join(field.hex() for field in fields)


class Encoded(bytes):
    """An object that is encoded already: the bytes of its document, which are copied as they are."""

    __slots__ = ()


class Memory:
    """Remembers the last object under one name of a message, so that equal bytes need not be decoded again.

    Every request of a client repeats the same `endpoint`, on each of its connections. The decoded object is shared:
    nobody may change it. Several connections may use one memory, also from several threads: `last` is replaced whole.
    """

    __slots__ = ("last", "name", "validated")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.last: tuple[bytes | None, Any] = (None, None)
        self.validated: Any = None


# Writing ---------------------------------------------------------------------------------------------------------


def encode(document: Mapping[str, Any]) -> bytes:
    """Write one document.

    Raises LocalProtocolError for values that BSON or Halibut's reader cannot take: other types, numbers beyond 64 bits,
    names with a NUL, more than 64 levels, 2 GiB.
    """
    try:
        return _encode_object(document, 1)
    except struct.error as error:
        raise LocalProtocolError("A number or the document itself is too large to be written as BSON.") from error


def encode_around(document: Mapping[str, Any], path: Sequence[str], size: int) -> tuple[bytes, bytes]:
    """The bytes in front of and behind an array that is encoded elsewhere and has `size` bytes.

    `path` names the object's member, that member's member, and so on to the array. Raises LocalProtocolError as
    `encode` does.
    """
    try:
        return _encode_around(document, path, size, 1)
    except struct.error as error:
        raise LocalProtocolError("A number or the document itself is too large to be written as BSON.") from error


def _encode_around(document: Mapping[str, Any], path: Sequence[str], size: int, depth: int) -> tuple[bytes, bytes]:
    name, *rest = path
    head = tail = b""
    if rest:
        head, tail = _encode_around(document[name], rest, size, depth + 1)
    names = list(document)
    position = names.index(name)
    before, after = (
        b"".join([_encode_element(_name(other), document[other], depth) for other in others])
        for others in (names[:position], names[position + 1:])
    )
    head = b"%b%c%b\0%b" % (before, 3 if rest else 4, _name(name), head)
    tail = b"%b%b\0" % (tail, after)
    return _INT32.pack(4 + len(head) + size + len(tail)) + head, tail


def _encode_object(document: Mapping[str, Any], depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise LocalProtocolError(f"A document with more than {MAX_DEPTH} levels cannot be written.")
    parts = []
    for name, value in document.items():
        if type(value) is str:  # most members are texts or null: the call is saved
            parts.append(encode_text(_name(name), value))
        elif value is None:
            parts.append(b"\x0a%b\0" % _name(name))
        else:
            parts.append(_encode_element(_name(name), value, depth))
    body = b"".join(parts)
    return b"%b%b\0" % (_INT32.pack(len(body) + 5), body)


def _encode_array(values: Any, depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise LocalProtocolError(f"A document with more than {MAX_DEPTH} levels cannot be written.")
    if len(values) <= 1000:
        body = b"".join([_encode_element(name, value, depth) for name, value in zip(_INDEXES, values)])
    else:
        body = b"".join([_encode_element(b"%d" % number, value, depth) for number, value in enumerate(values)])
    return b"%b%b\0" % (_INT32.pack(len(body) + 5), body)


def encode_text(name: bytes, value: str) -> bytes:
    """One member that is a text."""
    raw = utf8(value)
    return b"\x02%b\0%b%b\0" % (name, _INT32.pack(len(raw) + 1), raw)


def _encode_element(name: bytes, value: Any, depth: int) -> bytes:
    kind = type(value)
    if kind is str:
        return encode_text(name, value)
    if value is None:
        return b"\x0a%b\0" % name
    if kind is dict:
        return b"\x03%b\0%b" % (name, _encode_object(value, depth + 1))
    if kind is int:
        if -0x80000000 <= value <= 0x7FFFFFFF:
            return b"\x10%b\0%b" % (name, _INT32.pack(value))
        return b"\x12%b\0%b" % (name, _INT64.pack(value))
    if kind is Date:
        return b"\x09%b\0%b" % (name, _INT64.pack(value))
    if kind is Int64:
        return b"\x12%b\0%b" % (name, _INT64.pack(value))
    if kind is list or kind is tuple:
        return b"\x04%b\0%b" % (name, _encode_array(value, depth + 1))
    if kind is bool:
        return b"\x08%b\0%c" % (name, value)
    if kind is Guid:
        if len(value) != 16:
            raise LocalProtocolError(f"A GUID has 16 bytes, not {len(value)}.")
        return b"\x05%b\0\x10\0\0\0\x04%b" % (name, value)
    if kind is bytes:
        return b"\x05%b\0%b\0%b" % (name, _INT32.pack(len(value)), value)
    if kind is float:
        return b"\x01%b\0%b" % (name, _DOUBLE.pack(value))
    if kind is Encoded:
        return b"\x03%b\0%b" % (name, value)
    if isinstance(value, int):  # an enumeration
        return _encode_element(name, int(value), depth)
    if isinstance(value, Mapping):
        return b"\x03%b\0%b" % (name, _encode_object(value, depth + 1))
    raise LocalProtocolError(f"A value of type {kind.__name__} cannot be written as BSON.")


@functools.lru_cache(maxsize=256)  # the same few dozen names in every message
def _name(name: str) -> bytes:
    if "\0" in name:
        raise LocalProtocolError("The name of a member cannot contain a NUL character.")
    return utf8(name)


def utf8(text: str) -> bytes:
    """UTF-8; a lone surrogate, as in undecodable file names, becomes U+FFFD as it does in .NET."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


# Reading ---------------------------------------------------------------------------------------------------------


def decode(data: bytes, elements: int = MAX_RESPONSE_ELEMENTS, memory: Memory | None = None) -> dict[str, Any]:
    """Read the document at the start of `data`; bytes behind it are ignored, as Halibut does (§4.2).

    `elements` is the maximum number of elements in it, at all levels together. Raises RemoteProtocolError for
    everything that is no document, and for one beyond the limits.
    """
    return _Decoder(data, elements, memory).root()


class _Decoder:
    """Decodes one document; `left` is the number of elements that may still come."""

    __slots__ = ("data", "left", "memory")

    def __init__(self, data: bytes, elements: int, memory: Memory | None) -> None:
        self.data = data
        self.left = elements
        self.memory = memory

    def root(self) -> dict[str, Any]:
        try:
            return self.container(0, 1, False)  # type: ignore[no-any-return]
        except (struct.error, IndexError, ValueError) as error:  # short data, no NUL behind a name, bad UTF-8
            raise RemoteProtocolError(f"The message is not valid BSON: {error}.") from None

    def container(self, pos: int, depth: int, is_list: bool) -> Any:
        """The object or array that starts at `pos`."""
        data, memory = self.data, self.memory
        size = _INT32.unpack_from(data, pos)[0]
        end = pos + size - 1
        if size < 5 or data[end]:
            raise RemoteProtocolError(f"The message is not valid BSON: bad container at offset {pos}.")
        if depth > MAX_DEPTH:
            raise RemoteProtocolError(f"The message is nested deeper than {MAX_DEPTH} levels.")
        pos += 4
        items: Any = [] if is_list else {}
        value: Any
        left = self.left
        while pos < end:
            left -= 1
            if left < 0:
                raise RemoteProtocolError("The message has too many elements.")
            kind = data[pos]
            nul = data.index(0, pos + 1, end)
            name = data[pos + 1:nul]
            pos = nul + 1
            if kind == 0x02:
                size = _INT32.unpack_from(data, pos)[0]
                start = pos + 4
                pos = start + size
                if not 1 <= size <= MAX_STRING or data[pos - 1]:
                    raise RemoteProtocolError(f"The message is not valid BSON: bad text at offset {start}.")
                value = data[start:pos - 1].decode()
            elif kind == 0x03 or kind == 0x04:
                size = _INT32.unpack_from(data, pos)[0]
                self.left = left
                if memory is not None and depth == 2 and kind == 0x03 and name == memory.name:
                    raw = data[pos:pos + size]
                    before, value = memory.last
                    if raw != before:
                        value = self.container(pos, depth + 1, False)
                        memory.last = (raw, value)
                else:
                    value = self.container(pos, depth + 1, kind == 0x04)
                left = self.left
                pos += size
            elif kind == 0x10:
                value = _INT32.unpack_from(data, pos)[0]
                pos += 4
            elif kind == 0x0A:
                value = None
            elif kind == 0x12:
                value = Int64(_INT64.unpack_from(data, pos)[0])
                pos += 8
            else:
                value, pos = self.rare(kind, pos)
            if pos > end:
                raise RemoteProtocolError(f"The message is not valid BSON: an element overruns offset {end}.")
            if is_list:
                items.append(value)
            else:
                items[name.decode()] = value
        self.left = left
        return items

    def rare(self, kind: int, pos: int) -> tuple[Any, int]:
        """An element of one of the less frequent types; returns the value and the offset behind it."""
        reader = _RARE.get(kind)
        if reader is None:
            raise RemoteProtocolError(f"The message is not valid BSON: element type 0x{kind:02x} at offset {pos}.")
        return reader(self, pos)

    def double(self, pos: int) -> tuple[Any, int]:
        return _DOUBLE.unpack_from(self.data, pos)[0], pos + 8

    def boolean(self, pos: int) -> tuple[Any, int]:
        return self.data[pos] != 0, pos + 1

    def date(self, pos: int) -> tuple[Any, int]:
        return Date(_INT64.unpack_from(self.data, pos)[0]), pos + 8

    def binary(self, pos: int) -> tuple[Any, int]:
        size, subtype = _BINARY.unpack_from(self.data, pos)
        start = pos + 5
        raw = self.data[start:start + max(size, 0)]
        if len(raw) != size:
            raise RemoteProtocolError(f"The message is not valid BSON: bad binary at offset {pos}.")
        return (Guid(raw) if subtype == 4 and size == 16 else raw), start + size

    # The types below are never written by Halibut, but read by its serializer.

    def undefined(self, pos: int) -> tuple[Any, int]:
        return None, pos

    def symbol(self, pos: int) -> tuple[Any, int]:
        size = _INT32.unpack_from(self.data, pos)[0]
        end = pos + 4 + size
        if not 1 <= size <= MAX_STRING or self.data[end - 1]:
            raise RemoteProtocolError(f"The message is not valid BSON: bad text at offset {pos}.")
        return self.data[pos + 4:end - 1].decode(), end

    def object_id(self, pos: int) -> tuple[Any, int]:
        return self.data[pos:pos + 12], pos + 12

    def regular_expression(self, pos: int) -> tuple[Any, int]:
        middle = self.data.index(0, pos)
        end = self.data.index(0, middle + 1)
        return f"/{self.data[pos:middle].decode()}/{self.data[middle + 1:end].decode()}", end + 1

    def timestamp(self, pos: int) -> tuple[Any, int]:
        return Int64(_INT64.unpack_from(self.data, pos)[0]), pos + 8


_RARE: Mapping[int, Callable[[_Decoder, int], tuple[Any, int]]] = {
    0x01: _Decoder.double,
    0x05: _Decoder.binary,
    0x06: _Decoder.undefined,
    0x07: _Decoder.object_id,
    0x08: _Decoder.boolean,
    0x09: _Decoder.date,
    0x0B: _Decoder.regular_expression,
    0x0D: _Decoder.symbol,
    0x0E: _Decoder.symbol,
    0x11: _Decoder.timestamp,
}
