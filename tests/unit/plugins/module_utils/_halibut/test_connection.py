"""A client and a service of ours, back to back; every event goes through both."""

from __future__ import annotations

import gc
import typing
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from module_utils._halibut import connection as module
from module_utils._halibut import events
from module_utils._halibut.bson import Guid
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.contracts import (
    CapabilitiesResponseV2,
    DataStream,
    ScriptFile,
    ScriptTicket,
    StartScriptCommandV2,
)
from module_utils._halibut.errors import LocalProtocolError, RemoteProtocolError, UnknownIdentity
from module_utils._halibut.events import (
    Accept,
    Goodbye,
    GoodbyeReceived,
    Hello,
    MessageEnded,
    Next,
    NextReceived,
    PageRequested,
    PeerClosed,
    PeerIdentified,
    PrefaceReceived,
    ProceedReceived,
    RequestReceived,
    ResponseReceived,
    StreamData,
    StreamEnd,
    StreamEnded,
    StreamStarted,
)
from module_utils._halibut.messages import Request, Response, ServerError

A, B = Guid(b"a" * 16), Guid(b"b" * 16)
ENDPOINT = {"BaseUri": "https://localhost:10933/"}
CALL = Request("id-1", A, "ICapabilitiesServiceV2", "GetCapabilities", (), ENDPOINT)
UPLOAD = Request("id-2", B, "IFileTransferService", "UploadFile", ("path", DataStream(A, 5)), ENDPOINT)


class Pair:
    """Two connections; what one sends reaches the other in pieces of `size`."""

    def __init__(self, size: int = 1 << 30) -> None:
        self.size = size
        self.client = Connection(Role.CLIENT)
        self.service = Connection(Role.SERVICE)

    def send(self, sender: Connection, *sent) -> list:
        """Send events; returns what the other side reports."""
        receiver = self.service if sender is self.client else self.client
        for event in sent:
            sender.send(event)
        return self.deliver(sender, receiver)

    def deliver(self, sender: Connection, receiver: Connection) -> list:
        data = b"".join(sender.data_to_send())
        found = []
        for pos in range(0, len(data), self.size):
            receiver.receive_data(data[pos : pos + self.size])
            found += drain(receiver)
        return joined(found)

    def greet(self) -> None:
        assert self.send(self.client, Hello()) == [PrefaceReceived(b"MX")]
        self.service.send(Accept())
        assert drain(self.service) == [PeerIdentified("MX-CLIENT", "1.0")]
        assert self.deliver(self.service, self.client) == [PeerIdentified("MX-SERVER", "1.0")]

    def call(self, request: Request, response: Response) -> None:
        assert self.send(self.client, request) == [RequestReceived(request), MessageEnded()]
        assert self.send(self.service, response) == [ResponseReceived(response), MessageEnded()]

    def again(self) -> None:
        assert self.send(self.client, Next()) == [NextReceived()]
        assert self.deliver(self.service, self.client) == [ProceedReceived()]


def drain(connection: Connection) -> list:
    found = []
    while True:
        more = connection.events()
        if not more:
            return found
        found += more


def joined(found: list) -> list:
    """Neighbouring pieces of a stream as one."""
    result: list = []
    for event in found:
        if isinstance(event, StreamData) and result and isinstance(result[-1], StreamData):
            result[-1] = StreamData(bytes(result[-1].data) + bytes(event.data))
        else:
            result.append(event)
    return result


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


def service_in(state: State) -> Connection:
    service = Connection(Role.SERVICE)
    steps = {
        State.PREFACE: lambda: None,
        State.DECIDING: lambda: service.receive_data(b"MX\n\n"),
        State.IDENTITY: lambda: service.send(Accept()),
        State.AWAIT_MESSAGE: lambda: service.receive_data(b"MX-CLIENT 1.0\r\n\r\n"),
        State.BUSY: lambda: service.receive_data(message_bytes(CALL)),
        State.AWAIT_CONTROL: lambda: service.send(Response("id-1")),
    }
    for reached, step in steps.items():
        step()
        drain(service)
        assert service.state is reached
        if reached is state:
            return service
    raise AssertionError(state)


def client_in(state: State) -> Connection:
    client = Connection(Role.CLIENT)
    steps = {
        State.PREFACE: lambda: None,
        State.IDENTITY: lambda: client.send(Hello()),
        State.READY: lambda: client.receive_data(b"MX-SERVER 1.0\r\n\r\n"),
        State.AWAIT_MESSAGE: lambda: client.send(CALL),
        State.IDLE: lambda: client.receive_data(message_bytes(Response("id-1"))),
        State.AWAIT_CONTROL: lambda: client.send(Next()),
    }
    for reached, step in steps.items():
        step()
        drain(client)
        assert client.state is reached
        if reached is state:
            return client
    raise AssertionError(state)


