# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same damage against a live agent: below TLS, in its handshake and inside, as a trusted server and as a stranger.

What must hold: the agent lives and answers the next caller, a stranger gets no byte, every connection ends soon after
we end our side, and when all is over the agent has the threads, files and memory that it had before, no error in its
log, and nothing half-received on the disk.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
import random
import re
import socket
import ssl
import struct
import time
from collections.abc import Callable

from agent_process import AgentProcess, Identity, make_identity
from wire_client import WireClient, client_context

from . import corpus, mutations
from .conversation import LINES
from .corpus import Corpus, Message

END_SECONDS = 15.0
"""Time in which a connection has to be over after our end of it; what the agent waits for itself takes two seconds."""
SETTLE_SECONDS = 20.0
GROWTH_MIB = 24
"""Growth of resident memory that is allowed: malloc keeps what many threads had at once."""
SPARE_THREADS = 8
"""Workers that the listener keeps waiting (`SPARE_WORKERS`)."""
CHECK_EVERY = 100
HARMLESS = b"true"
BODIES = (b"ScriptBody\0", b"Bash\0", b"PowerShell\0")
NOISE = re.compile(r" ERROR | FATAL |Traceback|unexpected error")
LITTER = re.compile(r"^\.incoming-|^\.tentacle-.*\.part$")


class Broken(Exception):
    """A promise is broken; the text says which, and by what."""


