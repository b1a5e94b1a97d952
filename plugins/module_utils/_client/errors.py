# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong for a caller of a Tentacle.

::

    ClientError                        a connection or call failed; `cause` is a word of `_verify/causes.py`
     +-- ServiceCallError              the agent answered the call with an error
          +-- NoMatchingMethod         it knows no such service, method, or fitting parameters
          +-- ServiceInvocationError   the method itself failed
"""

from __future__ import annotations

from .._halibut.messages import ServerError
from .._verify.causes import Cause, cause

_INVOCATION = "System.Reflection.TargetInvocationException: Exception has been thrown by the target of an invocation."
_NO_MATCH = (
    "Halibut.Exceptions.ServiceNotFoundHalibutClientException",
    "Halibut.Exceptions.MethodNotFoundHalibutClientException",
    "Halibut.Exceptions.AmbiguousMethodMatchHalibutClientException",
    "Halibut.Exceptions.NoMatchingServiceOrMethodHalibutClientException",
)
_SYSTEM_MESSAGES = (
    ("no space left on device", "disk_full"),
    ("there is not enough space", "disk_full"),
    ("permission denied", "permissions"),
    ("read-only file system", "permissions"),
)


class ClientError(Exception):
    """A connection or a call failed.

    `evidence` is one sentence: what was tried, on whom, and what was seen. `also` names the causes that fit the
    evidence as well. `unsent` says that no byte of a request left, so that repeating it is safe.
    """

    def __init__(self, word: str, evidence: str, *, also: tuple[str, ...] = (), unsent: bool = False) -> None:
        super().__init__(evidence)
        self.cause = word
        self.evidence = evidence
        self.also = also
        self.unsent = unsent

    @property
    def entry(self) -> Cause:
        """The cause's entry in the closed list: summary, side and remedy."""
        return cause(self.cause)

    @property
    def side(self) -> str | None:
        """Who can repair it: agent, server, network, proxy, caller; None where that is not known."""
        return self.entry.side

    def __str__(self) -> str:
        return self.evidence


class ServiceCallError(ClientError):
    """The agent answered a call with an error (docs/protocol/halibut-wire.md §6.4). The connection stays usable."""

    def __init__(self, error: ServerError, called: str) -> None:
        first = (error.message or "").strip().split("\n")[0] or "no message"
        super().__init__(_word(error), f"{called} was answered with an error: {first}")
        self.error = error

    @property
    def details(self) -> str | None:
        """The agent's own account, of many lines; None where it gave none."""
        return self.error.details


def _word(error: ServerError) -> str:
    """The cause of an agent's error: some of the system's own messages are causes by themselves."""
    text = f"{error.message}\n{error.details}".lower()
    return next((word for message, word in _SYSTEM_MESSAGES if message in text), "agent_error")


class NoMatchingMethod(ServiceCallError):
    """The agent knows no such service or method, or none that takes these parameters."""


class ServiceInvocationError(ServiceCallError):
    """The method was found and failed. Repeating the call would most likely fail in the same way."""


def service_call_error(error: ServerError, called: str) -> ServiceCallError:
    """The exception for an error response, chosen as Halibut's client does (first hit wins, §6.4)."""
    message, details = error.message or "", error.details or ""
    if error.type_name in _NO_MATCH:
        return NoMatchingMethod(error, called)
    if message.startswith("Service not found: ") or (message.startswith("Service ") and message.endswith(" not found")):
        return NoMatchingMethod(error, called)
    if details.startswith("System.Reflection.AmbiguousMatchException: "):
        return NoMatchingMethod(error, called)
    if details.startswith(_INVOCATION):
        return ServiceInvocationError(error, called)
    return ServiceCallError(error, called)
