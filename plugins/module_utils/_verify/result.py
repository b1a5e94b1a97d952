# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a check found: steps in order, facts, and the conclusion. Always the same keys; what is not known is None."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from .._client.endpoint import Endpoint
from .._client.errors import ClientError
from .causes import CAUSES

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
NAMES = (
    "name",
    "tcp",
    "proxy",
    "first_bytes",
    "tls",
    "tls_versions",
    "certificate",
    "thumbprint",
    "page",
    "identity",
    "capabilities",
    "stranger",
    "impostor",
    "proof",
    "target",
)
SLOW_SECONDS = 2.0  # a step that took longer is worth a finding
_TIMED = ("tcp", "first_bytes", "tls", "page", "identity", "capabilities", "stranger")


@dataclass(eq=False)  # nobody compares them, and each method that is made takes its time
class Step:
    """One thing that was tried. `seconds` is None where it was not."""

    name: str
    status: str = SKIPPED
    seconds: float | None = None
    evidence: str = "Not reached."


@dataclass(eq=False)
class Facts:
    """Everything that was learned on the way; None: not learned."""

    vantage: str | None = None
    position: str | None = None
    addresses: list[dict[str, Any]] | None = None
    address: str | None = None
    proxy: dict[str, Any] | None = None
    first_bytes: str | None = None
    tls_version: str | None = None
    cipher: str | None = None
    tls_versions: dict[str, bool | None] | None = None
    client_certificate_requested: bool | None = None
    thumbprint: str | None = None
    thumbprint_sha256: str | None = None
    certificate: dict[str, Any] | None = None
    page: dict[str, Any] | None = None
    client_thumbprint: str | None = None
    trusted: bool | None = None
    capabilities: list[str] | None = None
    stranger_refused: bool | None = None
    impostor_refused: bool | None = None
    version: str | None = None
    proof: dict[str, Any] | None = None
    target: dict[str, Any] | None = None
    vantages: list[dict[str, Any]] | None = None


@dataclass(eq=False)
class Result:
    """The outcome of one check: the first thing to repair, and everything that speaks for it."""

    endpoint: Endpoint
    cause: str = "ok"
    evidence: str = ""
    alternatives: tuple[str, ...] = ()
    findings: list[dict[str, str | None]] = field(default_factory=list)
    steps: dict[str, Step] = field(default_factory=lambda: {name: Step(name) for name in NAMES})
    facts: Facts = field(default_factory=Facts)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.cause == "ok"

    @property
    def sentence(self) -> str:
        """All four parts in one text: what was tried and seen, what that usually means, what to do next."""
        entry = CAUSES[self.cause]
        return self.evidence if self.ok else f"{self.evidence} {entry.summary} {entry.remedy}"

    def sentence_of(self, word: str) -> str:
        """The same for a cause or a further finding with this word. Raises StopIteration for one that was not found."""
        if word == self.cause:
            return self.sentence
        finding = next(finding for finding in self.findings if finding["cause"] == word)
        return f"{finding['evidence']} {CAUSES[word].summary} {finding['remedy']}"

    def blame(self, error: ClientError) -> None:
        """Take note of a failure. The first one is the cause, later ones are further findings."""
        if self.ok:
            self.supersede(error)
        else:
            self.find(error.cause, error.evidence)

    def supersede(self, error: ClientError) -> None:
        """Put a better explanation in the place of the present one, which it includes."""
        self.cause, self.evidence, self.alternatives = error.cause, error.evidence, error.also

    def find(self, word: str, evidence: str) -> None:
        """Something worth knowing that is not what fails now."""
        self.findings.append(
            {"cause": word, "side": CAUSES[word].side, "evidence": evidence, "remedy": CAUSES[word].remedy}
        )

    def skip(self, name: str, why: str) -> None:
        """A step that was not tried, and why."""
        self.steps[name].status, self.steps[name].evidence = SKIPPED, why

    def find_slowness(self) -> None:
        """A finding for each step that succeeded, but took its time."""
        for name in _TIMED:
            step = self.steps[name]
            if step.status == OK and step.seconds is not None and step.seconds >= SLOW_SECONDS:
                self.find("slow", f"The step {name} took {step.seconds:.1f} s.")

    def as_dict(self) -> dict[str, Any]:
        """Everything, for a module's result or JSON."""
        entry = CAUSES[self.cause]
        fitting = (self.cause, *self.alternatives) if self.alternatives else ()
        return {
            "cause": self.cause,
            "side": entry.side,
            "summary": entry.summary,
            "evidence": self.evidence,
            "remedy": entry.remedy,
            "alternatives": list(self.alternatives),
            "tell_apart": [{"cause": word, "sign": CAUSES[word].sign} for word in fitting],
            "findings": self.findings,
            "host": self.endpoint.host,
            "port": self.endpoint.port,
            "expected_thumbprint": self.endpoint.thumbprint,
            "steps": [asdict(self.steps[name]) for name in NAMES],
            "seconds": round(self.seconds, 3),
            **asdict(self.facts),
        }


class Stopwatch:
    """Writes a step's outcome with its time: `with Stopwatch(result, "tls") as step`.

    A ClientError inside fails the step, is blamed, and goes on to whoever runs the steps. A step that sets its seconds
    itself keeps them.
    """

    def __init__(self, result: Result, name: str) -> None:
        self._result = result
        self._step = result.steps[name]

    def __enter__(self) -> Step:
        self._begin = time.monotonic()
        self._step.status = OK
        return self._step

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._step.seconds is None:
            self._step.seconds = round(time.monotonic() - self._begin, 4)
        if isinstance(error, ClientError):
            self._step.status, self._step.evidence = FAILED, error.evidence
            self._result.blame(error)
