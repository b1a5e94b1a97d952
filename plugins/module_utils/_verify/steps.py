# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Walk a connection from the name to the capabilities, and say what the first thing to repair is.

A few connections: the caller's own, which goes on to the identity exchange where a client certificate was given; one
for the page; one without a certificate that says hello, and one with a throw-away certificate, which an agent must both
refuse; and the first one again where weak TLS parameters have to be allowed. Unless the proof of work is asked for,
nothing is changed on the agent: no script, no file.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from .._client import failures, transport
from .._client.channel import Channel, mismatch
from .._client.endpoint import Endpoint, Timeouts
from .._client.errors import ClientError
from .._client.identity import Identity, context
from .._halibut import thumbprint
from .._halibut.capabilities import CAPABILITIES_TYPES
from .._halibut.values import replace, value
from . import between, certificate, insider
from .addresses import Attempt, connect_all, find_broken
from .outsider import Outsider
from .result import FAILED, OK, Result, Stopwatch
from .way import Way, position

if TYPE_CHECKING:
    from .._client.proxy import Proxy
    from .throwaway import Impostor

DEFAULT_SECONDS = 15.0
DEFAULT_CONCURRENCY = 100  # checks at once: twice as many cost nothing and gain nothing while endpoints answer


@value(frozen=True)
class Options:
    """How to check. `timeout` is for each step, in seconds.

    `identity` is the caller's certificate; `impostor` gives a throw-away one, that the agent must refuse. `address` is
    the IP address that the host's name should stand for: it is tried where the name fails. `vantage` is what to call
    the place that the check is made from. `proof` runs a script and pushes a file, which needs `identity`.
    """

    identity: Identity | None = None
    timeout: float = DEFAULT_SECONDS
    page: bool = True
    stranger: bool = True
    impostor: Impostor | None = None
    tls_versions: bool = False
    proof: bool = False
    proxy: Proxy | None = None
    address: str | None = None
    vantage: str | None = None


def verify(endpoint: Endpoint, options: Options | None = None) -> Result:
    """Check one endpoint. Never raises for what the other side or the network does. May run in many threads at once."""
    options = options or Options()
    begin = time.monotonic()
    result = _Check(endpoint, options).run()
    if options.address and options.proxy is None:
        _compare_with_address(result, options)
    result.seconds = time.monotonic() - begin
    return result


def _compare_with_address(result: Result, options: Options) -> None:
    """Where the name fails, try the address that it should stand for: then the name is to blame."""
    found = [entry["address"] for entry in result.facts.addresses or []]
    if options.address in found or result.endpoint.host == options.address:
        return
    says = f"The name {result.endpoint.host} stands for {', '.join(found) or 'nothing'}, not for {options.address}."
    if result.ok:
        result.find("dns", says)
        return
    other = result.endpoint._replace(host=str(options.address))
    direct = _Check(other, replace(options, address=None, proof=False, tls_versions=False)).run()
    if direct.ok:
        why = f"{says} By that address the agent answers; by the name: {result.evidence}"
        result.supersede(ClientError("dns", why, also=("wrong_address",)))
    else:
        result.find(direct.cause, f"By the address {options.address}: {direct.evidence}")


