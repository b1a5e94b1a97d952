# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody but the trusted server gets a byte of the protocol.

Not without a certificate, not with a stranger's, and not with the right one and a wrong key.
"""

from __future__ import annotations

import contextlib
import pathlib
import random
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from agent_process import AgentProcess, Identity, make_identity
from wire_client import WireClient, client_context

from .caller import Caller, expect

HELLOS = (b"MX\r\n\r\n", b"MX\n\nMX-CLIENT 1.0\r\n\r\n", b"MX\n\n", b"MXX\n\nMX-CLIENT 1.0\r\n\r\nNEXT\r\nEND\r\n")
THREADS = 4
WRONG_KEYS = 20


def run(attempts: int, seed: int, directory: pathlib.Path, say: Callable[[str], None]) -> str:
    """So many attempts. Raises Broken."""
    identity = make_identity(directory / "server.pem")
    strangers: list[Identity | None] = [make_identity(directory / "ec.pem", "Stranger", "ec"),
                                        make_identity(directory / "rsa.pem", "Stranger"), None, None]
    with AgentProcess(directory, [identity.thumbprint]) as agent:
        contexts = [client_context(who.path if who else None, version) for who in strangers
                    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
        with ThreadPoolExecutor(THREADS) as pool:
            work = [pool.submit(_attempt, agent.port, contexts, random.Random(f"{seed}/{number}"))
                    for number in range(attempts)]
            for number, done in enumerate(work, 1):
                answered = done.result()
                expect(not answered, f"attempt {number} was answered {answered[:60]!r}")
                if number % 2000 == 0:
                    say(f"{number} of {attempts} attempts")
        refused = _with_wrong_keys(agent, directory, identity)
        with Caller(agent, identity) as caller:
            expect(caller.client.capabilities().error is None, "the trusted server is not answered any more")
        expect(len(agent.log().splitlines()) < 200, "strangers fill the log")
        expect(all("GetCapabilities" in line for line in agent.audit()), "a stranger's call was run")
    return f"{attempts} attempts, not a byte; {refused} with a wrong key refused in the handshake"


def _attempt(port: int, contexts: list[ssl.SSLContext], rng: random.Random) -> bytes:
    client = WireClient(port, context=rng.choice(contexts))
    try:
        with contextlib.suppress(OSError):
            client.send(rng.choice(HELLOS) + rng.randbytes(rng.randrange(50)))
            if rng.random() < 0.5:
                client.finish()
            client.read_to_end()
    finally:
        client.close()
    return bytes(client.received)


def _with_wrong_keys(agent: AgentProcess, directory: pathlib.Path, identity: Identity) -> int:
    """Show the trusted certificate and sign with another key: OpenSSL compares only the public halves."""
    trusted = make_identity(directory / "trusted-ec.pem", "Octopus Server", "ec")
    agent.trust([identity.thumbprint, trusted.thumbprint])
    agent.wait_for_log(f"trust Octopus Servers with the thumbprint: {trusted.thumbprint}")
    right = WireClient(agent.port, trusted.path)
    expect(right.capabilities().error is None, "the right key is not accepted, so the wrong one proves nothing")
    right.close()
    forged = directory / "forged.pem"
    forged.write_bytes(with_another_key(trusted.path.read_bytes()))
    refused = 0
    for number in range(WRONG_KEYS):
        version = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)[number % 2]
        context = client_context(forged, version)
        with socket.create_connection(("127.0.0.1", agent.port), timeout=20) as raw:
            answer = b""
            try:
                with context.wrap_socket(raw) as sock:
                    sock.sendall(HELLOS[1])
                    while data := sock.recv(4096):
                        answer += data
            except (ssl.SSLError, ConnectionError):
                refused += 1
            expect(not answer, f"a wrong key was answered {answer[:60]!r}")
    expect(refused == WRONG_KEYS, f"only {refused} of {WRONG_KEYS} handshakes with a wrong key failed")
    return refused


def with_another_key(pem: bytes) -> bytes:
    """The certificate of a PEM file, and a key that has its public half but another private one."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = x509.load_pem_x509_certificate(pem).public_key()
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    secret = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big")
    curve = bytes.fromhex("a00a06082a8648ce3d030107")  # [0] prime256v1
    bits = b"\x03" + bytes([len(point) + 1]) + b"\0" + point
    body = b"\x02\x01\x01\x04\x20" + secret + curve + b"\xa1" + bytes([len(bits)]) + bits
    key = ssl.DER_cert_to_PEM_cert(b"\x30" + bytes([len(body)]) + body).replace("CERTIFICATE", "EC PRIVATE KEY")
    certificate = pem[pem.index(b"-----BEGIN CERTIFICATE") :]
    return key.encode() + certificate
