# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What strangers, crowds and broken peers get from the listener: nothing, in a bounded time, at a bounded cost."""

from __future__ import annotations

import base64
import contextlib
import os
import pathlib
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest
from agent_process import AgentProcess, Identity, make_identity, wait_until
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from wire_client import WIRE_HELLO, WireClient, client_context, client_hello, read_to_end

Connect = Callable[..., WireClient]
StartAgent = Callable[..., AgentProcess]


def plain(agent: AgentProcess) -> socket.socket:
    """A TCP connection without TLS."""
    return socket.create_connection(("127.0.0.1", agent.port), timeout=20)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_nobody_but_the_trusted_gets_a_byte_however_often_they_ask(
    start_agent: StartAgent, connect: Connect, stranger_identity: Identity, version: ssl.TLSVersion
) -> None:
    """Hello and a whole call in one breath, with an untrusted certificate and with none, a hundred times each."""
    process = start_agent()
    server = connect(process)
    server.capabilities()
    call = WIRE_HELLO + bytes(server.sent)[len(WIRE_HELLO):]
    for identity in (stranger_identity, None):
        context = client_context(identity.path if identity else None, version)
        for _unused in range(100):
            client = connect(process, None, context=context)
            client.send(call)
            assert read_to_end(client.sock) == b""
            client.close()
    server.call("INo", "Go")
    wait_until(lambda: len(process.audit()) >= 2)
    assert len(process.audit()) == 2, "the trusted server's calls, and nobody else's"
    assert process.log().count("was refused") < 10, "a line a minute for each kind"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_right_certificate_with_a_wrong_key_is_refused(
    start_agent: StartAgent, connect: Connect, tmp_path: pathlib.Path, version: ssl.TLSVersion
) -> None:
    trusted = make_identity(tmp_path / "trusted.pem", key_type="ec")
    process = start_agent(trusted=[trusted.thumbprint])
    assert connect(process, trusted, version=version).capabilities().error is None
    thief = with_another_key(trusted, tmp_path / "thief.pem")
    with contextlib.suppress(OSError):  # in TLS 1.3 the client learns it only when it reads
        client = connect(process, None, context=client_context(thief, version))
        client.send(WIRE_HELLO)
        assert client.read() == b""
    process.wait_for_log("TLS handshake failed: .*signature")
    assert process.log().count("authenticated as") == 1


def with_another_key(identity: Identity, path: pathlib.Path) -> pathlib.Path:
    """An identity whose private half is another key's, while its public half is the certificate's."""
    _unused, mark, certificate = identity.path.read_text().partition("-----BEGIN CERTIFICATE-----")
    public = load_pem_private_key(identity.path.read_bytes(), None).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big")
    curve = bytes.fromhex("a00a06082a8648ce3d030107")
    body = b"\x02\x01\x01\x04\x20" + number + curve + b"\xa1\x44\x03\x42\x00" + point
    der = base64.encodebytes(b"\x30" + bytes([len(body)]) + body).decode("ascii")
    path.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{der}-----END EC PRIVATE KEY-----\n{mark}{certificate}")
    return path


def test_whoever_dribbles_keeps_no_thread(start_agent: StartAgent, connect: Connect) -> None:
    """Ten bytes a second never let the quarter of a second pass after which silent newcomers are put aside."""
    process = start_agent()
    server = connect(process)
    server.capabilities()
    before = process.threads()
    hello = client_hello()
    crowd = [plain(process) for _unused in range(40)]
    try:
        for byte in hello[:40]:
            for sock in crowd:
                sock.sendall(bytes([byte]))
            time.sleep(0.1)
        assert process.threads() - before < 20
        assert server.capabilities().error is None
    finally:
        for sock in crowd:
            sock.close()


def test_who_leaves_without_a_byte_leaves_no_line(agent: AgentProcess) -> None:
    """Load balancers look like that every few seconds, and so does the agent's own watchdog."""
    before = agent.log()
    for _unused in range(20):
        with plain(agent) as sock:
            sock.shutdown(socket.SHUT_WR)
            assert read_to_end(sock) == b""
    assert agent.log() == before


def test_the_kernel_looks_after_peers_that_vanish(agent: AgentProcess, connect: Connect) -> None:
    """Keep-alive with Halibut's 15 seconds; /proc/net/tcp shows the timer (2) and when it is due."""
    client = connect(agent)
    client.capabilities()
    wanted = {f"{number:04X}" for number in (agent.port, client.sock.getsockname()[1])}

    def timer() -> tuple[str, int]:
        for name in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in pathlib.Path(name).read_text(encoding="ascii").splitlines()[1:]:
                words = line.split()
                ports = [words[1][-4:], words[2][-4:]]
                if set(ports) == wanted and ports[0] == f"{agent.port:04X}":
                    kind, _unused, due = words[5].partition(":")
                    return kind, int(due, 16)
        raise AssertionError("no such connection")

    wait_until(lambda: timer()[0] == "02")
    assert 0 < timer()[1] <= 15 * os.sysconf("SC_CLK_TCK")


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


def test_a_first_line_without_end_gets_the_page(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent, None)
    client.send(b"G" * 20_001)
    assert client.read_to_end().startswith(b"HTTP/1.0 200 OK\r\n")


@pytest.mark.slow
def test_slow_and_silent_clients_are_cut_at_an_absolute_deadline(
    agent: AgentProcess, connect: Connect, server_identity: Identity
) -> None:
    hello = client_hello()
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
    first = client_hello() if isinstance(says, str) else says
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


FEW_DESCRIPTORS = """
import resource
import sys
from tentacle_agent import runtime
from tentacle_agent.__main__ import main
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
runtime.SETTLE_SECONDS = 3
sys.exit(main())
"""


def test_a_crowd_that_comes_with_the_start_does_not_take_what_loading_needs(
    start_agent: StartAgent, connect: Connect
) -> None:
    process = start_agent(program=("-c", FEW_DESCRIPTORS))
    crowd = [plain(process) for _unused in range(200)]
    time.sleep(1)
    assert "Could not accept" not in process.log()
    process.wait_for_log("ERROR .*Could not accept a connection: Too many open files")
    for sock in crowd:
        sock.close()
    wait_until(lambda: process.descriptors() < 40)
    assert connect(process).upload("a.txt", b"text").error is None


def test_running_out_of_descriptors_does_not_end_the_listener(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    established = connect(process)
    established.upload("a.txt", b"text")  # so that everything is loaded: that takes descriptors as well
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
