"""A connection whose peer leaves, breaks the protocol, or is none."""

from __future__ import annotations

import pytest

from module_utils._halibut import connection as module
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.errors import RemoteProtocolError, UnknownIdentity
from module_utils._halibut.events import (
    Accept,
    MessageEnded,
    NextReceived,
    PageRequested,
    PeerClosed,
    PeerIdentified,
    PrefaceReceived,
    RequestReceived,
    StreamData,
    StreamStarted,
)
from module_utils._halibut.messages import Response

from .connections import CALL, UPLOAD, client_in, drain, message_bytes, service_in


@pytest.mark.parametrize("state", [State.PREFACE, State.AWAIT_MESSAGE, State.AWAIT_CONTROL])
def test_a_service_may_be_left(state):
    service = service_in(state)
    service.receive_eof()
    assert service.events() == [PeerClosed()]
    assert service.events() == []
    assert service.state is State.CLOSED


@pytest.mark.parametrize("state", [State.IDENTITY, State.AWAIT_CONTROL])
def test_a_client_may_be_left(state):
    client = client_in(state)
    client.receive_eof()
    assert client.events() == [PeerClosed()]
    assert client.events() == []


@pytest.mark.parametrize(
    ("make", "state", "data", "reason"),
    [
        (service_in, State.PREFACE, b"M", "first character"),
        (service_in, State.IDENTITY, b"", "identity"),
        (service_in, State.IDENTITY, b"MX-CLIENT 1.0\r\n", "identity"),
        (service_in, State.AWAIT_MESSAGE, b"\x01", "within a message"),
        (service_in, State.AWAIT_MESSAGE, b"END", "not valid deflate|within a message"),
        (service_in, State.AWAIT_CONTROL, b"NEX", "control line"),
        (service_in, State.AWAIT_CONTROL, b"\r\nNEX", "control line"),
        (client_in, State.IDENTITY, b"MX", "identity"),
        (client_in, State.IDENTITY, b"MX-SERVER 1.0\r\n", "identity"),
        (client_in, State.AWAIT_MESSAGE, b"", "may have run"),
        (client_in, State.AWAIT_MESSAGE, b"\x01", "within a message"),
        (client_in, State.AWAIT_CONTROL, b"PROC", "control line"),
    ],
)
def test_ends_in_the_wrong_place(make, state, data, reason):
    side = make(state)
    side.receive_data(data)
    side.receive_eof()
    with pytest.raises(RemoteProtocolError, match=reason):
        drain(side)
    with pytest.raises(RemoteProtocolError, match=reason):
        side.events()
    assert side.state is State.FAILED


def test_an_end_behind_empty_lines_is_an_end():
    service = service_in(State.AWAIT_CONTROL)
    service.receive_data(b"\r\n\r\n")
    service.receive_eof()
    assert drain(service) == [PeerClosed()]


@pytest.mark.parametrize(
    ("make", "state", "data", "reason"),
    [
        (service_in, State.IDENTITY, b"\r\n", "empty line"),
        (service_in, State.IDENTITY, b"  \r\n\r\n", "empty line"),
        (service_in, State.IDENTITY, b"MX-CLIENT 1.0\r\nx\r\n", "not empty"),
        (service_in, State.IDENTITY, b"MX-CLIENT\r1.0", "without a newline"),
        (service_in, State.AWAIT_MESSAGE, b"NEXT\r\n", "deflate"),
        (service_in, State.AWAIT_CONTROL, b"PROCEED\r\n", "NEXT or END"),
        (service_in, State.AWAIT_CONTROL, b" NEXT\r\n", "NEXT or END"),
        (client_in, State.IDENTITY, b"MX-CLIENT 1.0\r\n\r\n", "MX-SERVER was expected"),
        (client_in, State.IDENTITY, b"HTTP/1.1 200 OK\r\n\r\n", "no kind of Halibut peer"),
        (client_in, State.AWAIT_CONTROL, b"NEXT\r\n", "PROCEED was expected"),
        (client_in, State.AWAIT_MESSAGE, b"END\r\n", "deflate"),
    ],
)
def test_breaches_of_the_protocol(make, state, data, reason):
    side = make(state)
    side.data_to_send()
    side.receive_data(data)
    with pytest.raises(RemoteProtocolError, match=reason):
        drain(side)
    assert side.data_to_send() == []
    assert side.state is State.FAILED


