# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against recorded conversations, against the pitfalls of .NET peers, and against a live agent."""

from __future__ import annotations

import contextlib
import hashlib
import io
import pathlib
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from agent_process import AgentProcess
from faulty_servers import server, tls
from identities import MadeIdentity, make
from recorded_listener import RecordedListener

from module_utils._client.client import Client
from module_utils._client.endpoint import Endpoint, Timeouts
from module_utils._client.errors import (
    ClientError,
    NoMatchingMethod,
    ServiceCallError,
    ServiceInvocationError,
)
from module_utils._client.scripts import FileToSend, Script
from module_utils._halibut.connection import Connection, Role
from module_utils._halibut.contracts import (
    COMPLETE,
    SOURCE_STDERR,
    SOURCE_STDOUT,
    TYPES,
    CapabilitiesResponseV2,
    DataStream,
    ScriptTicket,
)
from module_utils._halibut.events import Accept, GoodbyeReceived, MessageEnded, PeerClosed, RequestReceived
from module_utils._halibut.messages import Request, Response, read_request, read_response, streams_of
from module_utils._halibut.objects import Contract

SOON = Timeouts(connect=5, handshake=5, receive=5, response=5, attempts=2, pause=0.05)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> MadeIdentity:
    return make(tmp_path_factory.mktemp("identity") / "identity.pem", "Recorded")


# Recorded conversations -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StreamList(Contract):
    """A list of data streams, as the contract of the recordings has it."""

    items: tuple[DataStream, ...]

    TYPE_NAMES: ClassVar[tuple[str, ...]] = tuple(
        f"System.Collections.Generic.List`1[[Halibut.DataStream, Halibut]], {library}"
        for library in ("System.Private.CoreLib", "mscorlib")
    )
    TYPE_NAME: ClassVar[str] = TYPE_NAMES[0]

    @classmethod
    def from_document(cls, value: Any) -> StreamList:
        return cls(tuple(DataStream.from_document(item) for item in value["$values"]))

    def to_document(self, as_slot: bool = False) -> dict[str, Any]:
        return {"$type": self.TYPE_NAME, "$values": [item.to_document() for item in self.items]}

    def streams(self) -> tuple[DataStream, ...]:
        return self.items


RECORDED_TYPES = {**TYPES, **dict.fromkeys(StreamList.TYPE_NAMES, StreamList)}
WHOLE = [f"{number:02}-" for number in (*range(1, 20), 32, 33)]


class Sinks:
    """Gives each incoming data stream a place of its own."""

    def __init__(self) -> None:
        self.all: list[io.BytesIO] = []

    def __call__(self, stream: DataStream) -> io.BytesIO:
        self.all.append(io.BytesIO())
        return self.all[-1]


def outcome_of(client: Client, request: Request, contents: Any, receive: Any) -> Any:
    """What a call gives: its result, or the agent's error."""
    try:
        return client.call(request.service, request.method, *request.params, streams=contents, receive=receive)
    except ServiceCallError as error:
        return error.error


def replayed(listener: RecordedListener, client: Client) -> None:
    """Make every recorded call with the recorded parameters, and compare every answer with the recorded one."""
    for asked, sent, answered, came in listener.conversations[0].exchanges():
        request = read_request({"Message": asked}, RECORDED_TYPES)
        expected = read_response({"Message": answered}, RECORDED_TYPES)
        assert request is not None
        assert expected is not None
        contents = {stream.id: io.BytesIO(data) for stream, data in zip(streams_of(request), sent)}
        taken = Sinks()
        outcome = outcome_of(client, request, contents, taken)
        assert outcome == (expected.error or expected.result)
        assert [sink.getvalue() for sink in taken.all] == came


@pytest.mark.parametrize("name", WHOLE)
def test_makes_recorded_calls(name: str, identity: MadeIdentity) -> None:
    with RecordedListener(identity.path, name) as listener:
        endpoint = Endpoint("127.0.0.1", listener.port, identity.thumbprint)
        with Client(endpoint, str(identity.path), timeouts=SOON, types=RECORDED_TYPES) as client:
            replayed(listener, client)
            assert client.connections == 1
    assert listener.problems == []
    assert listener.connections == 1
    recorded = [data for _dummy, sent, _dummy, _dummy in listener.conversations[0].exchanges() for data in sent]
    assert listener.streams == recorded


