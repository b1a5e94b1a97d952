"""Connections in any state, and a client and a service of ours back to back; every event goes through both."""

from __future__ import annotations

from module_utils._halibut.bson import Guid
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.contracts import (
    DataStream,
)
from module_utils._halibut.events import (
    Accept,
    Hello,
    MessageEnded,
    Next,
    NextReceived,
    PeerIdentified,
    PrefaceReceived,
    ProceedReceived,
    RequestReceived,
    ResponseReceived,
    StreamData,
)
from module_utils._halibut.messages import Request, Response

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


def lead(side: Connection, steps: dict, state: State) -> Connection:
    """Take one step after the other until the state is reached; each has to lead where it says."""
    for reached, step in steps.items():
        step()
        drain(side)
        assert side.state is reached
        if reached is state:
            return side
    raise AssertionError(state)


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
    return lead(service, steps, state)


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
    return lead(client, steps, state)


def message_bytes(message) -> bytes:
    side = service_in(State.BUSY) if isinstance(message, Response) else client_in(State.READY)
    side.data_to_send()
    side.send(message)
    return b"".join(side.data_to_send())