@pytest.mark.parametrize("kind", ["MX-SERVER 1.0", "MX-SUBSCRIBER 1.0 poll://abc/"])
def test_other_kinds_are_answered_and_then_refused(kind):
    service = service_in(State.IDENTITY)
    service.receive_data(kind.encode() + b"\r\n\r\n")
    (identified,) = service.events()
    assert identified.kind == kind.split()[0]
    assert service.data_to_send() == [b"MX-SERVER 1.0\r\n\r\n"]
    with pytest.raises(RemoteProtocolError) as caught:
        service.events()
    assert not caught.value.linger


def test_unknown_kinds_are_not_answered_and_linger():
    service = service_in(State.IDENTITY)
    service.receive_data(b"MX-OTHER 1.0\r\n\r\n")
    with pytest.raises(UnknownIdentity) as caught:
        service.events()
    assert caught.value.linger
    assert service.data_to_send() == []


def test_the_page():
    service = Connection(Role.SERVICE)
    service.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert service.events() == []
    service.receive_data(b"\r\nbody")
    assert drain(service) == [PageRequested(b"GET / HTTP/1.1")]
    assert service.state is State.CLOSED
    service.receive_data(b"more")
    assert service.events() == []


@pytest.mark.parametrize("data", [b"GET", b"MY"])
def test_a_page_for_half_a_request(data):
    service = Connection(Role.SERVICE)
    service.receive_data(data)
    service.receive_eof()
    assert drain(service) == [PageRequested(data)]


def test_half_a_preface_is_one():
    service = Connection(Role.SERVICE)
    service.receive_data(b"MX")
    service.receive_eof()
    assert drain(service) == [PrefaceReceived(b"MX")]
    service.send(Accept())
    with pytest.raises(RemoteProtocolError, match="identity"):
        service.events()


def test_nothing_is_read_before_trust_is_decided():
    service = Connection(Role.SERVICE)
    service.receive_data(b"MX\r\n\r\nMX-CLIENT 1.0\r\n\r\n" + message_bytes(CALL))
    assert drain(service) == [PrefaceReceived(b"MX")]
    service.send(Accept())
    assert drain(service) == [PeerIdentified("MX-CLIENT", "1.0"), RequestReceived(CALL), MessageEnded()]


def test_nothing_is_read_before_the_answer():
    service = service_in(State.BUSY)
    service.receive_data(b"NEXT\r\n" + message_bytes(CALL))
    service.receive_eof()
    assert drain(service) == []
    service.send(Response("id-1"))
    assert drain(service) == [NextReceived(), RequestReceived(CALL), MessageEnded()]
    service.send(Response("id-1"))
    assert drain(service) == [PeerClosed()]


def test_the_backlog_is_limited(monkeypatch):
    monkeypatch.setattr(module, "MAX_BACKLOG", 100)
    service = service_in(State.BUSY)
    for _unused in range(10):
        service.receive_data(b"x" * 10)
        assert service.events() == []
    service.receive_data(b"x")
    with pytest.raises(RemoteProtocolError, match="more than 100 bytes out of turn"):
        service.events()


def test_events_come_before_the_error():
    service = service_in(State.AWAIT_MESSAGE)
    service.receive_data(message_bytes(UPLOAD) + bytes(24))
    assert [type(event) for event in service.events()] == [RequestReceived, StreamStarted, StreamData]
    with pytest.raises(RemoteProtocolError, match="another length"):
        service.events()


def test_the_error_stays_the_same():
    service = service_in(State.AWAIT_MESSAGE)
    service.receive_data(b"\xff")
    seen = set()
    for _unused in range(3):
        with pytest.raises(RemoteProtocolError) as caught:
            service.events()
        seen.add(id(caught.value))
    assert len(seen) == 1
