# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Accepts connections and gives each what it deserves: a moment, a place in the lobby, or a thread.

Theory of operation
-------------------
Worker threads accept for themselves; nothing is handed over between threads on the way of a normal call, which is what
makes a new connection cheap. A worker that got a connection first makes sure that another one is left to accept. It
then greets the newcomer: it waits a quarter of a second at most for the next bytes, again and again until trust is
decided, and two seconds in all. Trusted peers are served by that very thread until they leave; the worker then accepts
again, or ends when enough others do.

Everybody who keeps us waiting longer goes to the lobby, where waiting takes no thread. So does, at once, whoever comes
while many are being greeted. The lobby is limited and drops who has been there longest. Addresses from which somebody
authenticated lately are still greeted when others are not, and dropped last: there is always room for the servers that
we know. Trusted connections have a limit of their own. Thus a flood of strangers costs a bounded number of sockets and
of bytes, and delays nobody.

`accept` failing is no reason to stop: out of descriptors, the lobby has to make room, and a moment later things go on.

Who waits, is greeted or is served, is counted by single operations of lists and sets, which are whole by themselves. A
lock would be short to hold and dear to wait for: who is woken to have it needs the interpreter as well, and meanwhile
others come and wait. With fifty clients, half of all switches between threads were due to that.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import socket
import struct
import threading
import time

from module_utils._halibut import limits

from .lobby import Lobby
from .log import Sparing
from .session import Session, Shared, Step
from .tls import ServerContext, TlsStream
from .tls_errors import TlsError

LOG = logging.getLogger("tentacle_agent.listener")

BACKLOG = 4096
GREETERS = 64
"""Newcomers that may each keep a thread for `GREETING_SECONDS`; more go straight to the lobby. Twice as many may when
the address is known."""
GREETING_SECONDS = 0.25
GREETED_SECONDS = 2.0
"""The longest that a newcomer who keeps talking is greeted: whoever dribbles goes to the lobby."""
LOBBY_CAPACITY = 1024
TRUSTED_CAPACITY = 4096
SPARE_WORKERS = 8
UNSETTLED_CAPACITY = 32
"""Connections that are accepted before the agent has loaded all that it needs; loading takes descriptors, too."""
SEE_OUT_SECONDS = 2.0
REMEMBERED_SECONDS = 3600.0
REMEMBERED_TOLERANCE = 60.0
"""How old an address's last authentication may look."""
REMEMBERED_ADDRESSES = 256
THREAD_STACK = 512 * 1024
RETRY_SECONDS = 0.1
SEND_SECONDS = 60
"""The longest time in which a peer may take nothing of what we send; Halibut's TcpClientTimeout. What strangers are
sent fits into the socket's own buffer."""


