# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ways of a connection's bytes through a real OpenSSL carry the same bytes and raise the same errors."""

from __future__ import annotations

import contextlib
import os
import types

import pytest
from OpenSSL import SSL

from module_utils._instance import identity
from tentacle_agent.passage import KEPT_BUFFERS, RECORD, Binding, DirectPassage, Passage, WrappedPassage, passage_maker
from tentacle_agent.tls import ServerContext

WITHOUT_BINDING = types.SimpleNamespace(WantReadError=SSL.WantReadError)
MADE_BY = {"direct": passage_maker(SSL), "wrapped": passage_maker(WITHOUT_BINDING)}


class Pair:
    """A client and a server of OpenSSL after their handshake, each with its passage."""

    def __init__(self, context: ServerContext, way: str) -> None:
        self.client_tls, self.server_tls = SSL.Connection(SSL.Context(SSL.SSLv23_METHOD), None), context.connection()
        self.client_tls.set_connect_state()
        self.client, self.server = MADE_BY[way](self.client_tls), MADE_BY[way](self.server_tls)
        for side in (self.client_tls, self.server_tls) * 2:
            with contextlib.suppress(SSL.WantReadError):
                side.do_handshake()
            self.carry()

    def carry(self) -> None:
        for source, target in ((self.client, self.server), (self.server, self.client)):
            while data := source.collect(RECORD):
                target.put(data)

    def read(self, passage: Passage, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += passage.read()
        return data


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ServerContext:
    path = str(tmp_path_factory.mktemp("identity") / "identity.pem")
    identity.save(path, identity.create())
    return ServerContext(path)


@pytest.fixture(params=MADE_BY)
def pair(request: pytest.FixtureRequest, context: ServerContext) -> Pair:
    return Pair(context, request.param)


def test_the_right_one_is_made(context: ServerContext) -> None:
    connection = context.connection()
    assert isinstance(MADE_BY["direct"](connection), DirectPassage)
    assert isinstance(MADE_BY["wrapped"](connection), WrappedPassage)
    unlike = types.SimpleNamespace(bio_write=None, sendall=None)
    assert isinstance(MADE_BY["direct"](unlike), WrappedPassage)


@pytest.mark.parametrize("size", [1, RECORD - 1, RECORD, RECORD + 1, 5 * RECORD + 3])
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_bytes_arrive_as_they_were_sent(pair: Pair, size: int, kind: type) -> None:
    data = os.urandom(size)
    pair.server.write(kind(data))
    pair.carry()
    assert pair.read(pair.client, size) == data


def test_a_large_piece_is_collected_and_put_at_once(pair: Pair) -> None:
    data = os.urandom(10 * RECORD)
    pair.client.write(data)
    sent = pair.client.collect(64 * RECORD)
    assert len(sent) > len(data)
    assert pair.client.collect(RECORD) == pair.client.collect(64 * RECORD) == b""
    pair.server.put(memoryview(bytearray(sent)))
    assert pair.read(pair.server, len(data)) == data


def test_nothing_to_read_is_said(pair: Pair) -> None:
    with pytest.raises(SSL.WantReadError):
        pair.server.read()


def test_the_end_is_said(pair: Pair) -> None:
    pair.client_tls.shutdown()
    pair.carry()
    with pytest.raises(SSL.ZeroReturnError):
        pair.server.read()


def test_a_record_that_was_changed_is_an_error_with_its_reason(pair: Pair) -> None:
    pair.client.write(b"text")
    sent = bytearray(pair.client.collect(RECORD))
    sent[-1] ^= 1
    pair.server.put(bytes(sent))
    with pytest.raises(SSL.Error) as caught:
        pair.server.read()
    assert "bad record mac" in str(caught.value) or "decryption failed" in str(caught.value)


@pytest.mark.parametrize("size", [10, 3 * RECORD])
def test_writing_after_the_end_is_an_error(pair: Pair, size: int) -> None:
    pair.server_tls.shutdown()
    with pytest.raises(SSL.Error):
        pair.server.write(bytes(size))


def test_what_openssl_does_not_take_is_not_lost_silently(context: ServerContext) -> None:
    binding = Binding(vars(SSL)["_ffi"], vars(SSL)["_lib"])
    binding.bio_write = lambda *_arguments: -1
    with pytest.raises(MemoryError, match="4 bytes"):
        DirectPassage(binding, context.connection()).put(b"data")


def test_buffers_are_used_again_by_one_at_a_time() -> None:
    binding = Binding(vars(SSL)["_ffi"], vars(SSL)["_lib"])
    pairs = [binding.borrow() for _unused in range(KEPT_BUFFERS + 3)]
    assert len({id(buffer) for buffer, _window in pairs}) == len(pairs)
    for pair in pairs:
        binding.give_back(pair)
    assert len(binding.buffers) == KEPT_BUFFERS
    again = [binding.borrow() for _unused in range(KEPT_BUFFERS)]
    assert all(pair in pairs for pair in again)
    assert len({id(buffer) for buffer, _window in again}) == KEPT_BUFFERS
