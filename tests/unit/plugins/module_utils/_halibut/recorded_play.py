"""Plays a recorded conversation with a connection of ours, in either role.

The test contract of 30 to 40, 42 and 43 has types that Tentacle does not know: a stand-in class takes them.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping

from module_utils._halibut import bson, contracts, envelope, events, messages
from module_utils._halibut.bson import Date, Guid, Int64
from module_utils._halibut.connection import Connection, Role
from module_utils._halibut.contracts import DataStream
from module_utils._halibut.errors import RemoteProtocolError

PROBE = {*range(30, 41), 42, 43}


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
