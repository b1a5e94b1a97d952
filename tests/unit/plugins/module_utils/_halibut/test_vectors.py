"""Every recorded conversation through our own code, in both roles, whole and cut up."""

from __future__ import annotations

import hashlib
import random
import zlib

import pytest

from module_utils._halibut import bson, contracts, envelope, events, messages
from module_utils._halibut.bson import Guid
from module_utils._halibut.connection import Role, State
from module_utils._halibut.errors import RemoteProtocolError

from .recorded_play import (
    PROBE,
    Driver,
    answer,
    find_streams,
    from_json,
    inflate,
    re_encodable,
    run_client,
    run_service,
    same,
    types_for,
)

# Where the recorded listener closed without an answer, ours must see an error; the reason is a part of its text.
REFUSED = {
    38: "ended within data stream",
    47: "LastLogSequence is null",
    57: "Scripts",
    58: "DurationToWaitForScriptToFinish",
    59: "behind its first character",
    63: "within the peer's identity",
    64: "no kind of Halibut peer",
    65: "identifies itself as MX-SERVER",
    66: "not empty",
    68: "within the peer's identity",
    70: "not valid deflate data",
    71: "'HELLO'",
    73: "'next'",
    74: "not valid deflate data",
    75: "not valid deflate data",
    76: "not valid BSON",
    77: "ended within a message",
    79: "null message",
    80: "not on the list",
    86: "BaseUri",
    95: "null message",
    96: "ended within a message",
    98: "not announce",
    99: "another length",
}


def tunnelled(conversation) -> bool:
    """Plain HTTP in front of TLS: not for this layer."""
    return conversation.story["tls"] is None


def test_service_reads_what_the_recorded_listener_read(conversation):
    if tunnelled(conversation) or conversation.number == 41:
        return
    driver = run_service(conversation)
    expected = REFUSED.get(conversation.number)
    if expected is None:
        assert driver.error is None
    else:
        assert expected in str(driver.error)
        assert driver.error.linger is (conversation.number == 64)
    messages_of_client = conversation.of("client", "message")
    if expected is None and not any(segment["kind"] == "http" for segment in conversation.segments):
        # 91 has its request among the bytes that are no segment; what stands behind an error is never read
        assert len(driver.requests) == len(messages_of_client) + (conversation.number == 91)
    recorded = [segment["stream"] for segment in conversation.of("client", "datastream")]
    assert [
        {"id": str(stream.id), "length": stream.length, "sha256": digest} for stream, digest in driver.streams
    ] == recorded


def test_service_ends_as_the_recorded_listener_did(conversation):
    if tunnelled(conversation) or conversation.number == 41 or conversation.number in REFUSED:
        return
    last = run_service(conversation).log[-1]
    if any(segment["kind"] == "http" for segment in conversation.segments) or conversation.number in (54, 69):
        assert isinstance(last, events.PageRequested)
    elif conversation.client.endswith(b"END\r\n"):
        assert isinstance(last, events.GoodbyeReceived)
    else:
        assert isinstance(last, events.PeerClosed)


def test_one_byte_at_a_time_changes_nothing(conversation):
    if tunnelled(conversation) or conversation.number == 41:
        return
    sizes = (1, 7, 24, 1000, 16_384) if len(conversation.client) > 100_000 else (1,)
    draw = random.Random(conversation.number)

    def cut():
        return draw.choice(sizes)

    whole, small = run_service(conversation), run_service(conversation, cut)
    assert small.log == whole.log
    assert small.streams == whole.streams
    assert str(small.error) == str(whole.error)


# Conversations whose client does something that ours refuses to do, or which have no protocol to speak of
NOT_FOR_OUR_CLIENT = {
    38: "the client breaks off its own stream",
    39: "the client announces one stream twice",
    41: "the client is a subscriber",
    42: "the client sends half a request",
    43: "the client's request gets no answer",
    61: "the client does not wait for an answer",
    62: "the client does not wait for an answer",
}