def message_bytes(message) -> bytes:
    side = service_in(State.BUSY) if isinstance(message, Response) else client_in(State.READY)
    side.data_to_send()
    side.send(message)
    return b"".join(side.data_to_send())


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


EVERYTHING = (Accept(), Hello(), CALL, Response("id"), StreamData(b"x"), StreamEnd(), Next(), Goodbye())
LEGAL = [
    (service_in, State.DECIDING, {Accept}),
    (service_in, State.BUSY, {Response}),
    (service_in, State.PREFACE, set()),
    (service_in, State.IDENTITY, set()),
    (service_in, State.AWAIT_MESSAGE, set()),
    (service_in, State.AWAIT_CONTROL, set()),
    (client_in, State.PREFACE, {Hello, Goodbye}),
    (client_in, State.READY, {Request, Goodbye}),
    (client_in, State.IDLE, {Next, Goodbye}),
    (client_in, State.AWAIT_MESSAGE, {Goodbye}),
    (client_in, State.IDENTITY, {Goodbye}),
    (client_in, State.AWAIT_CONTROL, {Goodbye}),
]


@pytest.mark.parametrize("event", EVERYTHING, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize(("make", "state", "legal"), LEGAL, ids=lambda value: getattr(value, "value", ""))
def test_what_may_be_sent_when(make, state, legal, event):
    side = make(state)
    side.data_to_send()
    if type(event) in legal:
        side.send(event)
        return
    with pytest.raises(LocalProtocolError):
        side.send(event)
    assert side.state is state
    assert side.data_to_send() == []


def test_nothing_may_be_sent_after_the_end():
    service = service_in(State.AWAIT_MESSAGE)
    service.receive_eof()
    drain(service)
    for event in EVERYTHING:
        with pytest.raises(LocalProtocolError):
            service.send(event)


def test_goodbye_is_said_once_and_at_any_time():
    client = client_in(State.AWAIT_MESSAGE)
    client.data_to_send()
    client.send(Goodbye())
    client.send(Goodbye())
    assert client.data_to_send() == [b"END\r\n"]
    failed = client_in(State.AWAIT_CONTROL)
    failed.data_to_send()
    failed.receive_data(b"nonsense\r\n")
    with pytest.raises(RemoteProtocolError):
        failed.events()
    failed.send(Goodbye())
    assert failed.data_to_send() == [b"END\r\n"]


@pytest.mark.parametrize(
    "result", [object(), [1], {"a": 1}, b"bytes", ScriptTicket(object()), 2**64, DataStream(A, -1)]
)
def test_an_answer_that_cannot_be_written_leaves_room_for_another(result):
    service = service_in(State.BUSY)
    service.data_to_send()
    with pytest.raises(LocalProtocolError):
        service.send(Response("id-1", result))
    assert service.data_to_send() == []
    service.send(Response("id-1", None, ServerError("the result cannot be written")))
    assert len(service.data_to_send()) == 1


@pytest.mark.parametrize("data", [b"123456", b"1234"])
def test_a_stream_of_another_length_ends_the_connection(data):
    client = client_in(State.READY)
    client.data_to_send()
    client.send(UPLOAD)
    announced = len(client.data_to_send())
    assert announced == 3
    if len(data) < 5:
        client.send(StreamData(data))
    with pytest.raises(LocalProtocolError, match="declared with 5 bytes"):
        client.send(StreamEnd() if len(data) < 5 else StreamData(data))
    assert client.state is State.FAILED
    assert client.data_to_send() in ([], [data])
    assert client.events() == []
    with pytest.raises(LocalProtocolError):
        client.send(StreamEnd())


def test_payload_is_not_copied():
    service = service_in(State.AWAIT_MESSAGE)
    request = type(UPLOAD)(**{**vars(UPLOAD), "params": ("path", DataStream(A, 40_000))})
    service.receive_data(message_bytes(request))
    drain(service)
    chunk = bytes(16_384)
    service.receive_data(chunk)
    (event,) = service.events()
    assert event.data is chunk


def test_an_idle_connection_has_no_inflater_and_no_cycle():
    service = service_in(State.BUSY)
    assert service._reader._inflater is None
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(service)
        del service
        assert gone() is None
    finally:
        gc.enable()


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


def test_events_module_is_complete():
    assert {type(event) for event in EVERYTHING} == set(events.Sent.__args__)


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
