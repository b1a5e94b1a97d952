# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
"""Writing one message and the data streams behind it (docs/protocol/halibut-wire.md §4.9, §5)."""

from __future__ import annotations

import struct
from collections import deque
from typing import Union

from .envelope import deflate
from .errors import LocalProtocolError
from .objects import DataStream

_LENGTH = struct.Struct("<q")
Write = Union[bytes, memoryview]


class MessageWriter:
    """Collects what is to be written; every item is one write, and a TLS record boundary (§10, Q4)."""

    __slots__ = ("_left", "_streams", "_writes")

    def __init__(self) -> None:
        self._writes: list[Write] = []
        self._streams: deque[DataStream] = deque()
        self._left = 0

    @property
    def in_streams(self) -> bool:
        """True while announced streams have not been written."""
        return bool(self._streams)

    def write(self, data: Write) -> None:
        self._writes.append(data)

    def collect(self) -> list[Write]:
        """Everything since the last call."""
        writes = self._writes
        self._writes = []
        return writes

    def message(self, document: bytes, streams: tuple[DataStream, ...]) -> None:
        """Write an encoded message; its streams must follow. Raises LocalProtocolError, nothing is written then."""
        if streams:
            if len({stream.id for stream in streams}) < len(streams):
                raise LocalProtocolError("A message cannot announce the same data stream twice.")
            if min(stream.length for stream in streams) < 0:
                raise LocalProtocolError("The length of a data stream cannot be negative.")
        self._writes.append(deflate(document))
        self._streams.extend(streams)
        self._begin()

    def stream_data(self, data: Write) -> None:
        """Write bytes of the current stream, without a copy. Raises LocalProtocolError if they are too many."""
        size = data.nbytes if type(data) is memoryview else len(data)
        if size > self._left:
            stream = self._streams[0]
            raise LocalProtocolError(f"Data stream {stream.id} is declared with {stream.length} bytes, but gets more.")
        if size:
            self._left -= size
            self._writes.append(data)

    def stream_end(self) -> None:
        """End the current stream, and write the header of the next one. Raises LocalProtocolError if bytes lack."""
        stream = self._streams[0]
        if self._left:
            got = stream.length - self._left
            raise LocalProtocolError(
                f"Data stream {stream.id} is declared with {stream.length} bytes, but got {got}."
            )
        self._writes.append(_LENGTH.pack(stream.length))
        self._streams.popleft()
        self._begin()

    def _begin(self) -> None:
        if self._streams:
            stream = self._streams[0]
            self._left = stream.length
            self._writes += (bytes(stream.id), _LENGTH.pack(stream.length))
