# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Walk a connection from the name to the capabilities, and say what the first thing to repair is.

Four connections at most: the caller's own, which goes on to the identity exchange where a client certificate was given;
one without a certificate for the page; one without a certificate that says hello, which an agent must refuse; and the
first one again where weak TLS parameters have to be allowed. Nothing is changed on the agent: no script, no file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from .. import _x509
from .._client import failures, transport
from .._client.channel import Channel, mismatch
from .._client.client import CAPABILITIES
from .._client.endpoint import Endpoint, Timeouts
from .._client.errors import ClientError, NoMatchingMethod, ServiceCallError, service_call_error
from .._client.identity import Identity, context, weakness
from .._client.session import Session
from .._halibut import thumbprint
from .addresses import Attempt, connect_all
from .outsider import Outsider
from .result import FAILED, Result, Stopwatch

DEFAULT_SECONDS = 15.0


@dataclass(frozen=True)
class Options:
    """How to check. `timeout` is for each step, in seconds."""

    identity: Identity | None = None
    timeout: float = DEFAULT_SECONDS
    page: bool = True
    stranger: bool = True


def verify(endpoint: Endpoint, options: Options | None = None) -> Result:
    """Check one endpoint. Never raises for what the other side or the network does."""
    check = _Check(endpoint, options or Options())
    begin = time.monotonic()
    try:
        check.run()
    except ClientError:
        pass  # it is in the result
    finally:
        check.close()
    check.result.seconds = time.monotonic() - begin
    return check.result


