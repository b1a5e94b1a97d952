# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the listener lets in, and how calls go that fit nothing, break the protocol or answer much."""

from __future__ import annotations

import contextlib
import os
import pathlib
import ssl
import struct
import zlib
from collections.abc import Callable

import pytest
from agent_process import AgentProcess, Identity, make_identity, wait_until
from wire_client import WIRE_HELLO, WireClient, client_context

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import ScriptStatusRequestV2, ScriptTicket

Connect = Callable[..., WireClient]
StartAgent = Callable[..., AgentProcess]
CAPABILITIES = ("IScriptService", "IFileTransferService", "IScriptServiceV2")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_trusted_server_is_served(agent: AgentProcess, connect: Connect, version: ssl.TLSVersion) -> None:
    client = connect(agent, version=version)
    for _unused in range(3):
        assert client.capabilities().result.supported_capabilities == CAPABILITIES
    client.say_goodbye()
    assert client.read() == b""
    agent.wait_for_log("Client at 127.0.0.1 authenticated as [0-9A-F]{40}")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_resumes_its_session_gets_its_second_connection(
    agent: AgentProcess, server_identity: Identity, connect: Connect, version: ssl.TLSVersion
) -> None:
    context = client_context(server_identity.path, version)
    first = connect(agent, context=context)
    first.capabilities()
    session = first.sock.session
    first.close()
    for _unused in range(2):
        second = connect(agent, context=context, session=session)
        assert second.capabilities().error is None
        assert not second.sock.session_reused


def test_a_stranger_gets_silence_and_a_line_in_the_log(
    agent: AgentProcess, stranger_identity: Identity, connect: Connect
) -> None:
    client = connect(agent, stranger_identity)
    client.send(WIRE_HELLO)
    assert client.read_to_end() == b""
    found = agent.wait_for_log(r"WARN .*Client at 127.0.0.1 was refused: its certificate ([0-9A-F]{40}) is not trusted")
    assert found.group(1) == stranger_identity.thumbprint


def test_a_client_without_a_certificate_gets_silence(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent, None)
    client.send(WIRE_HELLO)
    assert client.read_to_end() == b""
    agent.wait_for_log("was refused: it presented no client certificate")


@pytest.mark.parametrize("key_type", ["rsa", "ec"])
def test_pins_in_other_spellings_and_other_keys(
    start_agent: StartAgent, connect: Connect, tmp_path: pathlib.Path, key_type: str
) -> None:
    identity = make_identity(tmp_path / "other.pem", "Other", key_type)
    spellings = [identity.thumbprint_sha256.lower(), identity.path.read_text().partition("-----BEGIN CERT")[2],
                 " ".join(identity.thumbprint[i:i + 2] for i in range(0, 40, 2))]
    spellings[1] = "-----BEGIN CERT" + spellings[1]
    agent_pem = make_identity(tmp_path / "agent.pem", "Octopus Tentacle", key_type).path.read_bytes()
    process = start_agent(trusted=[spellings.pop()], identity=agent_pem)
    assert connect(process, identity).capabilities().error is None
    for spelling in spellings:
        position = len(process.log())
        process.trust([spelling])
        process.wait_for_log("The configuration was read again", position)
        assert connect(process, identity).capabilities().error is None


def test_unknown_service_method_and_arguments_are_errors_and_the_connection_stays(
    agent: AgentProcess, connect: Connect
) -> None:
    client = connect(agent)
    cases = [
        (("INothing", "Go"), "Error: INothing has not been registered through an IAutofacServiceSource", None),
        (("icapabilitiesservicev2", "GetCapabilities"), "Error: icapabilitiesservicev2 has not been registered", None),
        (("IScriptServiceV2", "Go"), "ScriptServiceV2::GoAsync not found", "MethodNotFound"),
        (("ICapabilitiesServiceV2", "GetCapabilities", 1), "The request arguments were:\nInt64\n",
         "AmbiguousMethodMatch"),
        (("IFileTransferService", "DownloadFile"), "The request arguments were:\n\n", "AmbiguousMethodMatch"),
        (("IFileTransferService", "DownloadFile", "a", None, True, 1.5, Guid(bytes(16))),
         "The request arguments were:\nString, <null>, Boolean, Double, Guid\n", "AmbiguousMethodMatch"),
        (("IScriptServiceV2", "GetStatus", ScriptTicket("x")), "The request arguments were:\nScriptTicket\n",
         "AmbiguousMethodMatch"),
    ]
    for call, text, kind in cases:
        error = client.call(*call).error
        assert error is not None
        assert text in (error.message or "")
        assert (error.type_name or "") == (f"Halibut.Exceptions.{kind}HalibutClientException" if kind else "")
    assert client.call("ICapabilitiesServiceV2", "GETcapabilities").error is None


