"""Play recorded Halibut conversations against a live agent, and compare its answers with the recorded ones.

    replay.py --host H --port P --cert client.pem --key client.key [--thumb SHA1] [-q] [CONVERSATION ...]

The client's bytes are sent as they were recorded, record by record, with the recorded pauses; where the recording has
an answer, the agent's answer is read and compared by meaning: same members, same `$type` values, same BSON types, same
values, same streams. Without names every conversation that index.json marks `replay` is played; a name may be a part
of the full one, and then also plays conversations that are not marked.

Two things in the client's messages are replaced by what the agent said earlier in the same conversation: tickets that
the agent makes (script service V1) and log sequence numbers. Such a message is encoded again; all others are original.

What may differ from the recording stands in comparison.py.

As a module: `replay(Target(host, port, load_identity(cert, key)), names_of())` yields a Result for each conversation.

Needs pyOpenSSL and cryptography. Exit status: 0 if all passed, 1 if not, 2 if nothing could be played.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import hashlib
import json
import select
import socket
import struct
import sys
import time
import uuid
import zlib
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

try:
    from . import check
    from .comparison import Comparison, Difference, compare_page
except ImportError:  # run as a command, or with this folder on the path
    import check
    from comparison import Comparison, Difference, compare_page

PATIENCE = 20.0  # seconds to wait for an answer, on top of the time it took in the recording
IGNORE_UNEXPECTED_EOF = 0x80  # OpenSSL: an end without close_notify is an end, not an error


# ---------------------------------------------------------------- BSON writer, for the messages that must be changed

def encode_bson(document):
    """Encode canonical extended JSON as a BSON document."""
    return _container(document.items())


def _container(items):
    body = b"".join(bytes([tag]) + name.encode("utf-8") + b"\0" + raw
                    for name, (tag, raw) in ((name, _value(value)) for name, value in items))
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _value(value):
    if value is None:
        return 0x0A, b""
    if isinstance(value, bool):
        return 0x08, bytes([value])
    if isinstance(value, str):
        raw = value.encode("utf-8") + b"\0"
        return 0x02, struct.pack("<i", len(raw)) + raw
    if isinstance(value, list):
        return 0x04, _container((str(i), item) for i, item in enumerate(value))
    if len(value) == 1:
        (name, inner), = value.items()
        if name == "$numberInt":
            return 0x10, struct.pack("<i", int(inner))
        if name == "$numberLong":
            return 0x12, struct.pack("<q", int(inner))
        if name == "$numberDouble":
            return 0x01, struct.pack("<d", float(inner))
        if name == "$date":
            return 0x09, struct.pack("<q", int(inner["$numberLong"]))
        if name == "$binary":
            raw = base64.b64decode(inner["base64"])
            return 0x05, struct.pack("<iB", len(raw), int(inner["subType"], 16)) + raw
    return 0x03, encode_bson(value)


def deflate(data):
    writer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return writer.compress(data) + writer.flush()


# ---------------------------------------------------------------- the connection

class Connection:
    """A TLS connection to the agent; everything received and not yet taken lies in `buffer`."""

    def __init__(self, host, port, identity, thumb=None):
        self.sock = socket.create_connection((host, port), timeout=10)
        self.sock.settimeout(None)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_options(IGNORE_UNEXPECTED_EOF)
        if identity:
            context.use_certificate(identity[0])
            context.use_privatekey(identity[1])
        self.tls = SSL.Connection(context, self.sock)
        self.tls.set_tlsext_host_name(b"localhost")
        self.tls.set_connect_state()
        self.tls.do_handshake()
        self.sock.setblocking(False)
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, self.tls.get_peer_certificate())
        if thumb and hashlib.sha1(der).hexdigest() != thumb.lower():
            raise Difference(f"the agent's certificate is {hashlib.sha1(der).hexdigest().upper()}")
        self.buffer = b""
        self.ended = False

    def send(self, data):
        view = memoryview(data)
        while view:
            try:
                view = view[self.tls.send(bytes(view[:16384])):]
            except SSL.WantWriteError:
                if not select.select([], [self.sock], [], PATIENCE)[1]:
                    raise Difference(f"the agent does not take {len(view)} bytes") from None
            except SSL.WantReadError:
                select.select([self.sock], [], [], PATIENCE)

    def finish(self, notify):
        """End our side: with close_notify, or just with TCP's FIN as .NET does."""
        try:
            if notify:
                self.tls.shutdown()
            self.sock.shutdown(socket.SHUT_WR)
        except (SSL.Error, OSError):
            pass

    def receive(self, seconds):
        """Wait for more bytes. False at the time limit or at the end of the stream (see `ended`)."""
        limit = time.monotonic() + seconds
        while not self.ended:
            try:
                data = self.tls.recv(65536)
                self.buffer += data
                return True
            except SSL.WantReadError:
                left = limit - time.monotonic()
                if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                    return False
            except (SSL.ZeroReturnError, SSL.SysCallError, SSL.Error, OSError):
                self.ended = True
        return False

    def take(self, kind, seconds):
        """Read one segment of this kind from the agent; return its facts as check.read_segment does."""
        limit = time.monotonic() + seconds
        while True:
            try:
                if kind == "http":
                    if self.ended:
                        end, facts = check.read_segment(kind, self.buffer, 0, len(self.buffer))
                        break
                else:
                    end, facts = check.read_segment(kind, self.buffer, 0)
                    if end <= len(self.buffer):
                        break
            except (check.Mismatch, ValueError, IndexError, struct.error, zlib.error):
                pass  # not complete yet, or wrong: the time limit or the end of the stream tells
            if not self.receive(limit - time.monotonic()) and not (kind == "http" and self.ended and self.buffer):
                when = "before the agent closed" if self.ended else "in time"
                raise Difference(f"no {kind} {when}; unread: {self.buffer[:60]!r}")
        self.buffer = self.buffer[end:]
        return facts

    def close(self):
        self.sock.close()


