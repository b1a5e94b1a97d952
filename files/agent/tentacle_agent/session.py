# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # events and states are final classes, and this is the hot path
"""One connection, from its first byte to its last.

A session has two halves. `admit` goes as far as the bytes at hand allow: TLS handshake, the first lines, the decision
on trust. It never waits, so a stranger who says nothing costs no thread (see the lobby). Whoever is trusted gets a
thread, and `serve` holds the conversation: identity, then request, answer, NEXT, request, ... until one side ends it.

The protocol itself is the core's (`module_utils._halibut.connection`): it turns bytes into events and events into bytes
and knows when what is legal. What is decided here is who may go on, how long we wait in which state
(docs/protocol/halibut-wire.md §3.5), and how a connection ends. Strangers, people without a certificate and broken
protocols get no byte in answer (docs/protocol/halibut-wire.md §2.2, 10 Q15); the log says what happened.

Both halves return how to go on as a `Step`. None of them raises.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import time
from typing import Any

from module_utils._halibut import limits, thumbprint
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.errors import LocalProtocolError, RemoteProtocolError
from module_utils._halibut.events import (
    Accept,
    GoodbyeReceived,
    MessageEnded,
    NextReceived,
    PageRequested,
    PeerClosed,
    PeerIdentified,
    PrefaceReceived,
    RequestReceived,
    StreamData,
    StreamEnd,
    StreamEnded,
    StreamStarted,
)
from module_utils._halibut.repeats import RequestMemory

from .audit import Audit
from .dispatch import Call, Dispatcher, Download, Peer
from .log import FrequentLines, Sparing, single_line
from .pace import Pace
from .tls import TlsStream
from .tls_errors import DeadlinePassed, Disconnected, TlsError
from .trust import Trust

LOG = logging.getLogger("tentacle_agent.session")
DOWNLOAD_PIECE = 131072


class Step(enum.Enum):
    """How a connection goes on."""

    WAIT = "more bytes are needed"
    TRUSTED = "serve it"
    CLOSE = "close it"
    SEE_OUT = "end our side, read what the peer still sends, close"
    LINGER = "read until the peer ends, close"


class Broken(Exception):
    """The conversation cannot go on: a file that we had promised ended early, or trust is gone."""


class Shared:
    """What all sessions of an agent use. Replaced values count for what happens next."""

    def __init__(self, trust: Trust, dispatcher: Dispatcher, audit: Audit) -> None:
        self.trust = trust
        self.dispatcher = dispatcher
        self.audit = audit
        self.page: bytes | None = None
        self.idle_seconds: float = limits.IDLE_SECONDS
        self.sparing = Sparing()
        self.frequent = FrequentLines(LOG)
        self.memory = RequestMemory()
        self.pace = Pace(time.monotonic())


class Session:
    """Drives one connection. `deadline` (monotonic) bounds everything before trust is decided."""

    def __init__(self, stream: TlsStream, address: str, number: int, shared: Shared) -> None:
        self.stream = stream
        self.address = address
        self.name = f"C{number:06d}"
        self.deadline = time.monotonic() + limits.HANDSHAKE_SECONDS
        self.certificate = b""
        self._shared = shared
        self._connection = Connection(Role.SERVICE, memory=shared.memory)
        self._pins = shared.trust.pins
        self._call: Call | None = None
        self._sink: Any = None
        self._started = 0.0
        self._waited_in: State | None = None
        self._ending = False
        self._cut = False

    def fileno(self) -> int:
        """The socket's descriptor, for the lobby's selector."""
        return self.stream.fileno()

    # Before trust ------------------------------------------------------------------------------------------------

    def admit(self) -> Step:
        """Go on with the handshake and the hello as far as the received bytes allow."""
        try:
            return self._admit()
        except (TlsError, RemoteProtocolError) as error:
            self.explain_early_end(str(error))
            return Step.SEE_OUT

    def explain_early_end(self, reason: str) -> None:
        """Log why a connection ended before it said who it is; the same thing from the same address once a minute.

        Whoever leaves without a byte is a probe: of a load balancer, a monitor, or our own watchdog.
        """
        if self.stream.ended and not self.stream.begun:
            LOG.debug("%s Connection from %s ended without a byte", self.name, self.address)
            return
        unsaid = self._shared.sparing.ask((self.address, reason))
        if unsaid is not None:
            LOG.info("%s Connection from %s ended before a Halibut hello: %s%s", self.name, self.address, reason,
                     again(unsaid))

    def _admit(self) -> Step:
        stream = self.stream
        if not stream.established:
            if not stream.handshake():
                return Step.WAIT
            stream.acknowledge_at_once()
        connection = self._connection
        while True:
            data = stream.take()
            if data is None:
                return Step.WAIT
            if data:
                connection.receive_data(data)
            else:
                connection.receive_eof()
            for event in connection.events():
                if type(event) is PrefaceReceived:
                    return self._judge()
                if type(event) is PageRequested:
                    return self._show_page(event.line)
                if type(event) is PeerClosed:
                    return Step.CLOSE

    def _judge(self) -> Step:
        """Trust is decided by the presented certificate alone (docs/protocol/halibut-wire.md §1.1)."""
        certificate = self.stream.peer_certificate()
        if certificate is None:
            self._refuse("it presented no client certificate", "")
            return Step.SEE_OUT
        shared = self._shared
        shown = thumbprint.of_der(certificate)
        self.certificate = certificate
        shared.trust.enter(self)
        self._pins = shared.trust.pins
        if shown.sha1 not in self._pins and shown.sha256 not in self._pins:
            shared.trust.leave(self)
            self._refuse(f"its certificate {shown.sha1} is not trusted", shown.sha1)
            return Step.SEE_OUT
        self._peer = Peer(self.address, shown.sha1, self.name)
        shared.frequent.log(f"{self.name} Client at {self.address} authenticated as {shown.sha1}")
        return Step.TRUSTED

    def _refuse(self, reason: str, shown: str) -> None:
        unsaid = self._shared.sparing.ask((self.address, shown, "refused"))
        if unsaid is None:
            return
        advice = " If this is your Octopus Server, trust that thumbprint." if shown else ""
        LOG.warning("%s Client at %s was refused: %s.%s%s", self.name, self.address, reason, advice, again(unsaid))

    def _show_page(self, line: bytes) -> Step:
        page = self._shared.page
        LOG.debug("%s Page asked for by %s: %s", self.name, self.address, single_line(repr(line[:80])))
        if page is not None:
            self.stream.write([page])
        return Step.SEE_OUT

    # After trust -------------------------------------------------------------------------------------------------

    def serve(self) -> Step:
        """Hold the conversation with a trusted peer until it is over."""
        try:
            step = self._converse()
        except RemoteProtocolError as error:
            self._say_what_is_ready()
            LOG.warning("%s %s broke the protocol and is disconnected: %s", self.name, self.address, error)
            step = Step.LINGER if error.linger else Step.SEE_OUT
        except DeadlinePassed:
            step = self._explain_deadline()
        except Disconnected as error:
            LOG.info("%s %s disconnected: %s", self.name, self.address, error)
            step = Step.CLOSE
        except (TlsError, Broken) as error:
            LOG.warning("%s Connection with %s broken off: %s", self.name, self.address, error)
            step = Step.CLOSE
        except LocalProtocolError as error:
            LOG.error("%s The answer to %s could not be sent: %s", self.name, self.address, error)
            step = Step.CLOSE
        except Exception:
            LOG.exception("%s Connection with %s ended by an unexpected error", self.name, self.address)
            step = Step.CLOSE
        self._shared.trust.leave(self)
        self._give_up_call()
        self._shared.pace.connection_ended(time.monotonic())
        return Step.CLOSE if self._cut else step

    def _say_what_is_ready(self) -> None:
        """Send what the core had answered before it found the error: a wrong identity gets ours in return."""
        with contextlib.suppress(TlsError):
            self.stream.write(self._connection.data_to_send())

    def _explain_deadline(self) -> Step:
        if self._waited_in is State.AWAIT_CONTROL:
            LOG.debug("%s Connection with %s closed after %s s of silence", self.name, self.address,
                      self._shared.idle_seconds)
            return Step.CLOSE
        LOG.warning("%s %s was silent for too long (%s) and is disconnected", self.name, self.address,
                    self._waited_in.name.lower() if self._waited_in else "while we were sending")
        return Step.SEE_OUT

    def _give_up_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.abandon()
            self._shared.audit.record(call, time.monotonic() - self._started)

    def _converse(self) -> Step:
        connection, stream = self._connection, self.stream
        connection.send(Accept())
        while True:
            events = connection.events()
            for event in events:
                if type(event) is StreamData:
                    self._keep(event.data)
                elif type(event) is RequestReceived:
                    self._begin(event.request)
                elif type(event) is MessageEnded:
                    self._answer()
                elif type(event) is NextReceived or type(event) is PeerIdentified:
                    stream.write(connection.data_to_send())
                elif type(event) is StreamStarted:
                    self._sink = self._call.open_stream(event.stream) if self._call else None
                elif type(event) is StreamEnded:
                    self._sink.close()
                    self._sink = None
                    stream.use_little_memory()
                elif type(event) is GoodbyeReceived or type(event) is PeerClosed:
                    return Step.CLOSE
            if self._ending and self._call is None:
                return Step.CLOSE
            if not events or connection.exhausted:
                self._receive()

    def _receive(self) -> None:
        """Give the core the peer's next bytes; waits for them as long as the state allows."""
        stream = self.stream
        data = stream.take()
        while data is None:
            self._settle_deadline()
            stream.receive()
            data = stream.take()
        if self._cut:
            raise Broken("its certificate is no longer trusted")
        if data:
            self._connection.receive_data(data)
        elif not self._ending or self._call is not None:
            self._connection.receive_eof()

    def _settle_deadline(self) -> None:
        """Between calls the whole wait is bounded, in a message each silence (docs/protocol/halibut-wire.md §3.5)."""
        state = self._connection.state
        if state is State.AWAIT_CONTROL:
            if state is not self._waited_in:
                self.stream.wait_at_most(self._shared.idle_seconds)
        elif state is State.AWAIT_MESSAGE:
            if state is not self._waited_in:
                self.stream.wait_at_most(limits.REQUEST_IDLE_SECONDS)
        else:
            self.stream.wait_at_most(limits.RECEIVE_SECONDS)
            self.stream.acknowledge_at_once()
        self._waited_in = state

    def _begin(self, request: Any) -> None:
        trust = self._shared.trust
        if trust.pins is not self._pins:
            if not trust.trusts(self.certificate):
                raise Broken("its certificate is no longer trusted")
            self._pins = trust.pins
        self._started = time.monotonic()
        self._call = self._shared.dispatcher.prepare(request, self._peer)

    def _keep(self, data: Any) -> None:
        try:
            self._sink.write(data)
        except Exception as error:
            self._sink.fail(error)

    def _answer(self) -> None:
        call = self._call
        if call is None:
            return
        response = call.finish()
        self._waited_in = None
        connection = self._connection
        try:
            try:
                connection.send(response)
            except LocalProtocolError as error:
                LOG.error("%s The result of a call cannot be sent: %s", self.name, error)
                response = call.refuse(str(error))
                connection.send(response)
            self.stream.write(connection.data_to_send())
            if call.download is not None:
                self._send_file(call.download)
        except (TlsError, Broken) as error:
            call.failure = f"the answer did not reach the peer: {error}"
            raise
        finally:
            self._call = None
            if call.download is not None:
                call.download.file.close()
            now = time.monotonic()
            self._shared.audit.record(call, now - self._started)
            self._shared.pace.call_ended(now)

    def _send_file(self, download: Download) -> None:
        """Send exactly the promised bytes; when the file has become shorter, only breaking off tells the peer."""
        connection, write, read = self._connection, self.stream.write, download.file.readinto  # type: ignore[attr-defined]
        left = download.stream.length
        piece = bytearray(min(DOWNLOAD_PIECE, left))
        view = memoryview(piece)
        while left:
            size = read(view[:left] if left < len(piece) else piece)
            if not size:
                raise Broken(f"a file to download became {left} bytes shorter than promised")
            if self._cut:
                raise Broken("its certificate is no longer trusted")
            left -= size
            connection.send(StreamData(view[:size]))
            write(connection.data_to_send())
        connection.send(StreamEnd())
        write(connection.data_to_send())

    # From other threads ------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """End at once by a reset, because trust is gone; a call that is running loses its answer."""
        self._cut = True
        self.stream.reset_on_close()
        self.stream.stop_reading()

    def end_after_call(self) -> None:
        """End as soon as no call is running: the agent stops."""
        self._ending = True
        if self._call is None:
            self.stream.stop_reading()

    @property
    def busy(self) -> bool:
        """Whether a call is running."""
        return self._call is not None


def again(unsaid: int) -> str:
    """What to add to a line that stands for several."""
    return f" ({unsaid} more of these since the last such line)" if unsaid else ""