def test_a_stream_that_no_method_takes_is_read_over(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent)
    from module_utils._halibut.contracts import DataStream

    stream = DataStream(Guid(os.urandom(16)), 1_000_000)
    response = client.call("INothing", "Go", stream, payloads={stream.id: bytes(1_000_000)})
    assert response.error is not None
    assert client.capabilities().error is None


def test_every_call_leaves_one_line_in_the_audit_trail(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent)
    client.call("IScriptServiceV2", "GetStatus", ScriptStatusRequestV2(ScriptTicket("audited"), 0))
    wait_until(lambda: "  audited  " in "".join(agent.audit()))
    before = len(agent.audit())
    client.call("INo\n2026 forged", "Go")
    wait_until(lambda: len(agent.audit()) == before + 1)
    lines = agent.audit()
    assert "  127.0.0.1  IScriptServiceV2.GetStatus  audited  ok  " in lines[-2]
    assert "  127.0.0.1  INo.Go  -  failed: Error: INo  " in lines[-1]


@pytest.mark.parametrize("hello", [
    b"MX\n\nMX-CLIENT 1.0\n\n", b"MX\n\n\r\n", b"MX\n\nMX-CLIENT 1.0\r\nx\r\n", b"MX\n\nHELO 1.0\r\n\r\n",
    b"MX\n\n" + b"x" * 100_000, WIRE_HELLO + b"\x01\x02\x03 no deflate", WIRE_HELLO + os.urandom(3000),
])
def test_a_trusted_peer_that_breaks_the_protocol_gets_no_answer(
    agent: AgentProcess, connect: Connect, hello: bytes
) -> None:
    client = connect(agent)
    client.send(hello)
    client.finish()
    assert client.read_to_end() in (b"", b"MX-SERVER 1.0\r\n\r\n")
    assert connect(agent).capabilities().error is None


def test_a_bomb_is_refused_within_bounded_memory(agent: AgentProcess, connect: Connect) -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(struct.pack("<i", 1 << 30))
    bomb += b"".join(deflater.compress(bytes(1 << 20)) for _unused in range(512))
    before = agent.resident_kib()
    client = connect(agent)
    with contextlib.suppress(OSError):
        client.send(WIRE_HELLO + bomb + deflater.flush())
    with contextlib.suppress(ConnectionResetError):
        assert client.read_to_end() == b"MX-SERVER 1.0\r\n\r\n"
    agent.wait_for_log("broke the protocol and is disconnected")
    assert agent.resident_kib() - before < 200 * 1024
    assert connect(agent).capabilities().error is None


def test_the_end_of_the_clients_side_does_not_cost_the_answer(agent: AgentProcess, connect: Connect) -> None:
    """Neither side says close_notify; a client may end its side behind a request (§3.4)."""
    client = connect(agent)
    client.capabilities()
    client.next()
    core = client._core
    assert core is not None
    from module_utils._halibut.messages import Request

    core.send(Request("id", Guid(os.urandom(16)), "ICapabilitiesServiceV2", "GetCapabilities"))
    client._write()
    client.finish()
    assert len(client.read_to_end()) > 100


def test_large_answers_end_where_dotnet_reads_them_to_the_end(agent: AgentProcess, connect: Connect) -> None:
    """Above 64 KiB inflated, one or two bytes behind a multiple of 8,192 would be left behind (§10, Q7)."""
    from module_utils._halibut.contracts import StartScriptCommandV2
    from module_utils._halibut.timespan import TimeSpan

    client = connect(agent)
    body = "for i in $(seq 3000); do echo $RANDOM$RANDOM$RANDOM$RANDOM$RANDOM$RANDOM$RANDOM; done"
    command = StartScriptCommandV2(
        script_ticket=ScriptTicket("large"), script_body=body, task_id="t", duration_to_wait=TimeSpan.from_seconds(20),
        isolation=0, mutex_timeout=TimeSpan.from_seconds(20), mutex_name=None, scripts={}, files=(), arguments=(),
    )
    assert client.call("IScriptServiceV2", "StartScript", command).error is None
    for _unused in range(5):
        client.capabilities()
        position = len(client.received)
        response = client.call("IScriptServiceV2", "GetStatus", ScriptStatusRequestV2(ScriptTicket("large"), 0))
        assert len(response.result.logs) > 3000
        deflated = len(client.received) - position - len(b"PROCEED\r\n")
        assert deflated > 65536
        assert deflated % 8192 not in (1, 2)


def test_why_an_agent_did_not_start_stays_in_its_log(tmp_path: pathlib.Path) -> None:
    process = AgentProcess(tmp_path, identity=b"no certificate at all")
    with pytest.raises(RuntimeError, match="the agent has ended"):
        process.start()
    assert "FATAL  There is no certificate in" in process.log()