def test_client_reads_what_the_recorded_client_read(conversation):
    if conversation.number in NOT_FOR_OUR_CLIENT or conversation.number in REFUSED or tunnelled(conversation):
        return
    if not conversation.of("server", "message") or any(s["kind"] in ("http", "raw") for s in conversation.segments):
        return
    for cut in (None, lambda: 1) if len(conversation.server) < 100_000 else (None, lambda: 1000):
        driver = run_client(conversation, cut)
        connection = driver.connection
        if driver.error:  # the server's bytes end in the middle of something, on purpose
            pytest.fail(str(driver.error))
        received = [event.response for event in driver.log if isinstance(event, events.ResponseReceived)]
        recorded = conversation.of("server", "message")
        assert len(received) == len(recorded)
        for response, segment in zip(received, recorded):
            document = messages.response_document(response)
            raw = hashlib.sha256(bson.encode(document)).hexdigest()
            assert raw == segment["bson_sha256"] or not has_all_members(segment)
        streams = [segment["stream"] for segment in conversation.of("server", "datastream")]
        assert [{"id": str(s.id), "length": s.length, "sha256": d} for s, d in driver.streams] == streams
        if conversation.ended_by("server"):
            connection.receive_eof()


def has_all_members(segment) -> bool:
    return set(segment["document"]["Message"]) == {"$type", "id", "error", "result"}


def test_every_document_reencodes_to_the_recorded_bytes(conversation):
    for segment in conversation.of("client", "message") + conversation.of("server", "message"):
        raw, unused = inflate(conversation.bytes_of(segment))
        assert unused == b""
        assert len(raw) == segment["bson_length"]
        document = bson.decode(raw)
        assert same(document, from_json(segment["document"]))
        assert hashlib.sha256(bson.encode(document)).hexdigest() == segment["bson_sha256"]
        again = envelope.deflate(raw)
        assert zlib.decompress(again, -15) == raw
        assert len(raw) <= 65_536 or len(again) % 8192 not in (1, 2)


def test_every_contract_object_round_trips(conversation):
    """Members in the original's order, `$type` of the original: the objects give the recorded documents again."""
    if conversation.number in PROBE or conversation.number in REFUSED:
        return
    for side, read in (("client", messages.read_request), ("server", messages.read_response)):
        if (side == "client" and not re_encodable(conversation)) or conversation.number == 41:
            continue
        for segment in conversation.of(side, "message"):
            document = bson.decode(inflate(conversation.bytes_of(segment))[0])
            message = read(document, contracts.TYPES)
            write = messages.request_document if side == "client" else messages.response_document
            assert same(write(message), document)
            values = message.params if side == "client" else (message.result,)
            for value in values:
                if isinstance(value, contracts.Contract):
                    assert type(value).from_document(value.to_document()) == value
                    assert type(value).from_document(value.to_document(as_slot=True)) == value
                    hash(type(value))


def test_streams_that_are_announced_follow(conversation):
    """In the polled conversation the sides are exchanged: it is read on the level of messages."""
    for side in ("client", "server"):
        announced: list[str] = []
        for segment in conversation.of(side):
            if segment["kind"] == "message":
                document = bson.decode(inflate(conversation.bytes_of(segment))[0])
                announced += [str(stream.id) for stream in find_streams(document)]
            elif segment["kind"] == "datastream":
                assert announced.pop(0) == segment["stream"]["id"]
            elif segment["kind"] == "raw":
                announced = []
        assert not announced


def test_polling_is_read_as_messages(recorded):
    conversation = recorded(41)
    read = {"client": 0, "server": 0}
    for segment in conversation.segments:
        if segment["kind"] != "message":
            continue
        document = bson.decode(inflate(conversation.bytes_of(segment))[0])
        reader = messages.read_request if segment["from"] == "server" else messages.read_response
        message = reader(document, contracts.TYPES)
        assert message is None or document["Message"]["id"] == message.id
        read[segment["from"]] += 1
    assert read["client"] > 0
    assert read["server"] > 0