class _Check:
    """One check under way."""

    def __init__(self, endpoint: Endpoint, options: Options) -> None:
        self.result = Result(endpoint)
        self._endpoint = endpoint
        self._options = options
        self._timeouts = replace(Timeouts.of(options.timeout, attempts=1), response=options.timeout)
        self._where = str(endpoint)
        self._stream: transport.TlsStream | None = None
        self._facts = self.result.facts
        self._facts.vantage = options.vantage
        if options.identity is not None:
            self._facts.client_thumbprint = options.identity.thumbprints.sha1

    def run(self) -> Result:
        """All steps, as far as they lead."""
        try:
            self._walk()
        except ClientError:
            pass  # it is in the result
        finally:
            if self._stream is not None:
                self._stream.close()
        return self.result

    def _walk(self) -> None:
        options, result = self._options, self.result
        connection, way = self._connect(self._resolve())
        self._pass_proxy(connection)
        stream = self._stream = self._shake_hands(connection, way)
        certificate.read(result, stream.certificate)
        trustworthy = self._compare(stream.certificate)
        if options.identity is None:
            insider.skip(result, "No client certificate was given: whether the agent trusts the server is not known.")
        elif not trustworthy:
            insider.skip(result, "Nothing is said to a host that shows another certificate than expected.")
        else:
            channel = Channel(stream, self._endpoint, options.identity, self._timeouts, CAPABILITIES_TYPES)
            insider.introduce(result, channel)
        if options.tls_versions:
            from . import versions  # only here, as everything that a usual check has no use for

            versions.probe(result, way)
        else:
            result.skip("tls_versions", "Not asked for.")
        outsider = Outsider(result, way, self._timeouts)
        if options.page:
            outsider.look_at_page()
        else:
            result.skip("page", "Not asked for.")
        if options.stranger:
            outsider.send_stranger()
            outsider.send_impostor(options.impostor)
        else:
            result.skip("stranger", "Not asked for.")
            result.skip("impostor", "Not asked for.")
        between.explain(result, options.proxy is not None)
        if options.proof:
            from . import proof  # only here: it needs a whole client

            proof.deliver(result, way, options.identity)
        else:
            result.skip("proof", "Not asked for.")
        insider.conclude(result, options.identity)

    # The steps

    def _resolve(self) -> list[transport.Address]:
        """The addresses to connect to: the proxy's, where there is one, as it looks up the agent's name itself."""
        goal = self._options.proxy or self._endpoint
        with Stopwatch(self.result, "name") as step:
            try:
                found = transport.resolve(goal.host, goal.port)
            except (OSError, UnicodeError) as error:
                if self._options.proxy is not None:
                    from .._client.proxy import not_reached

                    raise not_reached(error, self._options.proxy) from error
                raise failures.not_resolved(error, goal.host) from error
            step.evidence = f"{goal.host} is {', '.join(address.text for address in found)}."
            self._facts.addresses = [Attempt(address).as_dict() for address in found]
        return found

    def _connect(self, addresses: list[transport.Address]) -> tuple[socket.socket, Way]:
        proxy = self._options.proxy
        with Stopwatch(self.result, "tcp") as step:
            attempts = connect_all(addresses, self._options.timeout)
            self._facts.addresses = [attempt.as_dict() for attempt in attempts]
            connected = next((attempt for attempt in attempts if attempt.connection is not None), None)
            self._facts.position = "proxy" if proxy else position(connected.address if connected else addresses[0])
            if connected is None or connected.connection is None:
                raise self._no_address(attempts)
            self._facts.address = connected.address.text
            step.seconds = connected.seconds
            step.evidence = f"Connected to {connected.address.text} port {connected.address.place[1]}."
        find_broken(self.result, attempts)
        return connected.connection, Way(self._endpoint, connected.address, self._options.timeout, proxy)

    def _no_address(self, attempts: list[Attempt]) -> ClientError:
        """One failure for all addresses: that of the one which says most (an answer says more than silence)."""
        order = ("refused", "reset", "unreachable", "forbidden", "failed", "silent", None)
        telling = min(attempts, key=lambda attempt: order.index(attempt.status))
        error = telling.error or TimeoutError()
        if self._options.proxy is not None:
            from .._client.proxy import not_reached

            return not_reached(error, self._options.proxy)
        failure = failures.not_connected(error, self._where, self._options.timeout)
        if telling.status == "unreachable" and telling.seconds is not None:
            failure.evidence = f"{failure.evidence[:-1]} (said after {telling.seconds:.1f} s)."
        return failure

    def _pass_proxy(self, connection: socket.socket) -> None:
        proxy = self._options.proxy
        if proxy is None:
            self.result.skip("proxy", "No proxy was given.")
            return
        from .._client.proxy import ProxyError, tunnel

        self._facts.proxy = {"host": proxy.host, "port": proxy.port, "username": proxy.username}
        self._facts.proxy.update(status=None, reason=None, server=None)
        with Stopwatch(self.result, "proxy") as step:
            try:
                answer = tunnel(connection, proxy, self._endpoint, self._options.timeout)
            except ProxyError as error:
                if error.answer is not None:
                    self._facts.proxy.update(error.answer.as_dict())
                raise
            self._facts.proxy.update(answer.as_dict())
            step.evidence = f"{proxy} opened a tunnel to {self._where}."

    def _shake_hands(self, connection: socket.socket, way: Way) -> transport.TlsStream:
        begin = time.monotonic()
        try:
            settings = context(self._options.identity)
            stream = transport.TlsStream.open(connection, settings, self._endpoint.host, self._options.timeout)
        except transport.HandshakeError as error:
            heard = error.first_at if transport.is_tls(error.first) else None
            if heard is not None:
                self._hear(heard - begin)
            with Stopwatch(self.result, "first_bytes" if heard is None else "tls"):
                stream = self._shake_weak_hands(error, way)
        else:
            self._hear((stream.first_at or begin) - begin)
        step = self.result.steps["tls"]
        step.status, step.seconds = OK, round(time.monotonic() - (stream.first_at or begin), 4)
        self._facts.tls_version, self._facts.cipher = stream.version, stream.cipher
        self._facts.client_certificate_requested = stream.asked
        asked = {True: ", the caller was asked for a certificate", False: ", no certificate was asked for", None: ""}
        step.evidence = f"{stream.version} with {stream.cipher}{asked[stream.asked]}."
        return stream

    def _hear(self, seconds: float) -> None:
        step = self.result.steps["first_bytes"]
        step.status, step.seconds, step.evidence = OK, round(seconds, 4), "The answer is TLS."

    def _shake_weak_hands(self, error: transport.HandshakeError, way: Way) -> transport.TlsStream:
        """A second try with weak parameters allowed, where that was the trouble: the thumbprint decides anyway."""
        from .._client import alerts, services

        if failures.is_weakness(error.error):
            way.weak = True
            try:
                stream = way.stream(self._options.identity)
            except (ClientError, transport.HandshakeError, OSError):
                pass
            else:
                self.result.find(
                    "tls_no_common",
                    f"{self._where} needs weak TLS parameters "
                    f"({alerts.in_words(getattr(error.error, 'reason', ''))}), which other callers refuse.",
                )
                return stream
        if error.first and not transport.is_tls(error.first):
            self._facts.first_bytes = services.printable(error.first)
        failure = failures.no_handshake(error.error, error.first, self._where, self._options.identity)
        if self._options.proxy is not None:
            from .._client.proxy import behind

            failure = behind(failure, self._options.proxy)
        raise failure from error

    def _compare(self, der: bytes) -> bool:
        if not self._endpoint.thumbprint:
            self.result.skip("thumbprint", "No thumbprint was given to compare with.")
            return True
        with Stopwatch(self.result, "thumbprint") as step:
            if thumbprint.matches(der, (self._endpoint.thumbprint,)) is None:
                failure = mismatch(self._endpoint, der)
                step.status, step.evidence = FAILED, failure.evidence
                self.result.blame(failure)
                return False
            step.evidence = "The certificate is the expected one."
        return True
