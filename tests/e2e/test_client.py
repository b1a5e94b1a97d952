# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against the pitfalls of .NET peers (docs/protocol/halibut-wire.md §10)."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from agent_process import wait_until
from faulty_servers import server, tls
from identities import MadeIdentity, make

from module_utils._client.client import Client
from module_utils._client.endpoint import Endpoint, Timeouts
from module_utils._client.errors import ClientError
from module_utils._halibut.connection import Connection, Role
from module_utils._halibut.contracts import CapabilitiesResponseV2
from module_utils._halibut.events import Accept, GoodbyeReceived, MessageEnded, PeerClosed, RequestReceived
from module_utils._halibut.messages import Response

SOON = Timeouts(connect=5, handshake=5, receive=5, response=5, attempts=2, pause=0.05)


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
        wait_until(lambda: bool(heard))
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