def error_of(name: str, number: int, identity: MadeIdentity) -> ServiceCallError:
    """The exception for one recorded error answer."""
    found: list[ServiceCallError] = []
    with RecordedListener(identity.path, name) as listener:
        client = Client(Endpoint("127.0.0.1", listener.port), timeouts=SOON, types=RECORDED_TYPES)
        with client:
            for asked, sent, _dummy, _dummy in listener.conversations[0].exchanges():
                request = read_request({"Message": asked}, RECORDED_TYPES)
                assert request is not None
                contents = {stream.id: io.BytesIO(data) for stream, data in zip(streams_of(request), sent)}
                try:
                    client.call(request.service, request.method, *request.params, streams=contents)
                except ServiceCallError as error:
                    found.append(error)
    return found[number]


@pytest.mark.parametrize(
    ("name", "number", "kind", "cause"),
    [
        ("32-", 0, ServiceInvocationError, "agent_error"),
        ("32-", 4, ServiceInvocationError, "agent_error"),
        ("32-", 6, NoMatchingMethod, "agent_error"),
        ("32-", 7, NoMatchingMethod, "agent_error"),
        ("32-", 8, NoMatchingMethod, "agent_error"),
        ("16-", 0, ServiceInvocationError, "permissions"),
        ("17-", 0, ServiceCallError, "agent_error"),
        ("18-", 0, NoMatchingMethod, "agent_error"),
        ("18-", 1, NoMatchingMethod, "agent_error"),
    ],
)
def test_classifies_recorded_errors(
    name: str, number: int, kind: type[Exception], cause: str, identity: MadeIdentity
) -> None:
    error = error_of(name, number, identity)
    assert error.__class__ is kind
    assert error.cause == cause
    assert error.side == "agent"


def failing_call(name: str, identity: MadeIdentity, timeouts: Timeouts = SOON, **arguments: Any) -> ClientError:
    with RecordedListener(identity.path, name) as listener:
        client = Client(Endpoint("127.0.0.1", listener.port), timeouts=timeouts)
        ((asked, _dummy, _dummy, _dummy),) = listener.conversations[0].exchanges()
        request = read_request({"Message": asked}, RECORDED_TYPES)
        assert request is not None
        with client, pytest.raises(ClientError) as caught:
            client.call(request.service, request.method, *request.params, **arguments)
        assert listener.connections == 1  # never repeated: the request had begun
    return caught.value


def test_refuses_a_result_of_unknown_type(identity: MadeIdentity) -> None:
    error = failing_call("34-", identity)
    assert error.cause == "unknown"
    assert "Probe.Contracts.Everything" in str(error)


def test_a_stream_that_is_too_short_ends_in_a_timeout(identity: MadeIdentity) -> None:
    begin = time.monotonic()
    error = failing_call("35-", identity, Timeouts(receive=1, response=2))
    assert error.cause == "unknown"
    assert 0.9 < time.monotonic() - begin < 4


def test_a_stream_that_is_too_long_is_noticed_at_its_trailer(identity: MadeIdentity) -> None:
    error = failing_call("36-", identity)
    assert error.cause == "unknown"
    assert "something unreadable" in str(error)


def test_a_stream_whose_writer_fails_is_an_end(identity: MadeIdentity) -> None:
    assert failing_call("37-", identity).cause == "reset"


def test_a_source_that_is_too_short_is_the_callers_fault(identity: MadeIdentity) -> None:
    with RecordedListener(identity.path, "38-") as listener:
        client = Client(Endpoint("127.0.0.1", listener.port), timeouts=SOON)
        ((asked, _dummy, _dummy, _dummy),) = listener.conversations[0].exchanges()
        request = read_request({"Message": asked}, RECORDED_TYPES)
        assert request is not None
        (stream,) = streams_of(request)
        with client, pytest.raises(ClientError) as caught:
            client.call(request.service, request.method, *request.params, streams={stream.id: io.BytesIO(b"x")})
        assert caught.value.cause == "invalid_input"
        until(lambda: bool(listener.streams))
    assert listener.streams[0][24:] == b"x"  # identifier, length, and what there was; no trailer


