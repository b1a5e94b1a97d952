# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the listener lets in, and what it makes of those who mean it badly or break off."""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import socket
import ssl
import struct
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from agent_process import AgentProcess, Identity, make_identity
from wire_client import WIRE_HELLO, Ended, WireClient, client_context

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import ScriptStatusRequestV2, ScriptTicket

Connect = Callable[..., WireClient]
StartAgent = Callable[..., AgentProcess]
CAPABILITIES = ("IScriptService", "IFileTransferService", "IScriptServiceV2")


def plain(agent: AgentProcess) -> socket.socket:
    """A TCP connection without TLS."""
    return socket.create_connection(("127.0.0.1", agent.port), timeout=20)


def read_to_end(sock: socket.socket, timeout: float = 20) -> bytes:
    """What comes until the agent ends or resets the connection."""
    sock.settimeout(timeout)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while True:
            piece = sock.recv(65536)
            if not piece:
                break
            data += piece
    return data


# Who may call ------------------------------------------------------------------------------------------------------


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


# Trust, certificate and limits change while the agent runs ----------------------------------------------------------


def test_trust_changes_without_a_restart_and_cuts_who_lost_it(
    start_agent: StartAgent, connect: Connect, server_identity: Identity, stranger_identity: Identity
) -> None:
    process = start_agent()
    idle, other = connect(process), connect(process)
    idle.capabilities()
    other.capabilities()
    process.trust([stranger_identity.thumbprint])
    assert idle.ends_by_reset()
    process.wait_for_log("2 connection.* no longer trusted were cut")
    assert connect(process, stranger_identity).capabilities().error is None
    refused = connect(process)
    refused.send(WIRE_HELLO)
    assert refused.read_to_end() == b""


def test_reload_by_signal_and_a_broken_configuration_is_not_used(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    process.configuration_path.write_text("{ broken", encoding="utf-8")
    process.signal(1)
    process.wait_for_log("ERROR .*the previous one stays in force")
    assert connect(process).capabilities().error is None
    process.configure(port=1)
    process.signal(1)
    process.wait_for_log("Restart the agent to use the changed configuration of port")


def test_a_new_certificate_is_shown_without_a_restart(
    start_agent: StartAgent, connect: Connect, stranger_identity: Identity
) -> None:
    process = start_agent()
    before = connect(process)
    before.capabilities()
    aside = process.identity_path.with_suffix(".new")
    aside.write_bytes(stranger_identity.path.read_bytes())
    aside.replace(process.identity_path)
    process.wait_for_log(f"New connections are shown the certificate {stranger_identity.thumbprint}")
    after = connect(process)
    shown = after.sock.getpeercert(binary_form=True)
    assert shown is not None
    assert shown != before.sock.getpeercert(binary_form=True)
    assert after.capabilities().error is None
    assert before.capabilities().error is None


def test_an_idle_connection_is_closed_and_half_a_word_does_not_prolong_it(
    start_agent: StartAgent, connect: Connect
) -> None:
    process = start_agent(idle_seconds=1)
    client = connect(process)
    client.capabilities()
    start = time.monotonic()
    time.sleep(0.6)
    client.send(b"NEX")
    assert client.read_to_end(10) == b""
    assert 0.8 < time.monotonic() - start < 3


# Calls that fit nothing ---------------------------------------------------------------------------------------------


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


# Peers that break off, say nonsense or nothing ------------------------------------------------------------------------


@pytest.mark.parametrize("junk", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"MX\r\n\r\n", b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x05hello",
    b"\x00" * 100, b"\x15\x03\x01\x00\x02\x02\x28", os.urandom(4096),
])
def test_junk_instead_of_tls_is_closed_at_once(agent: AgentProcess, connect: Connect, junk: bytes) -> None:
    start = time.monotonic()
    with plain(agent) as sock:
        sock.sendall(junk)
        answer = read_to_end(sock)
    assert len(answer) <= 7, "nothing but an alert"
    assert time.monotonic() - start < 3
    assert connect(agent).capabilities().error is None


