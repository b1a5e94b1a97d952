# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""TLS of the listener. The only file that knows pyOpenSSL.

Theory of operation
-------------------
A Tentacle asks its client for a certificate, lets every certificate pass (none at all, too), and decides later by
thumbprint (docs/protocol/halibut-wire.md §1.1). The standard library's `ssl` cannot do that, pyOpenSSL can:
`VERIFY_PEER` with a callback that always says yes. The handshake still proves that the peer has the certificate's key.
The callback must never decide anything and never raise; who the peer is, is read after the handshake.

OpenSSL never touches the socket. It reads from and writes to two memory buffers; `TlsStream` moves bytes between those
and a plain blocking socket. Three things follow from that. Deadlines are ours: every wait ends at a moment fixed
beforehand, however slowly bytes drip in. A connection can be left between two bytes and taken up by another thread,
which is what the lobby does. And whatever OpenSSL has to say (handshake, alert, key update) must be carried to the
socket before we wait for the peer, or both sides wait.

`TlsStream` follows the record headers of what comes in (5 bytes: type, version, length). It starts OpenSSL only when a
first record is whole, so that junk and drips cost no more than a socket, and it knows when OpenSSL has nothing left to
give: asking in vain raises an exception inside pyOpenSSL, which would cost a tenth of a small call.

Sessions are never resumed: no cache, and tickets only where OpenSSL cannot be told otherwise (openssl_settings.py). A
session id context is set all the same, because without one the second connection of a client that tries to resume fails
(docs/protocol/halibut-wire.md §1.5). A peer that ends without close_notify is the rule with .NET, not an error; lengths
inside the protocol tell whether something is missing. We end the same way.

One `TlsStream` belongs to one thread at a time, but for the few methods that say otherwise. A `ServerContext` keeps its
certificate and rules: a new certificate means a new context, and connections keep the one they began with.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any, Union

from .passage import RECORD, passage_maker
from .put_off import OF_PYOPENSSL, forget, stand_ins
from .records import NoRecord, RecordCounter
from .tls_errors import DeadlinePassed, Disconnected, TlsError, explain

try:
    with stand_ins(*OF_PYOPENSSL):
        from OpenSSL import SSL, crypto
except Exception:  # a version that does more with them than we know of, or none at all
    forget("OpenSSL")
    from OpenSSL import SSL, crypto

OP_NO_RENEGOTIATION = 0x40000000  # no name in pyOpenSSL before 21.1
OP_IGNORE_UNEXPECTED_EOF = 0x80  # of OpenSSL 3; no name in pyOpenSSL
MODE_ENABLE_PARTIAL_WRITE = 1
MODE_NO_AUTO_CHAIN = 8  # no name in pyOpenSSL; looks for no issuers of our certificate, which is all that is shown
MODE_RELEASE_BUFFERS = 0x10  # no name in pyOpenSSL; an idle connection keeps 18 KB less, for 0.8 us a small call
SESSION_ID_CONTEXT = b"tentacle-agent"

HANDSHAKE_RECORD = 0x16
SMALL_READ = 16384
LARGE_READ = 262144
FLUSH_PIECE = 65536
TOLERANCE = 0.5
"""Seconds that a deadline may be late: the kernel's own time-out is only changed for more than this."""

_make_passage = passage_maker(SSL)
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
Buffer = Union[bytes, bytearray, memoryview]


class ServerContext:
    """What a listener needs to shake hands: its certificate, its key, and the rules above.

    `path` names a PEM file that holds both, `minimum_version` the oldest TLS that is spoken: "1.2" or "1.3". Raises
    OSError or `TlsError` when the file is not usable.
    """

    def __init__(self, path: str, minimum_version: str = "1.2") -> None:
        self.minimum_version = minimum_version
        for _attempt in range(3):
            before = os.stat(path)
            self.certificate = read_certificate(path)
            try:
                self._context = make_context(path, minimum_version)
            except SSL.Error as error:
                reason = explain(error)
            else:
                reason = ""
            if os.stat(path)[:10] == before[:10]:
                break
            # The file was replaced while it was read: certificate and key could be of two identities.
        if reason:
            raise TlsError(
                f"Could not use the certificate and private key in {path}: expected one PEM certificate and its PEM "
                f"key without a pass phrase, but OpenSSL said {reason}. Usual cause: the file was edited or copied in "
                f"part. Create or import the certificate again."
            )

    def signature_algorithm(self) -> str:
        """What the certificate is signed with, as Windows names it: `sha256RSA`."""
        name = crypto.load_certificate(crypto.FILETYPE_ASN1, self.certificate).get_signature_algorithm().decode("ascii")
        if name.endswith("WithRSAEncryption"):
            return name[:-len("WithRSAEncryption")].lower() + "RSA"
        if name.startswith("ecdsa-with-"):
            return name[len("ecdsa-with-"):].lower() + "ECDSA"
        return name

    def spare_work(self) -> bool:
        """Spare new connections work, as openssl_settings.py explains; False where that cannot be. May come late."""
        with contextlib.suppress(Exception):  # where pyOpenSSL is different inside, or ctypes lacks: a saving is lost
            from .openssl_settings import apply

            context, ffi = self._context._context, vars(SSL)["_ffi"]
            return ffi.typeof(context).cname == "SSL_CTX *" and apply(int(ffi.cast("uintptr_t", context)))
        return False

    def connection(self) -> Any:
        """A new OpenSSL connection in the server's role, between two memory buffers."""
        connection = SSL.Connection(self._context, None)
        connection.set_accept_state()
        return connection