class Listener:
    """Listens on one address and serves until `stop`. `context` may be replaced: it counts for new connections."""

    def __init__(self, context: ServerContext, shared: Shared) -> None:
        self.context = context
        self.address: tuple[str, int] | None = None  # where we listen, once we do
        self._shared = shared
        self._lobby = Lobby(LOBBY_CAPACITY, self._is_known)
        self._lock = threading.Lock()  # of `_known`
        self._socket: socket.socket | None = None
        self._waiting: list[None] = []  # one for each worker that waits for a connection
        self._greeting: list[None] = []  # one for each newcomer who is greeted
        self._serving: set[Session] = set()
        self._known: dict[str, float] = {}
        self._numbers = itertools.count(1)
        self._stopping = False
        self._settled = threading.Event()
        self._early: list[None] = []  # one for each connection that was accepted or waited for before
        self._sparing = Sparing()

    def open(self, address: str | None, port: int) -> str:
        """Bind and listen; None means every address of the host. Returns what we listen on, as `[::]:10933`.

        Raises OSError when the address is not ours or the port is taken.
        """
        self._socket = bind(address, port)
        self.address = host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def start(self) -> None:
        """Begin to accept, in threads."""
        threading.stack_size(THREAD_STACK)
        self._start_worker()

    def settle(self) -> None:
        """Accept as many as come: the agent has loaded what it needs. Before, most of a crowd waits in the kernel."""
        self._settled.set()

    def stop(self, seconds: float) -> None:
        """Accept nobody any more; end idle sessions at once, busy ones after their call or after `seconds`."""
        self._stopping = True
        self._settled.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the workers
            self._socket.close()
        self._lobby.close()
        deadline = time.monotonic() + seconds
        while True:
            left = list(self._serving)
            if not left:
                return
            if time.monotonic() >= deadline:
                LOG.warning("%s connection(s) with a running call are broken off", len(left))
                for session in left:
                    session.cut()
                return
            for session in left:
                session.end_after_call()
            time.sleep(0.02)

    # Workers -----------------------------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        self._waiting.append(None)
        try:
            threading.Thread(target=self._work, daemon=True).start()
        except RuntimeError:  # no thread to be had; the others go on
            self._waiting.pop()

    def _work(self) -> None:
        waiting = self._waiting
        while not self._stopping:
            accepted = self._accept()
            waiting.pop()
            if not self._stopping and not waiting:
                self._start_worker()
            if accepted is None:
                return
            try:
                self._meet(*accepted)
            except Exception:
                LOG.exception("A worker met an unexpected error and goes on")
            if len(waiting) >= SPARE_WORKERS:
                return
            waiting.append(None)

    def _accept(self) -> tuple[socket.socket, str] | None:
        """The next connection; None when we stop. Other failures are waited out."""
        if not self._settled.is_set():
            self._early.append(None)
            if len(self._early) > UNSETTLED_CAPACITY:
                self._settled.wait()
        while not self._stopping and self._socket is not None:
            try:
                sock, address = self._socket.accept()
                return sock, plain_address(address[0])
            except OSError as error:
                if self._stopping:
                    return None
                if error.errno in (errno.ECONNABORTED, errno.EINTR, errno.EPROTO):
                    continue
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._lobby.make_room()
                unsaid = self._sparing.ask(error.errno)
                if unsaid is not None:
                    LOG.error("Could not accept a connection: %s. Trying again every %s s; strangers are disconnected "
                              "to make room.", error.strerror, RETRY_SECONDS)
                time.sleep(RETRY_SECONDS)
        return None

    # Connections -------------------------------------------------------------------------------------------------

    def _meet(self, sock: socket.socket, address: str) -> None:
        """Greet a newcomer, and serve or part with them."""
        try:
            stream = TlsStream(self.context, sock, GREETING_SECONDS)
        except OSError:  # already gone
            sock.close()
            return
        session = Session(stream, address, next(self._numbers), self._shared)
        greeting = self._greeting
        greeting.append(None)
        try:
            crowded = len(greeting) > GREETERS and (not self._is_known(address) or len(greeting) > 2 * GREETERS)
            step = Step.WAIT if crowded else self._greet(session)
        finally:
            greeting.pop()
        if step is Step.WAIT:
            self._lobby.enter(Visitor(self, session))
        elif step is Step.TRUSTED:
            self.serve(session)
        else:
            self.part(session, step)

    def _greet(self, session: Session) -> Step:
        step, stream, end = Step.WAIT, session.stream, time.monotonic() + GREETED_SECONDS
        while step is Step.WAIT and time.monotonic() < end:
            stream.wait_at_most(GREETING_SECONDS)
            try:
                if not stream.receive_or_pause():
                    return Step.WAIT
            except TlsError as error:
                session.explain_early_end(str(error))
                return Step.SEE_OUT
            step = session.admit()
        return step

    def serve(self, session: Session) -> None:
        """Serve a trusted session in the calling thread until it is over."""
        full = len(self._serving) >= TRUSTED_CAPACITY
        if not full:
            self._serving.add(session)
        self._remember(session.address)
        if full or self._stopping:
            LOG.warning("%s Connection from %s closed: %s trusted connections are open, no more are allowed",
                        session.name, session.address, TRUSTED_CAPACITY)
            step = Step.SEE_OUT
        else:
            session.stream.be_patient(min(limits.RECEIVE_SECONDS, self._shared.idle_seconds))
            step = session.serve()
        self._serving.discard(session)
        self.part(session, step)

    def serve_in_thread(self, session: Session) -> None:
        """Serve a session that comes from the lobby."""
        try:
            threading.Thread(target=self.serve, args=(session,), daemon=True).start()
        except RuntimeError:
            session.stream.close()

    def part(self, session: Session, step: Step) -> None:
        """Close a connection the way its session asked for."""
        stream = session.stream
        if step is Step.CLOSE or self._stopping or (step is Step.SEE_OUT and stream.ended):
            stream.close()
            return
        if step is Step.SEE_OUT:
            stream.finish()
        seconds = SEE_OUT_SECONDS if step is Step.SEE_OUT else limits.RECEIVE_SECONDS
        self._lobby.enter(Leaver(stream, session.address, time.monotonic() + seconds))

    def _remember(self, address: str) -> None:
        now = time.monotonic()
        if now - self._known.get(address, -REMEMBERED_SECONDS) < REMEMBERED_TOLERANCE:
            return
        with self._lock:
            self._known.pop(address, None)
            self._known[address] = now
            if len(self._known) > REMEMBERED_ADDRESSES:
                del self._known[next(iter(self._known))]

    def _is_known(self, address: str) -> bool:
        return time.monotonic() - self._known.get(address, -REMEMBERED_SECONDS) < REMEMBERED_SECONDS