@pytest.mark.parametrize("preface", [b"", b"M"])
def test_half_a_preface_and_the_end_is_closed_without_a_byte(
    agent: AgentProcess, connect: Connect, preface: bytes
) -> None:
    client = connect(agent)
    client.send(preface)
    client.finish()
    assert client.read_to_end() == b""


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


def test_a_first_line_without_end_gets_the_page(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent, None)
    client.send(b"G" * 20_001)
    assert client.read_to_end().startswith(b"HTTP/1.0 200 OK\r\n")


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


@pytest.mark.slow
def test_slow_and_silent_clients_are_cut_at_an_absolute_deadline(
    agent: AgentProcess, connect: Connect, server_identity: Identity
) -> None:
    hello = ssl_client_hello()
    start = time.monotonic()
    silent, dripping = plain(agent), plain(agent)
    without_hello, dripping_hello = connect(agent), connect(agent)
    ended: dict[str, float] = {}
    position = 0
    watched = {"silent": silent, "dripping": dripping, "without hello": without_hello.sock,
               "dripping hello": dripping_hello.sock}
    while len(ended) < len(watched) and time.monotonic() - start < 25:
        for name, sock in watched.items():
            if name in ended:
                continue
            sock.settimeout(0.05)
            try:
                if name == "dripping":
                    sock.sendall(hello[position:position + 1])
                elif name == "dripping hello":
                    sock.sendall(b"x")
                if sock.recv(100) == b"":
                    ended[name] = time.monotonic() - start
            except TimeoutError:
                continue
            except OSError:
                ended[name] = time.monotonic() - start
        position += 1
        time.sleep(0.5)
    silent.close()
    dripping.close()
    assert sorted(ended) == sorted(watched)
    assert all(14 < seconds < 19 for seconds in ended.values()), ended
    assert connect(agent).capabilities().error is None