# Pitfalls of .NET peers (docs/protocol/halibut-wire.md §10) -----------------------------------------------------------


def until(condition: Any, seconds: float = 5) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


class SmallAgent:
    """A service that answers every call with capabilities, and misbehaves on request."""

    def __init__(self, *, calls: int = 1 << 30, proceed: bool = True, pieces: int = 0, null: bool = False) -> None:
        self.calls, self.proceed, self.pieces, self.null = calls, proceed, pieces, null
        self.connections = 0
        self.requests = 0
        self.ended = threading.Event()

    def __call__(self, connection: ssl.SSLSocket) -> None:
        self.connections += 1
        protocol = Connection(Role.SERVICE)
        served = 0
        while True:
            for event in self._events(protocol, connection):
                if isinstance(event, (GoodbyeReceived, PeerClosed)):
                    self.ended.set()
                    return
                if isinstance(event, RequestReceived):
                    request = event.request
                    self.requests += 1
                if isinstance(event, MessageEnded):
                    if self.null:
                        connection.sendall(NULL_MESSAGE)
                        return
                    protocol.send(Response(request.id, CapabilitiesResponseV2(("IScriptServiceV2",))))
                    self._write(protocol, connection)
                    served += 1
                    if served >= self.calls:
                        return

    def _events(self, protocol: Connection, connection: ssl.SSLSocket) -> Iterator[Any]:
        found = protocol.events()
        if not found:
            data = connection.recv(65536)
            if data:
                protocol.receive_data(data)
            else:
                protocol.receive_eof()
            found = protocol.events()
        for event in found:
            if type(event).__name__ == "PrefaceReceived":
                protocol.send(Accept())
            yield event
        if self.proceed or not any(type(event).__name__ == "NextReceived" for event in found):
            self._write(protocol, connection)

    def _write(self, protocol: Connection, connection: ssl.SSLSocket) -> None:
        for item in protocol.data_to_send():
            data = bytes(item)
            size = self.pieces or len(data)
            for start in range(0, len(data), size):
                connection.sendall(data[start : start + size])


def _null_message() -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(bytes.fromhex("0e0000000a4d6573736167650000")) + packer.flush()


NULL_MESSAGE = _null_message()


@contextlib.contextmanager
def small_agent(identity: MadeIdentity, **behaviour: Any) -> Iterator[tuple[SmallAgent, Client]]:
    agent = SmallAgent(**behaviour)
    with server(tls(agent, identity.path)) as port:
        client = Client(Endpoint("127.0.0.1", port, identity.thumbprint_sha256), str(identity.path), timeouts=SOON)
        with client:
            yield agent, client


def test_one_connection_serves_many_calls(identity: MadeIdentity) -> None:
    with small_agent(identity) as (agent, client):
        for _dummy in range(5):
            assert client.capabilities() == ("IScriptServiceV2",)
    assert agent.connections == 1
    assert agent.requests == 5
    assert agent.ended.wait(5)  # END was said


def test_connects_anew_when_the_idle_connection_was_closed(identity: MadeIdentity) -> None:
    """A Tentacle closes idle connections after a minute, without close_notify (Q18, Q24)."""
    with small_agent(identity, calls=1) as (agent, client):
        client.capabilities()
        time.sleep(0.1)
        client.capabilities()
        assert client.connections == 2
    assert agent.requests == 2


def test_connects_anew_when_proceed_does_not_come(identity: MadeIdentity) -> None:
    with small_agent(identity, proceed=False) as (agent, client):
        client.timeouts = Timeouts(receive=0.3, response=5, handshake=5)
        client.capabilities()
        client.capabilities()
        assert client.connections == 2
    assert agent.requests == 2


def test_reads_answers_that_come_byte_by_byte(identity: MadeIdentity) -> None:
    """Identity, PROCEED and messages may be split anywhere (§3.2)."""
    with small_agent(identity, pieces=1) as (_dummy, client):
        assert client.capabilities() == ("IScriptServiceV2",)
        assert client.capabilities() == ("IScriptServiceV2",)
        assert client.connections == 1


