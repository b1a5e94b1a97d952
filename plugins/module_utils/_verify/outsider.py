# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What somebody whom an agent does not know sees of it: the page, and a closed door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._client import failures, transport
from .._client.channel import Channel
from .._client.endpoint import Timeouts
from .._client.errors import ClientError
from .._client.identity import Identity
from . import page
from .result import FAILED, Result, Step, Stopwatch
from .way import Way

if TYPE_CHECKING:
    from .throwaway import Impostor


class Outsider:
    """The steps `page`, `stranger` and `impostor`, each on a new connection the way that worked."""

    def __init__(self, result: Result, way: Way, timeouts: Timeouts) -> None:
        self._result = result
        self._way = way
        self._timeouts = timeouts
        self._where = str(result.endpoint)
        self._facts = result.facts

    def look_at_page(self) -> None:
        """Ask for the page as a browser does. Another page is the cause where nothing speaks for a Tentacle."""
        with Stopwatch(self._result, "page") as step:
            try:
                found = page.fetch(self._way.stream(), self._result.endpoint, self._way.timeout)
            except (ClientError, transport.HandshakeError, OSError) as error:
                step.status, step.evidence = FAILED, f"The page cannot be read: {error}."
                if self._facts.trusted is None:
                    self._result.blame(self._unreadable(error))
                return
            self._facts.page = found.as_dict()
            step.evidence = found.sentence
            if found.foreign:
                step.status = FAILED
                if self._facts.trusted is None:
                    self._blame_foreign(found)

    def _unreadable(self, error: Exception) -> ClientError:
        """Neither a page nor the silence of an agent that hides it."""
        if isinstance(error, ClientError):
            return error
        if isinstance(error, transport.HandshakeError):
            return failures.no_handshake(error.error, error.first, self._where, None)
        return failures.no_page(error, self._where)

    def _blame_foreign(self, found: page.Page) -> None:
        """What is no Tentacle's page says more than another certificate than expected does."""
        if found.status is None:
            failure = failures.not_halibut(found.data, self._where)
        else:
            failure = ClientError(
                "http_injected",
                f"{self._where} answers HTTPS, but not as a Tentacle. {found.sentence}",
                also=("port_mismatch", "tls_offloaded"),
            )
        if self._result.cause == "agent_thumbprint_mismatch":
            also = (*failure.also, "agent_thumbprint_mismatch")
            self._result.supersede(ClientError(failure.cause, f"{failure.evidence} {self._result.evidence}", also=also))
        else:
            self._result.blame(failure)

    def send_stranger(self) -> None:
        """Say hello without a certificate: an agent must close without a word."""
        if self._useless("stranger"):
            return
        with Stopwatch(self._result, "stranger") as step:
            refused = self._say_hello(None, step)
            self._facts.stranger_refused = refused
            if refused:
                step.evidence = "A caller without a certificate was refused."
            elif refused is False:
                self._result.blame(
                    ClientError(
                        "tls_offloaded",
                        f"{self._where} serves callers without any certificate: TLS ends in "
                        "front of the agent, or the agent trusts everybody.",
                    )
                )

    def send_impostor(self, impostor: Impostor | None) -> None:
        """Say hello with a throw-away certificate that nobody can trust: an agent must close without a word."""
        if impostor is not None and self._useless("impostor"):
            return
        identity = impostor() if impostor is not None else None
        if identity is None:
            self._result.skip("impostor", "Without the program openssl no throw-away certificate can be made here.")
            return
        with Stopwatch(self._result, "impostor") as step:
            refused = self._say_hello(identity, step)
            self._facts.impostor_refused = refused
            if refused:
                step.evidence = f"A caller with the unknown certificate {identity.thumbprints.sha1} was refused."
            elif refused is False:
                self._result.blame(
                    ClientError(
                        "tls_offloaded",
                        f"{self._where} serves a caller with the certificate {identity.thumbprints.sha1}, which was "
                        "made a moment ago: TLS ends in front of the agent, or the agent trusts everybody.",
                    )
                )

    def _useless(self, name: str) -> bool:
        """After a failure that leaves open whether this is an agent at all, refusing proves nothing."""
        if self._result.ok or self._facts.trusted is not None:
            return False
        self._result.skip(name, "Of no use here.")
        return True

    def _say_hello(self, identity: Identity | None, step: Step) -> bool | None:
        """Whether the hello was refused; None where that could not be tried."""
        try:
            channel = Channel(self._way.stream(identity), self._result.endpoint, identity, self._timeouts, {})
            answer = channel.greet()
        except ClientError as error:
            if error.cause == "server_not_trusted":
                return True
            step.status, step.evidence = FAILED, error.evidence
            if self._facts.trusted is None:
                self._result.blame(error)
            else:
                self._result.find(error.cause, error.evidence)
            return None
        except (transport.HandshakeError, OSError) as error:
            step.status, step.evidence = FAILED, f"This could not be tried: {error}."
            return None
        channel.close()
        who = "without a certificate" if identity is None else "with an unknown certificate"
        step.status, step.evidence = FAILED, f"A caller {who} was answered {answer.kind}."
        return False