@pytest.mark.parametrize("number", [1, 3, 4, 12, 13, 17, 37, 44, 72, 90])
def test_every_place_to_cut(recorded, number):
    """Two pieces, cut at every byte (at every border of a record for the large ones), tell the same story."""
    conversation = recorded(number)
    whole = run_service(conversation)
    step = 1 if len(conversation.client) < 4000 else 4999
    for place in range(1, len(conversation.client), step):
        sizes = iter((place, len(conversation.client)))
        driver = run_service(conversation, lambda sizes=sizes: next(sizes))
        assert driver.log == whole.log
        assert driver.streams == whole.streams
        assert str(driver.error) == str(whole.error)


@pytest.mark.parametrize("number", [1, 2, 12, 13, 15, 64, 72])
def test_the_connection_may_end_anywhere(recorded, number):
    """Every beginning of a conversation ends in an event that says so, or in an error; never in silence."""
    conversation = recorded(number)
    client = conversation.client
    for length in range(0, len(client) + 1, 1 if len(client) < 4000 else 997):
        driver = Driver(Role.SERVICE, contracts.TYPES)
        driver.connection.receive_data(client[:length])
        driver.connection.receive_eof()
        driver.pump(answer(driver))
        ended = (events.PeerClosed, events.GoodbyeReceived, events.PageRequested)
        assert driver.error is not None or isinstance(driver.log[-1], ended)
        assert driver.connection.state in (State.CLOSED, State.FAILED)


def test_mutations_are_errors_or_events(conversation):
    """Any damage gives events or RemoteProtocolError, nothing else, and the connection still has a state."""
    if tunnelled(conversation):
        return
    draw = random.Random(conversation.number)
    for data, run in ((conversation.client, Role.SERVICE), (conversation.server, Role.CLIENT)):
        if not data:
            continue
        for _unused in range(25 if len(data) < 20_000 else 2):
            damaged = bytearray(data)
            for _unused in range(draw.randint(1, 4)):
                place = draw.randrange(len(damaged)) if draw.random() < 0.5 else draw.randrange(min(len(damaged), 600))
                damaged[place] = draw.randrange(256)
            if draw.random() < 0.3:
                del damaged[draw.randrange(len(damaged)) :]
            play(bytes(damaged), run, types_for(conversation))


def test_mutations_of_documents_are_errors_or_objects(conversation):
    """The same inside the deflate data, where damage reaches the decoders."""
    draw = random.Random(conversation.number)
    for segment in conversation.of("client", "message")[:3] + conversation.of("server", "message")[:3]:
        raw = inflate(conversation.bytes_of(segment))[0]
        for _unused in range(20 if len(raw) < 20_000 else 2):
            damaged = bytearray(raw)
            for _unused in range(draw.randint(1, 3)):
                damaged[draw.randrange(len(damaged))] = draw.choice(
                    (0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 18, 255, draw.randrange(256))
                )
            for read in (messages.read_request, messages.read_response):
                try:
                    message = read(bson.decode(bytes(damaged)), contracts.TYPES)
                    if message is not None:
                        messages.streams_of(message)
                except RemoteProtocolError as error:
                    assert len(str(error)) < 500  # noqa: PT017


def play(data: bytes, role: Role, types) -> None:
    driver = Driver(role, types)
    if role is Role.CLIENT:
        driver.connection.send(events.Hello())

        def act(event) -> None:
            if driver.connection.state is State.IDLE:
                driver.connection.send(events.Next())
            if driver.connection.state is State.READY:
                driver.connection.send(messages.Request("id", Guid(bytes(16)), "S", "M"))
    else:
        act = answer(driver)
    driver.connection.receive_data(data)
    driver.pump(act)
    driver.connection.receive_eof()
    driver.pump(act)
    if driver.error is not None:
        assert driver.connection.state is State.FAILED
        with pytest.raises(RemoteProtocolError):
            driver.connection.events()
