# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Raw deflate around the documents (docs/protocol/halibut-wire.md §4.2, §4.9).

There is no length in front of a message: its deflate data end by themselves, and the bytes behind belong to what
follows. So a reader goes on to the final block even when the document is complete (§10, Q5), and gives back what it did
not use.
"""

from __future__ import annotations

import struct
import zlib

from .errors import RemoteProtocolError
from .limits import MAX_DEFLATED, MAX_DOCUMENT, READ_SIZE, SINGLE_READ, STORED_BELOW

_STORED = struct.Struct("<BHH")
_PIECE = 1 << 20
_EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # stored, not the last; only where a block begins at a byte


class Inflater:
    """Reads one deflate stream, piece by piece, within the limits."""

    __slots__ = ("_first", "_more", "_taken", "_zlib")

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(-15)
        self._first = b""  # small messages come in one piece, and are never copied
        self._more = bytearray()
        self._taken = 0

    def feed(self, data: bytes) -> bool:
        """Take more bytes; True when the stream has ended. Raises RemoteProtocolError for bad or too much data."""
        inflater = self._zlib
        self._taken += len(data)
        try:
            while data:
                piece = inflater.decompress(data, _PIECE)
                if not self._first:
                    self._first = piece
                elif piece:
                    self._more += piece
                    if len(self._first) + len(self._more) > MAX_DOCUMENT:
                        raise RemoteProtocolError(f"The message inflates to more than {MAX_DOCUMENT} bytes.")
                if inflater.eof:  # zlib may report the bytes behind the end as unconsumed as well as unused
                    return True
                data = inflater.unconsumed_tail
        except zlib.error as error:
            raise RemoteProtocolError(f"The message is not valid deflate data: {error}.") from None
        if self._taken > MAX_DEFLATED:
            raise RemoteProtocolError(f"The message has more than {MAX_DEFLATED} bytes of deflate data.")
        return False

    @property
    def unused(self) -> bytes:
        """The bytes behind the stream, once it has ended."""
        return self._zlib.unused_data

    def document(self) -> bytes:
        """Everything inflated."""
        return self._first + self._more if self._more else self._first


def deflate(document: bytes) -> bytes:
    """One complete deflate stream, with its final block.

    Small documents become a stored block. The result for large ones avoids the sizes that a .NET peer does not read to
    their end: more than 64 KiB inflated, and 1 or 2 bytes above a multiple of 8,192 deflated (§10, Q7).
    """
    size = len(document)
    if size < STORED_BELOW:
        return _STORED.pack(1, size, size ^ 0xFFFF) + document
    data = _compress(document, 1)
    if size > SINGLE_READ:
        for level in (6, 2, 4, 9, 0):
            if len(data) % READ_SIZE not in (1, 2):
                break
            data = _compress(document, level)
        else:
            data = _with_empty_block(document)
    return data


class Deflater:
    """One deflate stream whose beginning is known last: what comes in is compressed at once, and kept like that."""

    __slots__ = ("_pieces", "_writer", "size")

    def __init__(self) -> None:
        self.size = 0  # bytes taken so far
        self._writer = zlib.compressobj(1, zlib.DEFLATED, -15)
        self._pieces: list[bytes] = []

    def append(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        self._pieces.append(self._writer.compress(data))

    def enclose(self, head: bytes, tail: bytes) -> bytes:
        """The whole stream: `head`, what was taken, `tail`. What was taken stays, so that this can be done again.

        As with `deflate`, a size that a .NET peer would not read to its end is avoided, here by empty blocks (§10, Q7).
        """
        first = zlib.compressobj(1, zlib.DEFLATED, -15)
        pieces = [first.compress(head) + first.flush(zlib.Z_FULL_FLUSH), *self._pieces]
        last = self._writer.copy()
        pieces.append(last.compress(tail) + last.flush())
        size = sum(map(len, pieces))
        while size % READ_SIZE in (1, 2):
            pieces.insert(1, _EMPTY_BLOCK)
            size += len(_EMPTY_BLOCK)
        return b"".join(pieces)


def _compress(document: bytes, level: int) -> bytes:
    writer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return writer.compress(document) + writer.flush()


def _with_empty_block(document: bytes) -> bytes:
    """Level 1, with as many empty blocks in front of the end as bring its size past the sizes in question."""
    writer = zlib.compressobj(1, zlib.DEFLATED, -15)
    data = writer.compress(document) + writer.flush(zlib.Z_FULL_FLUSH)
    while len(data + b"\x03\x00") % READ_SIZE in (1, 2):
        data += _EMPTY_BLOCK
    return data + b"\x03\x00"