def make_context(path: str, minimum_version: str) -> Any:
    """An OpenSSL context with the settings that the head of this file explains."""
    context = SSL.Context(SSL.SSLv23_METHOD)
    options = SSL.OP_NO_SSLv2 | SSL.OP_NO_SSLv3 | SSL.OP_NO_TLSv1 | SSL.OP_NO_TLSv1_1
    options |= SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | OP_NO_RENEGOTIATION
    if minimum_version == "1.3":
        options |= SSL.OP_NO_TLSv1_2
    if SSL.OPENSSL_VERSION_NUMBER >= 0x30000000:
        options |= OP_IGNORE_UNEXPECTED_EOF
    context.set_options(options)
    context.set_mode(MODE_RELEASE_BUFFERS | MODE_NO_AUTO_CHAIN)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(SESSION_ID_CONTEXT)
    if hasattr(context, "clear_mode"):  # pyOpenSSL 25.2: then one call writes a whole buffer instead of one record
        context.clear_mode(MODE_ENABLE_PARTIAL_WRITE)
    context.use_certificate_file(path, crypto.FILETYPE_PEM)
    context.use_privatekey_file(path, crypto.FILETYPE_PEM)
    context.check_privatekey()
    context.set_verify(SSL.VERIFY_PEER, lambda *_unused: True)
    return context


def read_certificate(path: str) -> bytes:
    """DER of the first certificate in a PEM file. Raises `TlsError` when there is none."""
    with open(path, "rb") as file:
        text = file.read().partition(b"-----BEGIN CERTIFICATE-----")[2]
    block, end, _rest = text.partition(b"-----END CERTIFICATE-----")
    if not end:
        raise TlsError(f"There is no certificate in {path}: expected a PEM block 'CERTIFICATE' and its private key.")
    return base64.b64decode(block)


