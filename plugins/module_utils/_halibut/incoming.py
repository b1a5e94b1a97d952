# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Reading one message and the data streams behind it (docs/protocol/halibut-wire.md §4.2, §5)."""

from __future__ import annotations

import struct
from typing import Callable

from . import bson
from .buffer import Buffer
from .envelope import Inflater
from .errors import RemoteProtocolError
from .events import MessageEnded, Received, RequestReceived, ResponseReceived, StreamData, StreamEnded, StreamStarted
from .limits import MAX_REQUEST_ELEMENTS, MAX_RESPONSE_ELEMENTS, MAX_STREAM_LENGTH, MAX_STREAMS
from .messages import Request, Response, Types, read_request, read_response, streams_of
from .objects import DataStream
from .repeats import RequestMemory

_HEADER = struct.Struct("<16sq")
_LENGTH = struct.Struct("<q")
_MESSAGE_ENDED = MessageEnded()


class RequestDecoder:
    """Turns inflated bytes into requests; `memory` saves it reading again what clients repeat."""

    __slots__ = ("_memory", "_types")

    def __init__(self, types: Types, memory: RequestMemory) -> None:
        self._types = types
        self._memory = memory

    def decode(self, data: bytes) -> Request:
        """The request in `data`. Raises RemoteProtocolError."""
        return self._memory.recognise(data) or self._read(data)

    def _read(self, data: bytes) -> Request:
        endpoint = self._memory.endpoint
        document = bson.decode(data, MAX_REQUEST_ELEMENTS, endpoint)
        request = read_request(document, self._types, endpoint.validated)  # equal bytes give the same endpoint object
        if request is None:
            raise RemoteProtocolError("The peer sent a null message where a request was expected.")
        endpoint.validated = request.endpoint
        self._memory.remember(data, request)
        return request


class ResponseDecoder:
    """Turns inflated bytes into responses."""

    __slots__ = ("_types",)

    def __init__(self, types: Types) -> None:
        self._types = types

    def decode(self, data: bytes) -> Response:
        """The response in `data`. Raises RemoteProtocolError."""
        response = read_response(bson.decode(data, MAX_RESPONSE_ELEMENTS), self._types)
        if response is None:
            raise RemoteProtocolError("The peer sent a null message where a response was expected.")
        return response


class MessageReader:
    """Reads the messages of one connection out of its buffer, one after the other."""

    __slots__ = ("_announced", "_buffer", "_decoder", "_inflater", "_left", "_remaining", "_step", "_stream")

    def __init__(self, buffer: Buffer, decoder: RequestDecoder | ResponseDecoder) -> None:
        self._buffer = buffer
        self._decoder = decoder
        self._announced: dict[bytes, DataStream] = {}
        self._remaining = 0  # streams that have not ended
        self.start()

    def start(self) -> None:
        """Get ready for the next message."""
        self._inflater: Inflater | None = None  # made for the first byte, so that idle connections have none
        self._step: Callable[[MessageReader, list[Received]], bool] | None = MessageReader._read_document
        self._stream: DataStream | None = None
        self._left = 0

    @property
    def in_streams(self) -> bool:
        return self._remaining > 0

    def read(self, found: list[Received]) -> bool:
        """Read on, adding events to `found`; True once the message and its streams are whole.

        Raises RemoteProtocolError. After True, `start` makes ready for the next message.
        """
        while self._step is not None:
            if not self._step(self, found):
                return False
        return True

    def end_of_stream(self) -> RemoteProtocolError:
        """The error for a connection that ends here."""
        if self._stream is None:
            where = "in front of a data stream" if self._remaining else "within a message"
            return RemoteProtocolError(f"The connection ended {where}.")
        length = self._stream.length
        return RemoteProtocolError(
            f"The connection ended within data stream {self._stream.id}: {length - self._left} of {length} bytes came."
        )

    def _read_document(self, found: list[Received]) -> bool:
        buffer = self._buffer
        inflater = self._inflater = self._inflater or Inflater()
        while True:
            data = buffer.take_chunk()
            if not data:
                return False
            if inflater.feed(data):
                break
        if inflater.unused:
            buffer.put_back(inflater.unused)
        self._inflater = None
        message = self._decoder.decode(inflater.document())
        found.append(RequestReceived(message) if isinstance(message, Request) else ResponseReceived(message))
        streams = streams_of(message)
        if not streams:
            return self._end(found)
        if len(streams) > MAX_STREAMS:
            raise RemoteProtocolError(f"The message announces more than {MAX_STREAMS} data streams.")
        self._announced = {stream.id: stream for stream in streams}
        self._remaining = len(streams)
        self._step = MessageReader._read_header
        return True

    def _read_header(self, found: list[Received]) -> bool:
        header = self._buffer.take_exactly(_HEADER.size)
        if header is None:
            return False
        name, length = _HEADER.unpack(header)
        stream = self._announced.get(name)
        if stream is None:
            raise RemoteProtocolError("The peer sent a data stream that its message does not announce.")
        if not 0 <= length <= MAX_STREAM_LENGTH:
            raise RemoteProtocolError(f"The peer announced a data stream of {length} bytes.")
        self._stream = DataStream(stream.id, length)
        self._left = length
        found.append(StreamStarted(self._stream))
        self._step = MessageReader._read_payload
        return True

    def _read_payload(self, found: list[Received]) -> bool:
        take, left = self._buffer.take, self._left
        while left:
            data = take(left)
            if not data:
                self._left = left
                return False
            left -= len(data)
            found.append(StreamData(data))
        self._left = 0
        self._step = MessageReader._read_trailer
        return True

    def _read_trailer(self, found: list[Received]) -> bool:
        trailer = self._buffer.take_exactly(_LENGTH.size)
        if trailer is None or self._stream is None:
            return False
        stream = self._stream
        if _LENGTH.unpack(trailer)[0] != stream.length:
            raise RemoteProtocolError(f"Data stream {stream.id} of {stream.length} bytes has another length behind it.")
        found.append(StreamEnded(stream))
        self._stream = None
        self._remaining -= 1
        if not self._remaining:
            return self._end(found)
        self._step = MessageReader._read_header
        return True

    def _end(self, found: list[Received]) -> bool:
        found.append(_MESSAGE_ENDED)
        self._step = None
        return True
