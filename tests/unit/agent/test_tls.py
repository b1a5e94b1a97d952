# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS between memory buffers: record counting, handshakes cut at every byte, and contexts that are refused."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tentacle_agent.records import NoRecord, RecordCounter
from tentacle_agent.tls import (
    DeadlinePassed,
    Disconnected,
    ServerContext,
    TlsError,
    TlsStream,
    explain,
)


def write_identity(path: pathlib.Path) -> pathlib.Path:
    """Write a key and a self-signed certificate in one PEM file."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test")])
    start = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(days=3650))
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_identity(tmp_path_factory.mktemp("identity") / "identity.pem")


@pytest.fixture(scope="module")
def context(identity: pathlib.Path) -> ServerContext:
    return ServerContext(str(identity))


def client_context(identity: pathlib.Path | None = None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if identity:
        made.load_cert_chain(identity)
    return made


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 7, 11, 4096])
def test_records_are_counted_however_they_are_cut(step: int) -> None:
    records = [b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size) for size in (0, 1, 5, 300, 16384)]
    data = b"".join(records) + b"\x17\x03\x03\x00"
    counter = RecordCounter()
    for position in range(0, len(data), step):
        piece = data[position:position + step]
        counter.count(memoryview(piece), len(piece))
        end = position + len(piece)
        assert counter.whole == sum(sum(map(len, records[:n + 1])) <= end for n in range(len(records)))


def test_a_length_that_no_record_has_is_refused() -> None:
    with pytest.raises(NoRecord):
        RecordCounter().count(b"\x16\x03\x01\xff\xff", 5)


def test_a_file_without_certificate_or_with_a_foreign_key_is_a_sentence(
    identity: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(TlsError, match="There is no certificate in"):
        ServerContext(str(tmp_path / "empty.pem"))
    other = write_identity(tmp_path / "other.pem").read_text()
    key, _unused, _unused = other.partition("-----BEGIN CERTIFICATE")
    _unused, _unused, certificate = identity.read_text().partition("-----BEGIN CERTIFICATE")
    (tmp_path / "mixed.pem").write_text(key + "-----BEGIN CERTIFICATE" + certificate)
    with pytest.raises(TlsError, match="Could not use the certificate and private key in"):
        ServerContext(str(tmp_path / "mixed.pem"))
    with pytest.raises(FileNotFoundError):
        ServerContext(str(tmp_path / "missing.pem"))


def test_the_signature_is_named_as_windows_does(context: ServerContext) -> None:
    assert context.signature_algorithm() == "sha256RSA"


def test_errors_with_and_without_words_are_explained() -> None:
    assert explain(Exception([("a", "b", "wrong version number")])) == "wrong version number"
    assert explain(Exception([])) == "Exception"
    assert explain(Exception(-1, "Unexpected EOF")) == "-1; Unexpected EOF"


def shake_hands(stream: TlsStream) -> None:
    """Wait for the end of the handshake."""
    while not stream.handshake():
        stream.receive()


def handshaken(context: ServerContext, client: ssl.SSLContext) -> tuple[TlsStream, ssl.SSLSocket]:
    """Both ends of a connection whose handshake is done."""
    ours, theirs = socket.socketpair()
    stream = TlsStream(context, ours, 10)
    made: list[ssl.SSLSocket] = []
    peer = threading.Thread(target=lambda: made.append(client.wrap_socket(theirs)))
    peer.start()
    stream.wait_at_most(10)
    shake_hands(stream)
    peer.join()
    return stream, made[0]


def test_bytes_pass_both_ways_and_the_certificate_is_shown(context: ServerContext, identity: pathlib.Path) -> None:
    stream, peer = handshaken(context, client_context(identity))
    assert stream.peer_certificate() == ssl.PEM_cert_to_DER_cert(
        identity.read_text()[identity.read_text().index("-----BEGIN CERTIFICATE"):])
    payload = bytes(range(256)) * 4000
    sender = threading.Thread(target=peer.sendall, args=(payload,))
    sender.start()
    received = b""
    while len(received) < len(payload):
        data = stream.take()
        if data is None:
            stream.receive()
        else:
            received += data
    sender.join()
    assert received == payload
    stream.write([b"a", memoryview(b"bc"), b"d" * 100_000])
    answer = b""
    while len(answer) < 100_003:
        answer += peer.recv(65536)
    assert answer == b"abc" + b"d" * 100_000
    peer.close()
    stream.receive()
    assert stream.take() == b""
    stream.close()


def test_a_client_without_certificate_is_let_in_and_shown_as_none(context: ServerContext) -> None:
    stream, peer = handshaken(context, client_context())
    assert stream.peer_certificate() is None
    assert peer.version() == "TLSv1.3"
    peer.close()
    stream.close()


def test_a_handshake_that_drips_in_ends_well(context: ServerContext, identity: pathlib.Path) -> None:
    ours, theirs = socket.socketpair()
    stream = TlsStream(context, ours, 1)
    theirs.settimeout(10)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = client_context(identity).wrap_bio(incoming, outgoing)
    stream.wait_at_most(20)
    done = False
    while not (done and stream.established):
        try:
            peer.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        for byte in outgoing.read():
            theirs.send(bytes([byte]))
            if stream.receive_now() and not stream.established:
                stream.handshake()
        theirs.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            incoming.write(theirs.recv(65536))
        theirs.setblocking(True)
    theirs.close()
    stream.close()


def test_junk_and_silence_and_the_end_are_told_apart(context: ServerContext) -> None:
    for says, wanted in ((b"GET / HTTP/1.1\r\n", TlsError), (b"", Disconnected), (None, DeadlinePassed)):
        ours, theirs = socket.socketpair()
        stream = TlsStream(context, ours, 0.1)
        stream.wait_at_most(0.3)
        if says is not None:
            theirs.sendall(says)
            theirs.close()
        with pytest.raises(wanted):
            shake_hands(stream)
        stream.close()
        theirs.close()


def test_a_deadline_holds_however_slowly_bytes_drip_in(context: ServerContext) -> None:
    ours, theirs = socket.socketpair()
    stream = TlsStream(context, ours, 10)
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.05):
            theirs.send(b"\x16")

    dripping = threading.Thread(target=drip)
    theirs.sendall(b"\x16\x03\x01\x40\x00")
    dripping.start()
    start = time.monotonic()
    stream.wait_at_most(0.5)
    with pytest.raises(DeadlinePassed):
        shake_hands(stream)
    assert time.monotonic() - start < 1.5
    stop.set()
    dripping.join()
    stream.close()
    theirs.close()


def test_another_thread_can_wake_a_reader(context: ServerContext) -> None:
    stream, peer = handshaken(context, client_context())
    timer = threading.Timer(0.2, stream.stop_reading)
    timer.start()
    while stream.take() is None:
        stream.receive()
    assert stream.ended
    peer.close()
    stream.close()


def test_tickets_go_out_with_an_answer_or_before_the_peer_is_awaited(
    context: ServerContext, identity: pathlib.Path
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = TlsStream(context, ours, 2.0)
        stream.wait_at_most(2.0)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context(identity).wrap_bio(incoming, outgoing)
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        theirs.sendall(outgoing.read())
        stream.receive()
        assert not stream.handshake()
        incoming.write(theirs.recv(65536))
        client.do_handshake()
        client.write(b"M")
        theirs.sendall(outgoing.read())
        stream.receive()
        assert stream.handshake()
        assert stream.take() == b"M"
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
        assert stream.take() is None
        assert theirs.recv(65536)