# ---------------------------------------------------------------- one conversation

def stranger():
    """A fresh identity that nobody trusts."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Stranger")])
    today = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    day = datetime.timedelta(1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), uuid.uuid4().int >> 1, today - day, today + day)
    certificate = builder.sign(key, hashes.SHA256())
    return crypto.X509.from_cryptography(certificate), crypto.PKey.from_cryptography_key(key)


class Target(NamedTuple):
    """The agent, and the identity (certificate, key) that it trusts."""

    host: str
    port: int
    identity: tuple
    thumb: str | None = None


class Result(NamedTuple):
    """What came of one conversation; no differences means passed."""

    name: str
    seconds: float
    differences: list


def play(folder, target, between=None):
    """Play one conversation; return the differences as lines.

    With `between` each call after the first goes over a connection of its own: instead of NEXT and PROCEED the old
    connection is dropped, `between()` is called, and the new one is made to the port that it returns.
    """
    story = json.loads((folder / "conversation.json").read_text(encoding="utf-8"))
    data = (folder / check.FILES["client"]).read_bytes()
    presented = story["client_certificate"]
    certificate = target.identity if presented == "trusted" else stranger() if presented else None
    connection = Connection(target.host, target.port, certificate, target.thumb)
    closes = {close["from"]: close for close in reversed(story["closes"])}
    never = {"t": float("inf"), "how": "FIN"}
    client_end, server_end = closes.get("client", never), closes.get("server", never)
    client_first = bool(closes) and story["closes"][0]["from"] == "client"
    comparison, problems = Comparison(story.get("loose", ())), []
    asked, clock, finished = {}, 0.0, False
    segments, number = story["segments"], 0
    try:
        while number < len(segments):
            segment = segments[number]
            number += 1
            where = f"[{number - 1}] {segment.get('note') or segment['kind']}: "
            if between and asks_for_another(segments, number - 1):
                connection.close()
                connection = reconnect(segments, data, target._replace(port=between()))
                clock = max(clock, segment["t"])
                number = 1 + next(n for n in range(number, len(segments)) if segments[n]["from"] == "server")
                continue
            if segment["from"] == "client":
                if segment["t"] - clock > 0.3:
                    time.sleep(segment["t"] - clock)
                clock = segment["t"]
                piece, records = data[segment["offset"]:segment["offset"] + segment["length"]], segment["records"]
                if segment["kind"] == "message":
                    document = segment["document"]
                    message = document.get("Message") or {}
                    asked = next((p for p in message.get("params") or [] if isinstance(p, dict)), {})
                    changed = comparison.request(document)
                    if changed is not document:
                        piece = deflate(encode_bson(changed))
                        records = [len(piece)]
                while segment.get("shares_record") and number < len(segments) and segments[number].get("shares_record"):
                    follower = segments[number]
                    piece += data[follower["offset"]:follower["offset"] + follower["length"]]
                    records, number = [len(piece)], number + 1
                try:
                    for size in records:
                        connection.send(piece[:size])
                        piece = piece[size:]
                except (SSL.Error, OSError) as error:
                    if segment["t"] < server_end["t"]:
                        raise Difference(f"{where}cannot send: {error!r}") from error
                continue
            if segment["t"] > client_end["t"] and client_first and not finished:
                connection.finish(client_end["how"] == "close_notify")
                finished = True
            facts = connection.take(segment["kind"], PATIENCE + segment["t"] - clock)
            clock = max(clock, segment["t"])
            if segment["kind"] == "message":
                found = comparison.response(segment["document"], facts["document"], asked)
            elif segment["kind"] == "datastream":
                found = comparison.stream(segment["stream"], facts["stream"])
            elif segment["kind"] == "http":
                found = compare_page(segment["text"], facts["text"])
            else:
                same = facts["text"] == segment["text"]
                found = [] if same else [f"recorded {segment['text']!r}, agent {facts['text']!r}"]
            problems += [where + text for text in found]
        ours = client_end if client_first and not finished else None
        problems += last_act(connection, ours, "server" in closes, clock)
    except Difference as difference:
        problems.append(str(difference))
    finally:
        connection.close()
    return problems


def asks_for_another(segments, number):
    """Whether this is a NEXT of its own that is answered by PROCEED before the client says more."""
    segment, answer = segments[number], segments[number + 1:number + 2]
    return (segment["from"] == "client" and segment.get("text") == "NEXT\r\n" and not segment.get("shares_record")
            and bool(answer) and answer[0]["from"] == "server" and answer[0].get("text") == "PROCEED\r\n")


def reconnect(segments, data, target):
    """A new connection of the trusted client, as far as behind the identities."""
    connection = Connection(target.host, target.port, target.identity, target.thumb)
    for segment in segments:
        if segment["from"] == "client":
            if segment["kind"] != "identity":
                break
            connection.send(data[segment["offset"]:segment["offset"] + segment["length"]])
    connection.take("identity", PATIENCE)
    return connection


def last_act(connection, client_end, agent_closes, clock):
    """Who closes (the client if client_end says how), and that nothing more is said."""
    if client_end:
        pause = client_end["t"] - clock
        if pause > 0.3:
            connection.receive(pause)
        if connection.ended:
            return ["end: the agent closes, the recorded one waited for the client"]
        connection.finish(client_end["how"] == "close_notify")
    while agent_closes and not connection.buffer and connection.receive(PATIENCE):
        pass
    if connection.buffer:
        return [f"end: the agent says {connection.buffer[:60]!r}, the recorded one was silent"]
    return ["end: the agent does not close"] if agent_closes and not connection.ended else []


def load_identity(certificate, key):
    """The identity in two PEM files (which may be one)."""
    with open(certificate, "rb") as cert_file, open(key, "rb") as key_file:
        return (crypto.load_certificate(crypto.FILETYPE_PEM, cert_file.read()),
                crypto.load_privatekey(crypto.FILETYPE_PEM, key_file.read()))


def names_of(parts=()):
    """The conversations whose name contains one of these; without any, all that are marked for replay."""
    index = json.loads((check.HERE / "index.json").read_text(encoding="utf-8"))
    return [entry["name"] for entry in index["conversations"]
            if (any(part in entry["name"] for part in parts) if parts else entry["replay"])]


def replay(target, names):
    """Play these conversations one after the other; yields a Result for each."""
    for name in names:
        start = time.monotonic()
        try:
            differences = play(check.HERE / name, target)
        except (SSL.Error, OSError, Difference) as error:
            differences = [f"no connection: {error!r}"]
        yield Result(name, time.monotonic() - start, differences)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=10933)
    parser.add_argument("--cert", required=True, help="PEM certificate that the agent trusts")
    parser.add_argument("--key", required=True, help="its PEM key")
    parser.add_argument("--thumb", help="SHA-1 thumbprint that the agent must have")
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what failed, and the sum")
    parser.add_argument("conversations", nargs="*", metavar="CONVERSATION")
    options = parser.parse_args(arguments)
    target = Target(options.host, options.port, load_identity(options.cert, options.key), options.thumb)
    passed = failed = 0
    for result in replay(target, names_of(options.conversations)):
        bad = bool(result.differences)
        if bad or not options.quiet:
            print(f"{'FAIL' if bad else 'PASS'}  {result.name:28} {result.seconds:5.1f} s", flush=True)
        for difference in result.differences:
            print(f"      {difference}")
        passed, failed = passed + (not bad), failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0 if passed else 2


if __name__ == "__main__":
    sys.exit(main())