def ssl_client_hello() -> bytes:
    """A real ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = client_context(None).wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


# Crowds -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Room for thousands of sockets in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    if wanted < 5000:
        pytest.skip("this account may not open 5,000 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
@pytest.mark.parametrize("says", [b"", b"\x16\x03\x01", "client hello"], ids=["silent", "three bytes", "client hello"])
def test_two_thousand_connections_at_once_and_others_are_served(
    start_agent: StartAgent, connect: Connect, says: bytes | str
) -> None:
    """The crowd comes from another address than the server: places are kept for those who authenticated lately."""
    process = start_agent()
    established = connect(process)
    established.capabilities()
    before = process.resident_kib(), process.threads()
    first = ssl_client_hello() if isinstance(says, str) else says
    crowd: list[socket.socket] = []
    try:
        for _unused in range(2000):
            sock = socket.create_connection(("127.0.0.1", process.port), timeout=20, source_address=("127.0.0.2", 0))
            sock.sendall(first)
            crowd.append(sock)
        slowest = 0.0
        for _unused in range(10):
            start = time.monotonic()
            assert connect(process).capabilities().error is None
            assert established.capabilities().error is None
            slowest = max(slowest, time.monotonic() - start)
        assert slowest < 2.5
        assert process.resident_kib() - before[0] < 150 * 1024
        assert process.threads() - before[1] < 150
    finally:
        for sock in crowd:
            sock.close()
    wait_until(lambda: process.descriptors() < 60)
    assert connect(process).capabilities().error is None
    assert process.log().count("\n") < 200


@pytest.mark.usefixtures("many_descriptors")
@pytest.mark.slow
def test_two_thousand_strangers_that_speak_tls(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    context = client_context(None)
    crowd = []
    try:
        for _unused in range(2000):
            try:
                crowd.append(WireClient(process.port, context=context))
            except OSError:
                continue
        assert len(crowd) > 1500
        assert connect(process).capabilities().error is None
    finally:
        for client in crowd:
            client.close()
    wait_until(lambda: process.descriptors() < 60)


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for something to become true."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_running_out_of_descriptors_does_not_end_the_listener(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    established = connect(process)
    established.capabilities()
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.descriptors() + 10, limits[1]))
    crowd = [plain(process) for _unused in range(100)]
    process.wait_for_log("ERROR .*Could not accept a connection: Too many open files")
    assert established.capabilities().error is None
    for sock in crowd:
        sock.close()
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    wait_until(lambda: process.descriptors() < 40)
    assert connect(process).capabilities().error is None


# Large answers, beginning and end -----------------------------------------------------------------------------------


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


def test_the_agent_listens_on_ipv6_and_ipv4(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent(listen_address=None)
    addresses = ["127.0.0.1", "::1"] if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6") else ["127.0.0.1"]
    for address in addresses:
        assert connect(process, address=address).capabilities().error is None
    assert "Client at 127.0.0.1 authenticated" in process.log()


def test_a_taken_port_is_a_sentence(start_agent: StartAgent, tmp_path: object, agent: AgentProcess) -> None:
    sentence = f"Could not listen on port {agent.port} of 127.0.0.1: Address already in use"
    with pytest.raises(RuntimeError, match=sentence):
        start_agent(port=agent.port)


def test_stopping_ends_idle_connections_at_once(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    client = connect(process)
    client.capabilities()
    start = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - start < 3
    assert client.read_to_end(5) == b""
    with pytest.raises(OSError, match="refused"):
        connect(process)


def test_stopping_lets_scripts_end_and_refuses_new_ones(start_agent: StartAgent, connect: Connect) -> None:
    from module_utils._halibut.contracts import StartScriptCommandV2
    from module_utils._halibut.timespan import TimeSpan

    def start(ticket: str, body: str) -> StartScriptCommandV2:
        return StartScriptCommandV2(
            script_ticket=ScriptTicket(ticket), script_body=body, task_id="t", duration_to_wait=None, isolation=0,
            mutex_timeout=TimeSpan.from_seconds(20), mutex_name=None, scripts={}, files=(), arguments=(),
        )

    process = start_agent(drain_seconds=20)
    client = connect(process)
    assert client.call("IScriptServiceV2", "StartScript", start("slow", "sleep 2; echo done")).error is None
    process.signal(15)
    process.wait_for_log("The agent stops")
    error = client.call("IScriptServiceV2", "StartScript", start("late", "true")).error
    assert error is not None
    assert error.message == "The Tentacle service is shutting down and cannot process this request."
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        try:
            status = client.call("IScriptServiceV2", "GetStatus", ScriptStatusRequestV2(ScriptTicket("slow"), 0))
        except (Ended, OSError):
            break
        assert status.error is None or "shutting down" in (status.error.message or "")
        time.sleep(0.2)
    assert process.stop() == 0
    assert (process.home / "Work" / "slow" / "Output.log").read_text().count("done") == 1


def test_start_up_says_what_test_harnesses_look_for(agent: AgentProcess, server_identity: Identity) -> None:
    lines = [line.partition("INFO  ")[2] for line in agent.log().splitlines()]
    wanted = [f"Agent will trust Octopus Servers with the thumbprint: {server_identity.thumbprint}",
              f"listen://127.0.0.1:{agent.port}/  Listener started", f"Agent listening on: 127.0.0.1:{agent.port}"]
    positions = [lines.index(line) for line in wanted]
    assert positions == sorted(positions)


def test_an_agent_without_certificate_makes_one(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent(identity=b"", certificate_path="fresh.pem")
    assert (process.directory / "fresh.pem").stat().st_mode & 0o077 == 0
    assert connect(process).capabilities().error is None
    assert "a new one has been generated" in process.log()


def test_an_idle_agent_uses_no_processor_and_little_memory(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    connect(process).capabilities()
    time.sleep(1)
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        before = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    time.sleep(3)
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        after = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    assert after - before <= 1, "in hundredths of a second, during three seconds"
