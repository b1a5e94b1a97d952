from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from module_utils._halibut import envelope
from module_utils._halibut.envelope import Inflater
from module_utils._halibut.errors import RemoteProtocolError


def raw_deflate(data: bytes, level: int = 6, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    writer = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    return writer.compress(data) + writer.flush()


def read(*pieces: bytes) -> tuple[bool, bytes, bytes]:
    inflater = Inflater()
    ended = [inflater.feed(piece) for piece in pieces][-1]
    return ended, inflater.document(), inflater.unused


@given(st.binary(max_size=300))
def test_small_documents_are_stored(document):
    data = envelope.deflate(document)
    assert len(data) == len(document) + 5
    assert read(data) == (True, document, b"")


@pytest.mark.parametrize("size", [4095, 4096, 65_535, 65_536, 65_537, 300_000, 3_000_000])
def test_every_size(size):
    document = (random.Random(size).getrandbits(8 * 3000).to_bytes(3000, "little").hex().encode() * (size // 6000 + 1))[
        :size
    ]
    data = envelope.deflate(document)
    assert len(data) < size or size < 4096
    assert read(data + b"NEXT") == (True, document, b"NEXT")


def test_bytes_in_any_pieces():
    document = bytes(range(256)) * 20
    data = raw_deflate(document) + b"more"
    inflater = Inflater()
    ended = [inflater.feed(data[place : place + 1]) for place in range(len(data) - 4)]
    assert ended == [False] * (len(data) - 5) + [True]
    assert inflater.document() == document
    assert inflater.unused == b""


@pytest.mark.parametrize(
    ("level", "strategy"),
    [
        (0, zlib.Z_DEFAULT_STRATEGY),
        (1, zlib.Z_DEFAULT_STRATEGY),
        (9, zlib.Z_DEFAULT_STRATEGY),
        (6, zlib.Z_HUFFMAN_ONLY),
        (6, zlib.Z_FIXED),
    ],
)
def test_every_way_to_compress_is_read(level, strategy):
    document = b"some text " * 5000
    assert read(raw_deflate(document, level, strategy) + b"x") == (True, document, b"x")


def test_a_document_without_bytes():
    assert read(b"\x03\x00rest") == (True, b"", b"rest")


def test_the_limit_is_on_inflated_bytes(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_DOCUMENT", 2_000_000)
    assert read(raw_deflate(bytes(2_000_000)))[0]
    with pytest.raises(RemoteProtocolError, match="inflates to more than 2000000"):
        read(raw_deflate(bytes(2_000_001)))


def test_a_bomb_is_never_inflated_whole(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_DOCUMENT", 2_000_000)
    inflater = Inflater()
    with pytest.raises(RemoteProtocolError):
        inflater.feed(raw_deflate(bytes(100_000_000), 9))
    assert len(inflater.document()) < 4_000_000


def test_the_limit_is_on_deflated_bytes_too(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_DEFLATED", 1000)
    inflater = Inflater()
    empty_block = b"\x00\x00\x00\xff\xff"
    for _unused in range(200):
        assert not inflater.feed(empty_block)
    with pytest.raises(RemoteProtocolError, match="more than 1000 bytes of deflate data"):
        inflater.feed(empty_block)
    assert read(b"\x03\x00" + b"x" * 5000)[0]  # what follows the message does not count


@pytest.mark.parametrize(
    "data", [b"\x07", zlib.compress(b"x"), b"\x1f\x8b\x08\x00", b"NEXT\r\n", b"END\r\n", b"\x01\x05\x00\x00\x00"]
)
def test_what_is_no_deflate_data(data):
    with pytest.raises(RemoteProtocolError, match="not valid deflate data"):
        read(data)


def test_sizes_that_a_dotnet_peer_does_not_read_to_the_end():
    noise = random.Random(1).getrandbits(8 * 70_000).to_bytes(70_000, "little")
    hit = 0
    near = 65_000 + 65_537 - len(raw_deflate(noise[:65_000] + bytes(3000), 1))
    for size in range(near - 15, near + 15):
        document = noise[:size] + bytes(3000)
        hit += len(raw_deflate(document, 1)) % 8192 in (1, 2)
        data = envelope.deflate(document)
        assert len(data) % 8192 not in (1, 2)
        assert zlib.decompress(data, -15) == document
    assert hit > 0  # the rule had something to do


def test_when_no_level_helps_empty_blocks_do(monkeypatch):
    monkeypatch.setattr(envelope, "_compress", lambda document, level: b"x" * 8193)
    monkeypatch.setattr(envelope, "READ_SIZE", 8192)
    document = b"a" * 70_000
    assert zlib.decompress(envelope.deflate(document), -15) == document


def test_empty_blocks_move_the_size_out_of_the_way(monkeypatch):
    document = b"a" * 70_000
    size = len(envelope._with_empty_block(document))
    for multiple in (size - 1, size - 2):
        monkeypatch.setattr(envelope, "READ_SIZE", multiple)
        data = envelope._with_empty_block(document)
        assert len(data) % multiple not in (1, 2)
        assert zlib.decompress(data, -15) == document