class _Check:
    """One check under way."""

    def __init__(self, endpoint: Endpoint, options: Options) -> None:
        self.result = Result(endpoint)
        self._endpoint = endpoint
        self._options = options
        self._timeouts = replace(Timeouts.of(options.timeout, attempts=1), response=options.timeout)
        self._where = str(endpoint)
        self._address: list[transport.Address] = []
        self._stream: transport.TlsStream | None = None
        self._facts = self.result.facts
        if options.identity is not None:
            self._facts.client_thumbprint = options.identity.thumbprints.sha1

    def run(self) -> None:
        options = self._options
        addresses = self._resolve()
        connection = self._connect(addresses)
        stream = self._stream = self._shake_hands(connection)
        self._read_certificate(stream.certificate)
        trustworthy = self._compare(stream.certificate)
        if self._options.identity is None:
            self.result.skip(
                "identity", "No client certificate was given: whether the agent trusts the server is not known."
            )
            self.result.skip("capabilities", "No client certificate was given.")
        elif not trustworthy:
            self.result.skip("identity", "Nothing is said to a host that shows another certificate than expected.")
            self.result.skip("capabilities", "Nothing is said to a host that shows another certificate than expected.")
        else:
            self._introduce(Channel(stream, self._endpoint, self._options.identity, self._timeouts))
        outsider = Outsider(self.result, options.timeout, self._timeouts, self._address)
        if options.page:
            outsider.look_at_page()
        else:
            self.result.skip("page", "Not asked for.")
        if options.stranger:
            outsider.send_stranger()
        else:
            self.result.skip("stranger", "Not asked for.")
        self._conclude()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    # The steps

    def _resolve(self) -> list[transport.Address]:
        with Stopwatch(self.result, "name") as step:
            try:
                found = transport.resolve(self._endpoint.host, self._endpoint.port)
            except (OSError, UnicodeError) as error:
                failure = error if isinstance(error, OSError) else OSError(str(error))
                raise failures.not_resolved(failure, self._endpoint.host) from error
            step.evidence = f"{self._endpoint.host} is {', '.join(address.text for address in found)}."
            self._facts.addresses = [Attempt(address).as_dict() for address in found]
        return found

    def _connect(self, addresses: list[transport.Address]) -> Any:
        with Stopwatch(self.result, "tcp") as step:
            attempts = connect_all(addresses, self._options.timeout)
            self._facts.addresses = [attempt.as_dict() for attempt in attempts]
            connected = next((attempt for attempt in attempts if attempt.connection is not None), None)
            if connected is None:
                raise self._no_address(attempts)
            self._address = [connected.address]
            self._facts.address = connected.address.text
            step.evidence = f"Connected to {connected.address.text} port {self._endpoint.port}."
        for attempt in attempts:
            if attempt.status not in ("connected", None):
                failure = failures.not_connected(
                    attempt.error or OSError(),
                    f"{attempt.address.version} address {attempt.address.text}",
                    self._options.timeout,
                )
                self.result.find("wrong_address", f"{failure.evidence} Another address of the same name works.")
        return connected.connection

    def _no_address(self, attempts: list[Attempt]) -> ClientError:
        """One failure for all addresses: that of the one which says most (an answer says more than silence)."""
        order = ("refused", "reset", "unreachable", "forbidden", "failed", "silent", None)
        telling = min(attempts, key=lambda attempt: order.index(attempt.status))
        return failures.not_connected(telling.error or TimeoutError(), self._where, self._options.timeout)

    def _shake_hands(self, connection: Any) -> transport.TlsStream:
        with Stopwatch(self.result, "tls") as step:
            try:
                stream = transport.TlsStream.open(
                    connection, context(self._options.identity), self._endpoint.host, self._options.timeout
                )
            except transport.HandshakeError as error:
                stream = self._shake_weak_hands(error)
            self._facts.tls_version, self._facts.cipher = stream.version, stream.cipher
            step.evidence = f"{stream.version} with {stream.cipher}."
        return stream

    def _shake_weak_hands(self, error: transport.HandshakeError) -> transport.TlsStream:
        """A second try with weak parameters allowed, where that was the trouble: the thumbprint decides anyway."""
        if failures.is_weakness(error.error):
            try:
                stream = transport.TlsStream.open(
                    transport.dial(self._address, self._options.timeout),
                    context(self._options.identity, weak=True),
                    self._endpoint.host,
                    self._options.timeout,
                )
            except (transport.HandshakeError, OSError):
                pass
            else:
                self.result.find(
                    "tls_no_common",
                    f"{self._where} needs weak TLS parameters "
                    f"({failures.in_words(getattr(error.error, 'reason', ''))}), which other callers refuse.",
                )
                return stream
        self._facts.first_bytes = failures.printable(error.first) if error.first else None
        raise failures.no_handshake(error.error, error.first, self._where, self._options.identity) from error

    def _read_certificate(self, der: bytes) -> None:
        with Stopwatch(self.result, "certificate") as step:
            digests = thumbprint.of_der(der)
            self._facts.thumbprint, self._facts.thumbprint_sha256 = digests.sha1, digests.sha256
            try:
                facts = _x509.parse(der)
            except ValueError as error:
                step.status, step.evidence = FAILED, f"The certificate cannot be read in full: {error}."
                return
            self._facts.certificate = describe(facts)
            key = f"{facts.key_type} {facts.key_size}" if facts.key_size else facts.key_type
            until = f"{facts.not_after:%Y-%m-%d}"
            step.evidence = f"{facts.subject or 'no subject'}, {key}, {facts.signature_algorithm}, until {until}."
        weak = weakness(facts)
        if weak:
            self.result.find(
                "tls_no_common",
                f"The agent's certificate is weak: {weak}. Hardened callers will refuse it one day; plan a new one.",
            )
        if time.time() > facts.not_after.timestamp():
            self.result.find(
                "unknown",
                f"The agent's certificate has expired on {facts.not_after:%Y-%m-%d}; a server that pins "
                "it does not mind.",
            )

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

    def _introduce(self, channel: Channel) -> None:
        """Say hello with the client certificate, and make one harmless call."""
        try:
            with Stopwatch(self.result, "identity") as step:
                answer = channel.greet()
                self._facts.trusted = True
                step.evidence = f"The agent answered {answer.kind} {answer.version}: it trusts our certificate."
            with Stopwatch(self.result, "capabilities") as step:
                self._facts.capabilities = self._ask(channel)
                step.evidence = ", ".join(self._facts.capabilities) + "."
            channel.close(goodbye=True)
        except ClientError as error:
            if error.cause == "server_not_trusted":
                self._facts.trusted = False

    def _ask(self, channel: Channel) -> list[str]:
        request = Session(self._endpoint, timeouts=self._timeouts).request(CAPABILITIES, "GetCapabilities", ())
        response = channel.exchange(request, {}, None, None)
        if response.error is not None:
            error: ServiceCallError = service_call_error(
                response.error, f"{CAPABILITIES}.GetCapabilities on {self._where}"
            )
            if isinstance(error, NoMatchingMethod):
                return ["IScriptService", "IFileTransferService"]  # what agents older than the call offer
            raise error
        listed = getattr(response.result, "supported_capabilities", None)
        if listed is None:
            raise ClientError("unknown", f"{self._where} answered {CAPABILITIES}.GetCapabilities with something else.")
        return [str(name) for name in listed]

    def _conclude(self) -> None:
        if not self.result.ok:
            return
        identity = self._options.identity
        if identity is not None and identity.weakness:
            self.result.find("weak_server_certificate", f"The caller's own certificate is weak: {identity.weakness}.")
        shown = self._facts.page is not None and self._facts.page["tentacle"]
        if self._facts.trusted:
            self.result.evidence = f"{self._where} answers as a Tentacle and trusts our certificate"
        elif shown:
            self.result.evidence = (
                f"{self._where} shows a Tentacle's page; whether it trusts a server was not tried, because no "
                "client certificate was given"
            )
        else:
            self.result.evidence = (
                f"{self._where} refuses strangers as a Tentacle does; nothing else shows that it is one, because "
                "no client certificate was given"
            )
        self.result.evidence += "." if not self._endpoint.thumbprint else "; it has the expected certificate."


def describe(facts: _x509.CertificateFacts) -> dict[str, Any]:
    """A certificate's facts for a result: dates in ISO 8601, weakness as half a sentence or None."""
    return {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial_number": facts.serial_number,
        "not_before": f"{facts.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{facts.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "key_type": facts.key_type,
        "key_size": facts.key_size,
        "curve": facts.curve,
        "signature_algorithm": facts.signature_algorithm,
        "signature_hash": facts.signature_hash,
        "self_signed": facts.self_signed,
        "weakness": weakness(facts),
    }
