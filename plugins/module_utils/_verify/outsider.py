# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What somebody without a certificate sees of an agent: the page, and a closed door."""

from __future__ import annotations

from .._client import failures, transport
from .._client.channel import Channel
from .._client.endpoint import Timeouts
from .._client.errors import ClientError
from .._client.identity import context
from . import page
from .result import FAILED, Result, Stopwatch


class Outsider:
    """The steps `page` and `stranger`, each on a new connection to the address that worked."""

    def __init__(self, result: Result, seconds: float, timeouts: Timeouts, addresses: list[transport.Address]) -> None:
        self._result = result
        self._seconds = seconds
        self._timeouts = timeouts
        self._address = addresses
        self._endpoint = result.endpoint
        self._where = str(result.endpoint)
        self._facts = result.facts

    def look_at_page(self) -> None:
        """Ask for the page as a browser does. Another page is the cause where nothing speaks for a Tentacle."""
        with Stopwatch(self._result, "page") as step:
            try:
                found = page.fetch(self._connect(), self._endpoint, self._seconds)
            except (transport.HandshakeError, OSError) as error:
                step.status, step.evidence = FAILED, f"The page cannot be read: {error}."
                return
            self._facts.page = found.as_dict()
            step.evidence = found.sentence
            if found.foreign:
                step.status = FAILED
                if self._facts.trusted is None:
                    self._result.blame(self._foreign(found))
        return

    def _unreadable(self, error: Exception) -> ClientError:
        """Neither a page nor the silence of an agent that hides it."""
        if isinstance(error, transport.HandshakeError):
            return failures.no_handshake(error.error, error.first, self._where, None)
        return failures.no_page(error, self._where)

    def _foreign(self, found: page.Page) -> ClientError:
        if found.status is not None:
            return ClientError(
                "http_injected",
                f"{self._where} answers HTTPS, but not as a Tentacle. {found.sentence}",
                also=("port_mismatch", "tls_offloaded"),
            )
        return failures.not_halibut(found.data, self._where)

    def send_stranger(self) -> None:
        """Say hello without a certificate: an agent must close without a word."""
        if not self._result.ok and self._facts.trusted is None:
            return self._result.skip("stranger", "Of no use here.")
        with Stopwatch(self._result, "stranger") as step:
            try:
                channel = Channel(self._connect(), self._endpoint, None, self._timeouts)
                answer = channel.greet()
            except ClientError as error:
                self._judge_refusal(error)
                return None
            except (transport.HandshakeError, OSError) as error:
                step.status, step.evidence = FAILED, f"This could not be tried: {error}."
                return None
            channel.close()
            self._facts.stranger_refused = False
            step.status, step.evidence = FAILED, f"A caller without a certificate was answered {answer.kind}."
            self._result.blame(
                ClientError(
                    "tls_offloaded",
                    f"{self._where} serves callers without any certificate: TLS ends in "
                    "front of the agent, or the agent trusts everybody.",
                )
            )
        return None

    def _judge_refusal(self, error: ClientError) -> None:
        step = self._result.steps["stranger"]
        if error.cause == "server_not_trusted":
            self._facts.stranger_refused = True
            step.evidence = "A caller without a certificate was refused."
            return
        step.status, step.evidence = FAILED, error.evidence
        if self._facts.trusted is None:
            self._result.blame(error)
        else:
            self._result.find(error.cause, error.evidence)

    def _connect(self) -> transport.TlsStream:
        """A new connection without a client certificate."""
        weak = any(finding["cause"] == "tls_no_common" for finding in self._result.findings)
        return transport.TlsStream.open(
            transport.dial(self._address, self._seconds),
            context(weak=weak),
            self._endpoint.host,
            self._seconds,
        )
