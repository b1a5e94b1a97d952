"""What a client and a service say to each other, and what they do with anything else."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from module_utils._halibut import events
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.contracts import (
    CapabilitiesResponseV2,
    DataStream,
    ScriptFile,
    ScriptTicket,
    StartScriptCommandV2,
)
from module_utils._halibut.errors import RemoteProtocolError
from module_utils._halibut.events import (
    Accept,
    Goodbye,
    GoodbyeReceived,
    Hello,
    MessageEnded,
    Next,
    PeerClosed,
    PeerIdentified,
    PrefaceReceived,
    RequestReceived,
    ResponseReceived,
    StreamData,
    StreamEnd,
    StreamEnded,
    StreamStarted,
)
from module_utils._halibut.messages import Request, Response, ServerError

from .connections import CALL, UPLOAD, A, B, Pair, client_in, drain, service_in


@pytest.fixture(params=[1, 3, 1 << 30], ids=["one byte", "three bytes", "whole"])
def pair(request) -> Pair:
    pair = Pair(request.param)
    pair.greet()
    return pair


def test_calls_on_one_connection(pair):
    pair.call(CALL, Response("id-1", CapabilitiesResponseV2(("IScriptService",))))
    pair.again()
    pair.call(CALL, Response("id-1", None, ServerError("message", "details", "type")))
    assert pair.send(pair.client, Goodbye()) == [GoodbyeReceived()]
    assert (pair.client.state, pair.service.state) == (State.CLOSED, State.CLOSED)


def test_streams_both_ways(pair):
    stream = DataStream(A, 5)
    expected = [StreamStarted(stream), StreamData(b"12345"), StreamEnded(stream), MessageEnded()]
    received = pair.send(pair.client, UPLOAD, StreamData(b"123"), StreamData(memoryview(b"45")), StreamEnd())
    assert received == [RequestReceived(UPLOAD), *expected]
    response = Response("id-2", stream)
    assert pair.send(pair.service, response, StreamData(b"12345"), StreamEnd()) == [
        ResponseReceived(response),
        *expected,
    ]
    pair.again()


def test_several_streams_one_of_them_empty(pair):
    files = (ScriptFile("a", DataStream(A, 2)), ScriptFile("none", None), ScriptFile("b", DataStream(B, 0)))
    request = Request("id", A, "S", "M", (StartScriptCommandV2(ScriptTicket("t"), "x", files=files), None, "text"))
    assert pair.send(pair.client, request, StreamData(b"ab"), StreamEnd(), StreamEnd()) == [
        RequestReceived(request),
        StreamStarted(DataStream(A, 2)),
        StreamData(b"ab"),
        StreamEnded(DataStream(A, 2)),
        StreamStarted(DataStream(B, 0)),
        StreamEnded(DataStream(B, 0)),
        MessageEnded(),
    ]


def test_goodbye_in_the_place_of_a_request(pair):
    pair.call(CALL, Response("id-1"))
    pair.again()
    assert pair.send(pair.client, Goodbye()) == [GoodbyeReceived()]


def test_states_along_the_way():
    pair = Pair()
    client, service = pair.client, pair.service
    assert (client.state, service.state) == (State.PREFACE, State.PREFACE)
    pair.send(client, Hello())
    assert (client.state, service.state) == (State.IDENTITY, State.DECIDING)
    service.send(Accept())
    assert service.state is State.IDENTITY
    drain(service)
    pair.deliver(service, client)
    assert (client.state, service.state) == (State.READY, State.AWAIT_MESSAGE)
    client.send(UPLOAD)
    assert client.state is State.SENDING_STREAMS
    message, *rest = client.data_to_send()
    service.receive_data(bytes(message[:9]))
    assert drain(service) == []
    assert service.state is State.IN_MESSAGE
    service.receive_data(bytes(message[9:]))
    drain(service)
    assert service.state is State.STREAMS
    client.send(StreamData(b"12345"))
    client.send(StreamEnd())
    assert client.state is State.AWAIT_MESSAGE
    service.receive_data(b"".join(rest + client.data_to_send()))
    drain(service)
    assert service.state is State.BUSY
    service.send(Response("id", DataStream(B, 1)))
    assert service.state is State.SENDING_STREAMS
    service.send(StreamData(b"x"))
    service.send(StreamEnd())
    assert service.state is State.AWAIT_CONTROL
    pair.deliver(service, client)
    assert client.state is State.IDLE
    client.send(Next())
    assert client.state is State.AWAIT_CONTROL


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), max_size=20), st.sampled_from(list(State)), st.booleans())
@settings(max_examples=400)
def test_any_bytes_are_events_or_an_error(data, sizes, state, ends):
    for make in (service_in, client_in):
        try:
            side = make(state)
        except AssertionError:
            continue
        pos = 0
        try:
            for size in [*sizes, len(data)]:
                side.receive_data(data[pos : pos + size])
                pos += size
                for event in drain(side):
                    assert isinstance(event, typing.get_args(events.Received))
            if ends:
                side.receive_eof()
                drain(side)
                assert side.events() == []
        except RemoteProtocolError as error:
            assert str(error).endswith(".")  # noqa: PT017
            assert side.state is State.FAILED


@given(
    st.lists(st.one_of(st.just(CALL), st.just(UPLOAD)), max_size=4),
    st.integers(1, 64),
    st.binary(min_size=5, max_size=5),
)
@settings(max_examples=60)
def test_any_conversation_in_any_pieces(calls, size, content):
    pair = Pair(size)
    pair.greet()
    for number, request in enumerate(calls):
        if number:
            pair.again()
        if request is CALL:
            pair.call(request, Response(request.id, content.hex()))
            continue
        received = pair.send(pair.client, request, StreamData(content), StreamEnd())
        assert received[2] == StreamData(content)
        response = Response(request.id, DataStream(B, 5))
        received = pair.send(pair.service, response, StreamData(content), StreamEnd())
        assert received[2] == StreamData(content)
    assert pair.send(pair.client, Goodbye()) == [GoodbyeReceived()]


def test_exhausted_means_that_no_event_is_left_and_more_may_come():
    service = Connection(Role.SERVICE)
    assert service.exhausted
    service.receive_data(b"MX\r\n\r\nMX-CLIENT")
    assert not service.exhausted
    assert service.events() == [PrefaceReceived(b"MX")]
    assert not service.exhausted  # the identity waits for our decision
    service.send(Accept())
    assert service.events() == []
    assert not service.exhausted  # half a line
    service.receive_data(b" 1.0\r\n\r\n")
    assert service.events() == [PeerIdentified("MX-CLIENT", "1.0")]
    assert service.exhausted
    service.receive_eof()
    assert not service.exhausted
    assert service.events() == [PeerClosed()]
    broken = Connection(Role.SERVICE)
    broken.receive_data(b"M")
    broken.receive_eof()
    with pytest.raises(RemoteProtocolError):
        broken.events()
    assert not broken.exhausted
