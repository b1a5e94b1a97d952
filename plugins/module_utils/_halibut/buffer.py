# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Received bytes that nobody has used yet.

One buffer serves control lines, deflate data and streams alike, so that nothing read ahead by one is lost to the next
(docs/protocol/halibut-wire.md §10, Q5). Chunks are kept as they came; they are joined only where a line or a header
crosses their border, never for the payload of a stream.
"""

from __future__ import annotations

from collections import deque

from .control import quote
from .errors import RemoteProtocolError
from .limits import MAX_LINE


class Buffer:
    """A queue of chunks; the first one is used up to `_pos`."""

    __slots__ = ("_chunk", "_pos", "_queue")

    def __init__(self) -> None:
        self._chunk = b""
        self._pos = 0
        self._queue: deque[bytes] = deque()

    def append(self, data: bytes) -> None:
        if self._pos == len(self._chunk) and not self._queue:
            self._chunk = data
            self._pos = 0
        else:
            self._queue.append(data)

    def __len__(self) -> int:
        return len(self._chunk) - self._pos + sum(map(len, self._queue))

    def __bool__(self) -> bool:
        return self._pos < len(self._chunk) or bool(self._queue)

    def clear(self) -> None:
        self._chunk, self._pos = b"", 0
        self._queue.clear()

    def take(self, limit: int) -> bytes | memoryview:
        """Up to `limit` bytes, without a copy; none if there are none."""
        chunk, pos = self._chunk, self._pos
        size = len(chunk) - pos
        if not size:
            if not self._queue:
                return b""
            chunk = self._chunk = self._queue.popleft()
            pos = 0
            size = len(chunk)
        if size > limit:
            self._pos = pos + limit
            return memoryview(chunk)[pos:self._pos]
        self._chunk = b""
        self._pos = 0
        return memoryview(chunk)[pos:] if pos else chunk

    def take_exactly(self, size: int) -> bytes | None:
        """`size` bytes in one piece, or None if there are fewer."""
        if len(self._chunk) - self._pos < size:
            self._join()
            if len(self._chunk) < size:
                return None
        start = self._pos
        self._pos = start + size
        return self._chunk[start:self._pos]

    def take_chunk(self) -> bytes:
        """The rest of the first chunk; none if there is nothing at all."""
        if self._pos == len(self._chunk):
            if not self._queue:
                return b""
            self._chunk = self._queue.popleft()
            self._pos = 0
        data = self._chunk[self._pos:] if self._pos else self._chunk
        self._chunk = b""
        self._pos = 0
        return data

    def put_back(self, data: bytes) -> None:
        """Give back the end of what `take_chunk` returned."""
        self._chunk = data
        self._pos = 0

    def take_line(self) -> bytes | None:
        """A line without its CR LF, or None if it is not complete yet.

        A bare newline is an ordinary character; a carriage return without a newline is an error (§3.2). Raises
        RemoteProtocolError for that and for lines beyond the limit.
        """
        chunk, start = self._chunk, self._pos
        end = chunk.find(b"\r", start, start + MAX_LINE)
        if self._queue and (end < 0 or end + 1 == len(chunk)):
            self._join()
            chunk, start = self._chunk, self._pos
            end = chunk.find(b"\r", start, start + MAX_LINE)
        if end < 0:
            if len(chunk) - start >= MAX_LINE:
                raise RemoteProtocolError(f"The peer sent a line beyond {MAX_LINE} bytes: {quote(chunk[start:])}.")
            return None
        if end + 1 == len(chunk):
            return None
        if chunk[end + 1] != 0x0A:
            line = quote(chunk[start:end + 2])
            raise RemoteProtocolError(f"The peer sent a carriage return without a newline: {line}.")
        self._pos = end + 2
        return chunk[start:end]

    def starts_with(self, expected: bytes) -> bool | None:
        """Whether `expected` comes next; None as long as that is open."""
        if len(self._chunk) - self._pos < len(expected):
            self._join()
            if len(self._chunk) < len(expected):
                return None if expected.startswith(self._chunk) else False
        return self._chunk.startswith(expected, self._pos)

    def _join(self) -> None:
        self._chunk = b"".join([self._chunk[self._pos:], *self._queue])
        self._pos = 0
        self._queue.clear()
