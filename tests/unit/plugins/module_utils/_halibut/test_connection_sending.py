"""What may be said when, and what becomes of what cannot be said."""

from __future__ import annotations

import gc
import weakref

import pytest

from module_utils._halibut import events
from module_utils._halibut.connection import State
from module_utils._halibut.contracts import (
    DataStream,
    ScriptTicket,
)
from module_utils._halibut.errors import LocalProtocolError, RemoteProtocolError
from module_utils._halibut.events import (
    Accept,
    Goodbye,
    Hello,
    Next,
    StreamData,
    StreamEnd,
)
from module_utils._halibut.messages import Request, Response, ServerError

from .connections import CALL, UPLOAD, A, client_in, drain, message_bytes, service_in

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


def test_events_module_is_complete():
    assert {type(event) for event in EVERYTHING} == set(events.Sent.__args__)