class Live:
    """An agent under fire. Use as a context; `run` raises Broken."""

    def __init__(self, directory: pathlib.Path, seed: int) -> None:
        self._seed = seed
        self._server = make_identity(directory / "server.pem")
        self._stranger = make_identity(directory / "stranger.pem", "Stranger", "ec")
        self._agent = AgentProcess(directory, [self._server.thumbprint])
        self._contexts = {who: client_context(who.path if who else None)
                          for who in (self._server, self._stranger, None)}
        self._corpus = harmless(corpus.load("client"))
        self.kinds: dict[str, int] = {}

    def __enter__(self) -> Live:
        self._agent.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._agent.stop()

    def run(self, first: int, count: int, show: Callable[[int], None]) -> str:
        """Send the inputs `first` to `first + count`; returns what the agent held before and after."""
        for number in range(-50, 0):
            self._send(number)
        self._settle(0, 0)
        before = self._agent.descriptors(), self._agent.threads(), self._agent.resident_kib()
        for number in range(first, first + count):
            try:
                self._send(number)
                if number % CHECK_EVERY == CHECK_EVERY - 1:
                    self._check_health()
                    show(number - first + 1)
            except Broken as problem:
                raise Broken(f"input {number}: {problem}") from problem
        return self._look_back(*before)

    # One input --------------------------------------------------------------------------------------------------

    def _send(self, number: int) -> None:
        rng = random.Random(f"{self._seed}/live/{number}")
        kind = rng.choice(("below", "handshake", "trusted", "trusted", "trusted", "stranger", "nobody"))
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        try:
            if kind == "below":
                self._below(rng)
            elif kind == "handshake":
                self._handshake(rng)
            else:
                self._inside(rng, {"trusted": self._server, "stranger": self._stranger}.get(kind))
        except TimeoutError:
            raise Broken(f"the connection ({kind}) is not over {END_SECONDS} s after our end of it") from None
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError, ConnectionAbortedError):
            pass  # the agent may end a connection as it likes
        except OSError as error:
            raise Broken(f"no connection ({kind}): {error}") from error

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._agent.port), timeout=END_SECONDS)

    def _below(self, rng: random.Random) -> None:
        """Bytes where TLS is expected."""
        way = rng.random()
        if way < 0.5:
            data = mutations.altered(rng, client_hello(self._contexts[None]))
        elif way < 0.7:
            data = b"".join(mutations.make(rng, self._corpus, LINES["service"]))
        elif way < 0.9:
            body = rng.randbytes(int(rng.random() * 400))
            version, size = rng.choice((b"\3\1", b"\3\3", b"\2\0", b"\xff\xff")), len(body)
            size = rng.choice((size, size + 1, 0, 0xFFFF, 16384, 16640))
            data = bytes([rng.choice((20, 21, 22, 23, 24, 0x80))]) + version + struct.pack(">H", size) + body
        else:
            data = rng.randbytes(int(rng.random() * 3000))
        with self._connect() as sock:
            for piece in mutations.cut(rng, [data]):
                sock.sendall(piece)
            self._end(rng, sock)

    def _handshake(self, rng: random.Random) -> None:
        """A handshake of which one flight is damaged."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._contexts[rng.choice((self._server, self._stranger, None))].wrap_bio(incoming, outgoing)
        bent = rng.choice((0, 1, 1, 1, 2))
        with self._connect() as sock:
            for flight in range(4):
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake() if flight < 2 else tls.write(b"MX\r\n\r\nMX-CLIENT 1.0\r\n\r\n")
                data = outgoing.read()
                sock.sendall(mutations.altered(rng, data) if flight == bent and data else data)
                if flight == bent:
                    break
                incoming.write(sock.recv(65536))
            self._end(rng, sock)

    def _inside(self, rng: random.Random, who: Identity | None) -> None:
        """A damaged conversation, as a trusted server or as somebody else."""
        parts = mutations.make(rng, self._corpus, LINES["service"])
        with self._contexts[who].wrap_socket(self._connect()) as sock:
            answer = b""
            for piece in mutations.cut(rng, parts):
                sock.sendall(piece)
                if rng.random() < 0.1:
                    sock.settimeout(0.005)
                    with contextlib.suppress(TimeoutError):
                        answer += sock.recv(65536)
                    sock.settimeout(END_SECONDS)
            answer += self._end(rng, sock)
        says_hello = b"".join(parts).replace(b"\r", b"")[:2] == b"MX"
        if who is not self._server and answer and says_hello:
            raise Broken(f"somebody who is not trusted was answered {answer[:60]!r}")

    def _end(self, rng: random.Random, sock: socket.socket) -> bytes:
        """End our side in one of the ways there are, and read until the agent ends too."""
        if rng.random() < 0.15:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""
        receive = sock.recv
        if rng.random() < 0.1 and isinstance(sock, ssl.SSLSocket):
            sock.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                sock.unwrap()  # says close_notify; nobody has to answer that while he still reads
            sock.settimeout(END_SECONDS)
            receive = functools.partial(socket.socket.recv, sock)
        socket.socket.shutdown(sock, socket.SHUT_WR)
        answer = b""
        while data := receive(65536):
            answer += data
        return answer if receive == sock.recv else b""

    # The agent --------------------------------------------------------------------------------------------------

    def _check_health(self) -> None:
        if not self._agent.running():
            raise Broken(f"the agent has ended:\n{self._agent.log()[-3000:]}")
        client = WireClient(self._agent.port, context=self._contexts[self._server])
        try:
            if client.capabilities().error is not None:
                raise Broken("the agent does not answer a call as it did before")
        finally:
            client.close()
        noise = NOISE.search(self._agent.log())
        if noise:
            raise Broken(f"the agent's log has an error:\n{self._agent.log()[noise.start() - 200 :][:3000]}")

    def _settle(self, descriptors: int, threads: int) -> None:
        """Wait until the agent holds no more than it did."""
        limit = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < limit:
            if self._agent.descriptors() <= descriptors and self._agent.threads() <= threads + SPARE_THREADS:
                return
            if not descriptors and time.monotonic() > limit - SETTLE_SECONDS + 4:
                return
            time.sleep(0.1)

    def _look_back(self, descriptors: int, threads: int, resident: int) -> str:
        self._check_health()
        self._settle(descriptors, threads)
        now = self._agent.descriptors(), self._agent.threads(), self._agent.resident_kib()
        told = (f"descriptors {descriptors} -> {now[0]}, threads {threads} -> {now[1]}, "
                f"memory {resident / 1024:.1f} -> {now[2] / 1024:.1f} MiB")
        if now[0] > descriptors or now[1] > threads + SPARE_THREADS or now[2] > resident + GROWTH_MIB * 1024:
            raise Broken(f"the agent holds more than before: {told}")
        litter = [str(path) for path in self._agent.home.rglob("*") if LITTER.match(path.name)]
        if litter:
            raise Broken(f"half-received files were left: {', '.join(litter[:5])}")
        return told


def client_hello(context: ssl.SSLContext) -> bytes:
    """The first flight of a handshake."""
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


def harmless(source: Corpus) -> Corpus:
    """The corpus with a script that does nothing in the place of each script: damaged ones would run as well."""
    messages = [_harmless(message) for message in source.messages]
    return Corpus(messages, source.hellos, source.lines, source.oddities)


def _harmless(message: Message) -> Message:
    document = message.document
    while True:
        elements = corpus.elements_of(document)
        body = next((e for e in elements if document[e.name : e.value] in BODIES and document[e.start] == 2
                     and document[e.value + 4 : e.end - 1] != HARMLESS), None)
        if body is None:
            break
        new = document[body.start : body.value] + mutations.text(HARMLESS)
        document = mutations.with_element(document, body, new)
    same = document == message.document
    return Message(document, elements, message.deflated if same else mutations.stored(document), message.streams,
                   message.method)
