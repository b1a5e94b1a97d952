from __future__ import annotations

import pytest

from module_utils._halibut.buffer import Buffer
from module_utils._halibut.errors import RemoteProtocolError
from module_utils._halibut.limits import MAX_LINE


def filled(*chunks: bytes) -> Buffer:
    buffer = Buffer()
    for chunk in chunks:
        buffer.append(chunk)
    return buffer


def test_length_counts_all_chunks():
    buffer = filled(b"abc", b"de")
    assert len(buffer) == 5
    assert buffer
    buffer.take(2)
    assert len(buffer) == 3
    buffer.clear()
    assert len(buffer) == 0
    assert not buffer


def test_take_gives_whole_chunks_without_a_copy():
    chunk = b"abcdef"
    buffer = filled(chunk, b"gh")
    assert buffer.take(100) is chunk
    assert buffer.take(100) == b"gh"
    assert buffer.take(100) == b""


def test_take_gives_views_of_parts():
    buffer = filled(b"abcdef")
    first, rest = buffer.take(2), buffer.take(100)
    assert isinstance(first, memoryview)
    assert (bytes(first), bytes(rest)) == (b"ab", b"cdef")


def test_take_exactly_joins_only_when_it_must():
    buffer = filled(b"abc", b"d")
    assert buffer.take_exactly(2) == b"ab"
    assert buffer.take_exactly(3) is None
    buffer.append(b"e")
    assert buffer.take_exactly(3) == b"cde"
    assert buffer.take_exactly(1) is None


def test_take_chunk_and_put_back():
    buffer = filled(b"abc", b"de")
    assert buffer.take_exactly(1) == b"a"
    assert buffer.take_chunk() == b"bc"
    buffer.put_back(b"c")
    assert bytes(buffer.take(9)) == b"c"
    assert buffer.take_chunk() == b"de"
    assert buffer.take_chunk() == b""


@pytest.mark.parametrize(
    "chunks", [(b"one\r\ntwo\r\n",), (b"one\r", b"\ntwo\r\n"), tuple(bytes([b]) for b in b"one\r\ntwo\r\n")]
)
def test_lines(chunks):
    buffer = filled(*chunks)
    assert buffer.take_line() == b"one"
    assert buffer.take_line() == b"two"
    assert buffer.take_line() is None


def test_an_unfinished_line_stays():
    buffer = filled(b"on")
    assert buffer.take_line() is None
    buffer.append(b"e\r")
    assert buffer.take_line() is None
    buffer.append(b"\n")
    assert buffer.take_line() == b"one"


def test_a_bare_newline_is_an_ordinary_character():
    assert filled(b"a\nb\r\n").take_line() == b"a\nb"


def test_a_bare_carriage_return_is_an_error():
    with pytest.raises(RemoteProtocolError, match="without a newline"):
        filled(b"a\rb").take_line()


def test_lines_are_limited():
    assert filled(b"x" * (MAX_LINE - 1) + b"\r\n").take_line() is not None
    with pytest.raises(RemoteProtocolError, match="beyond"):
        filled(b"x" * MAX_LINE).take_line()
    with pytest.raises(RemoteProtocolError, match="beyond"):
        filled(b"x" * MAX_LINE + b"\r\n").take_line()


def test_starts_with():
    assert filled(b"END\r\n").starts_with(b"END\r\n") is True
    assert filled(b"EN", b"D\r\nx").starts_with(b"END\r\n") is True
    assert filled(b"EN").starts_with(b"END\r\n") is None
    assert filled(b"").starts_with(b"END\r\n") is None
    assert filled(b"EX").starts_with(b"END\r\n") is False
    assert filled(b"EXTRA").starts_with(b"END\r\n") is False
