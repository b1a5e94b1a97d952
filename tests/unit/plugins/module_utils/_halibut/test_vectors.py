"""Every recorded conversation through our own code, in both roles, whole and cut up.

The test contract of 30 to 40, 42 and 43 has types that Tentacle does not know: a stand-in class takes them.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import random
import zlib
from collections.abc import Iterator, Mapping

import pytest

from module_utils._halibut import bson, contracts, envelope, events, messages
from module_utils._halibut.bson import Date, Guid, Int64
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.contracts import DataStream
from module_utils._halibut.errors import RemoteProtocolError

PROBE = {*range(30, 41), 42, 43}

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


@dataclasses.dataclass(frozen=True)
class Foreign(contracts.Contract):
    """An object of the test contract, kept as it came."""

    document: dict

    @classmethod
    def from_document(cls, value):
        return cls(value)

    def to_document(self, as_slot=False):
        return self.document

    def streams(self):
        return tuple(find_streams(self.document))


class AnyType(dict):
    """The known types, and the stand-in for all others."""

    def get(self, name, default=None):
        return super().get(name, Foreign)


def find_streams(value) -> Iterator[DataStream]:
    if isinstance(value, list):
        for item in value:
            yield from find_streams(item)
    elif isinstance(value, dict):
        if set(value) - {"$type"} == {"id", "length"}:
            yield DataStream(value["id"], value["length"])
        else:
            for item in value.values():
                yield from find_streams(item)


def types_for(conversation) -> Mapping[str, type[contracts.Contract]]:
    return AnyType(contracts.TYPES) if conversation.number in PROBE else contracts.TYPES


def from_json(value):
    """Canonical extended JSON as our decoder gives it."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name == "$numberInt":
            return int(inner)
        if name == "$numberLong":
            return Int64(inner)
        if name == "$numberDouble":
            return float(inner)
        if name == "$date":
            return Date(inner["$numberLong"])
        if name == "$binary":
            raw = base64.b64decode(inner["base64"])
            return Guid(raw) if inner["subType"] == "04" else raw
    return {name: from_json(item) for name, item in value.items()}


def same(left, right) -> bool:
    """Equal, of the same types, members in the same order."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def inflate(data: bytes) -> tuple[bytes, bytes]:
    inflater = envelope.Inflater()
    assert inflater.feed(data)
    return inflater.document(), inflater.unused


class Driver:
    """Runs our side of a recorded conversation, and notes what was reported."""

    def __init__(self, role: Role, types) -> None:
        self.connection = Connection(role, types)
        self.log: list[object] = []
        self.error: RemoteProtocolError | None = None
        self.streams: list[tuple[DataStream, str]] = []
        self.requests: list[messages.Request] = []
        self._hash = None

    def pump(self, act) -> None:
        """Report everything, and let `act` do what our side does next."""
        try:
            while self.error is None:
                found = self.connection.events()
                if not found:
                    return
                for event in found:
                    self._note(event)
                    act(event)
        except RemoteProtocolError as error:
            self.error = error

    def _note(self, event) -> None:
        if isinstance(event, events.StreamStarted):
            self._hash = hashlib.sha256()
        elif isinstance(event, events.StreamData):
            assert len(event.data) > 0
            self._hash.update(event.data)
            return
        elif isinstance(event, events.StreamEnded):
            self.streams.append((event.stream, self._hash.hexdigest()))
        self.log.append(event)


def answer(driver: Driver):
    """A service that accepts everybody and answers null."""

    def act(event) -> None:
        if isinstance(event, events.PrefaceReceived):
            driver.connection.send(events.Accept())
        elif isinstance(event, events.RequestReceived):
            driver.requests.append(event.request)
        elif isinstance(event, events.MessageEnded):
            driver.connection.send(messages.Response(driver.requests[-1].id))

    return act


def run_service(conversation, cut=None) -> Driver:
    """Give the client's bytes to a service of ours, in pieces of the sizes that `cut` tells, else whole."""
    driver = Driver(Role.SERVICE, types_for(conversation))
    for piece in pieces(conversation.client, cut):
        driver.connection.receive_data(piece)
        driver.pump(answer(driver))
    driver.connection.receive_eof()
    driver.pump(answer(driver))
    return driver


def pieces(data: bytes, cut) -> Iterator[bytes]:
    pos = 0
    while pos < len(data):
        size = len(data) if cut is None else cut()
        yield data[pos : pos + size]
        pos += size


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


def run_client(conversation, cut=None) -> Driver:
    """Play the recorded client with ours, and give it the recorded answers."""
    driver = Driver(Role.CLIENT, types_for(conversation))
    connection = driver.connection
    connection.send(events.Hello())
    for segment in conversation.segments:
        data = conversation.bytes_of(segment)
        if segment["from"] == "server":
            for piece in pieces(data, cut):
                connection.receive_data(piece)
                driver.pump(lambda event: None)
        elif segment["kind"] == "message":
            document = bson.decode(inflate(data)[0])
            message = messages.read_request(document, types_for(conversation))
            connection.send(message)
            sent = inflate(b"".join(connection.data_to_send()[-1 - 2 * bool(messages.streams_of(message)) :]))[0]
            if segment["kind"] == "message" and re_encodable(conversation):
                assert hashlib.sha256(sent).hexdigest() == segment["bson_sha256"]
        elif segment["kind"] == "datastream":
            connection.send(events.StreamData(data[24:-8]))
            connection.send(events.StreamEnd())
        elif segment["text"].strip() == "NEXT":
            connection.send(events.Next())
        if driver.error:
            break
    return driver


def re_encodable(conversation) -> bool:
    """Requests of .NET's own clients; the hand-made ones are written in other ways on purpose."""
    return conversation.story["client"].startswith("Halibut client")


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