class TlsStream:
    """One TLS connection of the server's side over a connected, blocking socket.

    First `handshake` until it is true, then `take` and `write`; `receive` whenever the peer must say more. `patience`
    is the longest single wait for bytes, in seconds. How long a write may wait, the socket has been told.
    """

    def __init__(self, context: ServerContext, sock: socket.socket, patience: float) -> None:
        self.sock = sock
        self.established = False
        self.ended = False  # the peer has ended its side
        self._context = context
        self._tls: Any = None
        self._passage: Any = None  # a Passage, once there is a connection of OpenSSL's
        self._first = b""
        self._records = RecordCounter()
        self._buffer: bytearray | None = None
        self._generous = False
        self._deadline = 0.0
        self._patience = patience  # the longest single wait that the kernel is told
        self._kernel = patience
        self._tell_kernel(patience)

    def fileno(self) -> int:
        """The socket's descriptor, for the lobby's selector."""
        return self.sock.fileno()

    @property
    def begun(self) -> bool:
        """Whether the peer has sent anything at all."""
        return self._tls is not None or bool(self._first)

    def be_patient(self, seconds: float) -> None:
        """The peer is trusted: a single wait of the kernel may last this long, and streams get a large buffer."""
        self._patience = seconds
        self._generous = True

    def wait_at_most(self, seconds: float) -> None:
        """Fix the moment at which waiting for the peer's bytes, in all reads from now on, ends."""
        self._deadline = time.monotonic() + seconds
        limit = seconds if seconds < self._patience else self._patience
        if abs(limit - self._kernel) > TOLERANCE:
            self._kernel = limit
            self._tell_kernel(limit)

    def _tell_kernel(self, seconds: float) -> None:
        # A time-out of Python's costs a poll() before each recv(); the kernel's own is free.
        whole, part = divmod(max(seconds, 0.001), 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", int(whole), int(part * 1e6)))

    def receive(self) -> None:
        """Wait for bytes of the peer and hand them to OpenSSL; sets `ended` at the end of its side.

        Raises `DeadlinePassed`, `Disconnected`, or `TlsError` for bytes that are no TLS.
        """
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise DeadlinePassed("the peer was silent for too long")
            if left < self._kernel - TOLERANCE:
                self._kernel = left
                self._tell_kernel(left)
            try:
                self._take(0)
                return
            except BlockingIOError:
                continue  # the kernel's time-out; the deadline decides
            except OSError as error:
                raise Disconnected(error.strerror or "connection lost") from None

    def receive_or_pause(self) -> bool:
        """Wait once, as long as the kernel was told; false when nothing came. Raises like `receive`."""
        try:
            self._take(0)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Disconnected(error.strerror or "connection lost") from None
        return True

    def receive_now(self) -> bool:
        """Hand to OpenSSL what has arrived, without waiting. True when a record is whole, or the peer has ended."""
        try:
            self._take(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Disconnected(error.strerror or "connection lost") from None
        return self.ended or self._records.whole > 0

    def _take(self, flags: int) -> None:
        buffer = self._buffer
        if buffer is None:
            data: Buffer = self.sock.recv(SMALL_READ, flags)
            size = len(data)
            if size == SMALL_READ and self._generous:  # a stream is under way
                self._buffer = bytearray(LARGE_READ)
        else:
            size = self.sock.recv_into(buffer, LARGE_READ, flags)
            data = memoryview(buffer)[:size]
        if not size:
            self.ended = True
            return
        try:
            self._records.count(data, size)
        except NoRecord:
            raise TlsError("what came is no TLS record") from None
        if self._tls is None:
            self._first += data
            if self._first[0] != HANDSHAKE_RECORD:
                raise TlsError("what came is no TLS handshake")
            if not self._records.whole:
                return
            self._tls = self._context.connection()
            self._passage = _make_passage(self._tls)
            data, self._first = self._first, b""
        self._passage.put(data)

    def use_little_memory(self) -> None:
        """Give back the large buffer: to be called when a stream is over."""
        self._buffer = None

    def handshake(self) -> bool:
        """Shake hands as far as the bytes at hand allow; true when it is done. Raises `TlsError` when it failed."""
        if self._tls is None:
            return self._no_more()
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._records.whole = 0
            self._flush()
            return self._no_more()
        except SSL.Error as error:
            with contextlib.suppress(TlsError):
                self._flush()  # the alert
            raise TlsError(f"TLS handshake failed: {explain(error)}") from None
        self.established = True
        # What lies behind the handshake in OpenSSL's buffer is not known: ask once. What OpenSSL wants to say (session
        # tickets, the end of a handshake of TLS 1.2) goes out then, or with our answer where the peer has said more.
        self._records.whole += 1
        return True

    def _no_more(self) -> bool:
        if self.ended:
            raise Disconnected("the peer ended the connection in the handshake")
        return False

    def peer_certificate(self) -> bytes | None:
        """DER of the certificate that the peer has shown and whose key it has, or None."""
        certificate = self._tls.get_peer_certificate()
        if certificate is None:
            return None
        der: bytes = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        return der

    def take(self) -> bytes | None:
        """Decrypted bytes, of one record at most; b"" at the end of the stream; None when the peer must say more."""
        records = self._records
        if records.whole > 0:
            try:
                data: bytes = self._passage.read()
                records.whole -= 1
                return data
            except SSL.WantReadError:
                records.whole = 0
                self._flush()  # an answer to a key update, say
            except SSL.ZeroReturnError:
                self.ended = True
                return b""
            except SSL.Error as error:
                raise TlsError(f"TLS failed: {explain(error)}") from None
        return b"" if self.ended else None

    def write(self, buffers: Iterable[Buffer]) -> None:
        """Send each buffer as TLS records of its own (docs/protocol/halibut-wire.md §10, Q4)."""
        send, size = self._passage.write, 0
        try:
            for buffer in buffers:
                send(buffer)
                size += len(buffer)
                if size > FLUSH_PIECE:
                    self._flush()
                    size = 0
        except SSL.Error as error:
            raise TlsError(f"TLS failed: {explain(error)}") from None
        self._flush()

    def _flush(self) -> None:
        """Carry what OpenSSL has written to the socket."""
        collect, piece = self._passage.collect, RECORD
        try:
            while data := collect(piece):
                self.sock.sendall(data)
                if len(data) < piece:
                    return
                piece = FLUSH_PIECE
        except BlockingIOError:
            raise DeadlinePassed("the peer did not take our bytes in time") from None
        except OSError as error:
            raise Disconnected(error.strerror or "connection lost") from None

    def acknowledge_at_once(self) -> None:
        """Switch delayed acknowledgements off for the next packets, where the system can (Linux).

        A .NET client leaves Nagle's algorithm on and writes preface, identity, message and stream parts each apart:
        it then waits for our acknowledgement, which Linux would delay by 40 ms.
        """
        if QUICKACK is not None:
            try:
                self.sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
            except OSError as error:
                raise Disconnected(error.strerror or "connection lost") from None

    def finish(self) -> None:
        """End our side, as .NET does without close_notify; the socket stays open for what the peer may still send."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        """Read what has arrived and forget it; false at the end of the peer's side."""
        try:
            return bool(self.sock.recv(LARGE_READ, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def reset_on_close(self) -> None:
        """Let `close` break the connection off instead of ending it."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def stop_reading(self) -> None:
        """Wake the thread that reads, from another thread; it sees the end of the stream. Sends nothing."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Close the socket. Bytes of the peer that nobody has read turn this into a reset."""
        self.sock.close()