def test_a_null_response_fails_the_call(identity: MadeIdentity) -> None:
    with small_agent(identity, null=True) as (agent, client), pytest.raises(ClientError) as caught:
        client.call("ICapabilitiesServiceV2", "GetCapabilities")
    assert "null message" in str(caught.value)
    assert agent.requests == 1


def test_is_not_slowed_down_by_delayed_acknowledgements(identity: MadeIdentity) -> None:
    """Small writes behind each other must not wait for an acknowledgement: 40 ms each on Linux (Q4)."""
    with small_agent(identity, pieces=7) as (_dummy, client):
        client.capabilities()
        begin = time.monotonic()
        for _dummy in range(20):
            client.capabilities()
        assert time.monotonic() - begin < 20 * 0.03


def test_a_certificate_without_any_extension_and_ecdsa_work(tmp_path: pathlib.Path) -> None:
    from identities import elliptic

    other = make(tmp_path / "ec.pem", "Elliptic", key=elliptic())
    with small_agent(other) as (_dummy, client):
        assert client.capabilities() == ("IScriptServiceV2",)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_speaks_both_versions(version: ssl.TLSVersion, identity: MadeIdentity) -> None:
    agent = SmallAgent()
    with server(tls(agent, identity.path, versions=(version, version))) as port:
        client = Client(Endpoint("127.0.0.1", port, identity.thumbprint), str(identity.path), timeouts=SOON)
        with client:
            assert client.capabilities() == ("IScriptServiceV2",)


def test_says_nothing_to_a_wrong_certificate(identity: MadeIdentity) -> None:
    heard: list[bytes] = []

    def listen(connection: ssl.SSLSocket) -> None:
        heard.append(connection.recv(100))

    with server(tls(listen, identity.path)) as port:
        client = Client(Endpoint("127.0.0.1", port, "00" * 20), str(identity.path), timeouts=SOON)
        with client, pytest.raises(ClientError) as caught:
            client.capabilities()
        until(lambda: bool(heard))
    assert caught.value.cause == "agent_thumbprint_mismatch"
    assert identity.thumbprint in str(caught.value)
    assert heard == [b""]


def test_a_request_that_began_is_not_repeated(identity: MadeIdentity) -> None:
    requests: list[int] = []

    def vanish(connection: ssl.SSLSocket) -> None:
        protocol = Connection(Role.SERVICE)
        while True:
            protocol.receive_data(connection.recv(65536))
            for event in protocol.events():
                if type(event).__name__ == "PrefaceReceived":
                    protocol.send(Accept())
                if isinstance(event, RequestReceived):
                    requests.append(1)
                    return
            for event in protocol.events():
                if isinstance(event, RequestReceived):
                    requests.append(1)
                    return
            for item in protocol.data_to_send():
                connection.sendall(bytes(item))

    with server(tls(vanish, identity.path)) as port:
        client = Client(Endpoint("127.0.0.1", port), timeouts=SOON)
        with client, pytest.raises(ClientError) as caught:
            client.call("IFileTransferService", "DownloadFile", "x")
    assert caught.value.cause == "reset"
    assert not caught.value.unsent
    assert requests == [1]


def test_tries_again_when_nothing_was_sent(identity: MadeIdentity) -> None:
    """The agent that is restarting refuses first; the second attempt finds it (§7.4)."""
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    pauses: list[float] = []
    client = Client(Endpoint("127.0.0.1", port), timeouts=SOON, sleep=pauses.append)
    with pytest.raises(ClientError) as caught:
        client.capabilities()
    assert caught.value.cause == "refused"
    assert SOON.pause in pauses


# A live agent ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, identity: MadeIdentity) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path_factory.mktemp("live"), [identity.thumbprint]) as agent:
        yield agent


@pytest.fixture
def client(live: AgentProcess, identity: MadeIdentity) -> Iterator[Client]:
    endpoint = Endpoint("127.0.0.1", live.port, live.thumbprint)
    with Client(endpoint, str(identity.path), timeouts=SOON) as found:
        yield found


