from __future__ import annotations

import struct

import pytest

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import DataStream
from module_utils._halibut.envelope import deflate
from module_utils._halibut.errors import LocalProtocolError
from module_utils._halibut.outgoing import MessageWriter

A, B = Guid(b"a" * 16), Guid(b"b" * 16)


def test_every_part_is_a_write_of_its_own():
    writer = MessageWriter()
    writer.message(b"document", (DataStream(A, 5), DataStream(B, 0)))
    chunk = b"ab"
    writer.stream_data(chunk)
    writer.stream_data(memoryview(b"cde"))
    writer.stream_data(b"")
    writer.stream_end()
    assert writer.in_streams
    writer.stream_end()
    assert not writer.in_streams
    writes = writer.collect()
    five, zero = struct.pack("<q", 5), struct.pack("<q", 0)
    assert writes == [deflate(b"document"), A, five, b"ab", b"cde", five, B, zero, zero]
    assert writes[3] is chunk
    assert writer.collect() == []


def test_a_view_is_measured_in_bytes():
    writer = MessageWriter()
    writer.message(b"", (DataStream(A, 8),))
    writer.stream_data(memoryview(b"12345678").cast("i"))
    writer.stream_end()


def test_too_many_bytes():
    writer = MessageWriter()
    writer.message(b"", (DataStream(A, 2),))
    with pytest.raises(LocalProtocolError, match="gets more"):
        writer.stream_data(b"abc")


def test_too_few_bytes():
    writer = MessageWriter()
    writer.message(b"", (DataStream(A, 2),))
    writer.stream_data(b"a")
    with pytest.raises(LocalProtocolError, match="but got 1"):
        writer.stream_end()


@pytest.mark.parametrize("streams", [(DataStream(A, 1), DataStream(A, 1)), (DataStream(A, -1),)])
def test_streams_that_cannot_be_announced(streams):
    writer = MessageWriter()
    with pytest.raises(LocalProtocolError):
        writer.message(b"", streams)
    assert writer.collect() == []
    assert not writer.in_streams