class Visitor:
    """Somebody in the lobby who has not yet said who they are."""

    def __init__(self, listener: Listener, session: Session) -> None:
        self.deadline = session.deadline
        self.address = session.address
        self._listener = listener
        self._session = session

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._session.fileno()

    def on_readable(self) -> bool:
        """Take what came; once a whole TLS record is there, go on with the handshake or the hello."""
        session = self._session
        try:
            step = session.admit() if session.stream.receive_now() else Step.WAIT
        except TlsError as error:
            session.explain_early_end(str(error))
            step = Step.SEE_OUT
        if step is Step.WAIT:
            return True
        if step is Step.TRUSTED:
            self._listener.serve_in_thread(session)
        else:
            self._listener.part(session, step)
        return False

    def on_dismissed(self, reason: str) -> None:
        """Close."""
        self._session.explain_early_end(reason)
        self._session.stream.close()


class Leaver:
    """Somebody on the way out: what they still send is read and forgotten, until they end or their time is up."""

    ROUNDS = 64

    def __init__(self, stream: TlsStream, address: str, deadline: float) -> None:
        self.deadline = deadline
        self.address = address
        self._stream = stream
        self._rounds = 0

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._stream.fileno()

    def on_readable(self) -> bool:
        """Read and forget; true while more may come."""
        self._rounds += 1
        if self._rounds <= self.ROUNDS and self._stream.discard():
            return True
        self._stream.close()
        return False

    def on_dismissed(self, reason: str) -> None:
        """Close."""
        self._stream.close()


def bind(address: str | None, port: int) -> socket.socket:
    """A listening socket: on every address of the host, IPv6 and IPv4, or on the one that is named. Raises OSError."""
    if address is None:
        if socket.has_ipv6:
            try:
                return listen(socket.AF_INET6, ("::", port))
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
        return listen(socket.AF_INET, ("0.0.0.0", port))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return listen(family, (address, port))


def listen(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    """A listening socket whose options its connections inherit, which saves five system calls for each (Linux)."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_SECONDS, 0))
        for name, value in zip(("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"), limits.KEEPALIVE):
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def plain_address(address: str) -> str:
    """An address as people write it: IPv4 that came over a dual-stack socket without its prefix."""
    return address[7:] if address.startswith("::ffff:") else address