def test_live_capabilities(client: Client) -> None:
    assert client.capabilities() == ("IScriptService", "IFileTransferService", "IScriptServiceV2")


def test_live_script_with_files_and_arguments(client: Client) -> None:
    data = b"from a file\n"
    script = Script(
        'echo "$1 $2"; cat note.txt; echo wrong >&2; exit 7',
        arguments=("a", "b"),
        files=(FileToSend("note.txt", io.BytesIO(data), len(data)),),
        isolated=True,
    )
    seen: list[str] = []
    outcome = client.run_script(script, lambda line: seen.append(line.text or ""))
    assert outcome.exit_code == 7
    assert not outcome.timed_out
    texts = [line.text for line in outcome.output if line.source == SOURCE_STDOUT]
    assert texts[-2:] == ["a b", "from a file"]
    assert [line.text for line in outcome.output if line.source == SOURCE_STDERR] == ["wrong"]
    assert seen == [line.text for line in outcome.output]
    assert client.get_status(ScriptTicket(outcome.ticket)).exit_code == -45  # the agent was let forget it


def test_live_script_is_cancelled_at_its_time_limit(client: Client) -> None:
    begin = time.monotonic()
    outcome = client.run_script(Script("echo begun; sleep 60"), timeout=1.5)
    assert outcome.timed_out
    assert outcome.exit_code != 0
    assert time.monotonic() - begin < 10
    assert "begun" in [line.text for line in outcome.output]


def test_live_script_is_cancelled_when_the_caller_is_interrupted(client: Client, live: AgentProcess) -> None:
    script = Script("sleep 60")

    def interrupt(_dummy: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.run_script(script, interrupt)
    until(lambda: client.get_status(script.ticket).state == COMPLETE, 10)
    client.complete_script(script.ticket)


def test_live_output_comes_while_the_script_runs(client: Client) -> None:
    times: list[float] = []
    client.run_script(Script("echo one; sleep 2.5; echo two"), lambda line: times.append(time.monotonic()))
    assert times[-1] - times[0] > 1


def test_live_files_there_and_back(client: Client, live: AgentProcess) -> None:
    data = hashlib.sha256(b"x").digest() * 100_000  # 3.2 MB
    progress: list[tuple[int, int]] = []
    answer = client.upload(
        "Files/pack.bin", io.BytesIO(data), len(data), lambda done, all_: progress.append((done, all_))
    )
    assert answer.hash == hashlib.sha1(data).hexdigest()
    assert answer.length == len(data)
    assert answer.full_path == str(live.home / "Files" / "pack.bin")
    assert progress[-1] == (len(data), len(data))
    sink = io.BytesIO()
    assert client.download("Files/pack.bin", sink) == len(data)
    assert sink.getvalue() == data
    assert client.download("Files/missing.bin", io.BytesIO()) is None
    assert client.connections == 1


def test_live_errors_leave_the_connection_usable(client: Client) -> None:
    with pytest.raises(ServiceInvocationError):
        client.upload("/proc/version/x", io.BytesIO(b"x"), 1)
    with pytest.raises(NoMatchingMethod):
        client.call("IFileTransferService", "RenameFile", "a")
    client.capabilities()
    assert client.connections == 1


def test_live_stranger_is_told_why(live: AgentProcess, tmp_path: pathlib.Path) -> None:
    stranger = make(tmp_path / "stranger.pem", "Stranger")
    client = Client(Endpoint("127.0.0.1", live.port), str(stranger.path), timeouts=SOON)
    with client, pytest.raises(ClientError) as caught:
        client.capabilities()
    assert caught.value.cause == "server_not_trusted"
    assert stranger.thumbprint in str(caught.value)


def test_live_restart_between_two_calls_goes_unnoticed(tmp_path: pathlib.Path, identity: MadeIdentity) -> None:
    with AgentProcess(tmp_path, [identity.thumbprint]) as agent:
        endpoint = Endpoint("127.0.0.1", agent.port, agent.thumbprint)
        with Client(endpoint, str(identity.path), timeouts=SOON) as client:
            client.capabilities()
            agent.stop()
            agent.configure(port=endpoint.port)
            agent.start()
            client.capabilities()
            assert client.connections == 2
