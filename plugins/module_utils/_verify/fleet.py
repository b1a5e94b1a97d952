# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Check many endpoints at once, in the order given, with a bounded number of threads.

A check waits far more than it works: for names, for addresses that do not answer, for handshakes. Threads let all of
that overlap; the work itself, which is cryptography, is done outside the interpreter's lock. Endpoints with names are
taken last, so that a resolver that does not answer holds up only those that need it.
"""

from __future__ import annotations

import resource
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._client.endpoint import Endpoint, endpoint
from .._client.errors import ClientError
from .result import Result
from .steps import DEFAULT_CONCURRENCY, Options, verify

MAX_CONCURRENCY = 2000  # each is a thread
MAX_ENDPOINTS = 100_000
STACK_BYTES = 512 * 1024
FILES_EACH = 8  # sockets and selectors of one check, with room for names of several addresses
FILES_BESIDE = 64  # what the program itself has open
WATCH_SECONDS = 1.0
NAMES_SHOWN = 5


class Target(NamedTuple):
    """An endpoint and what people call it."""

    name: str
    endpoint: Endpoint


@dataclass
class Outcome:
    """What came of one target; `attempts` counts the checks that were made."""

    target: Target
    result: Result
    attempts: int = 1

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.target.name, "attempts": self.attempts, **self.result.as_dict()}


Watch = Callable[[int, Counter[str]], None]  # how many are done, and how many of them have which cause


def targets(entries: Sequence[dict[str, Any]], port: int) -> list[Target]:
    """Checked targets from what a user listed: host, port, thumbprint, name; ClientError with one sentence."""
    if not entries:
        raise ClientError("invalid_input", "The list of endpoints is empty: there is nothing to check.")
    if len(entries) > MAX_ENDPOINTS:
        raise ClientError(
            "invalid_input", f"{len(entries)} endpoints are more than {MAX_ENDPOINTS}: divide them among several tasks."
        )
    found: list[Target] = []
    places: dict[tuple[str, int], int] = {}
    for number, entry in enumerate(entries):
        label = f"endpoints[{number}] ({entry.get('name') or entry.get('host') or 'without a host'})"
        try:
            place = endpoint(entry.get("host") or "", entry.get("port") or port, entry.get("thumbprint"))
        except ClientError as error:
            raise ClientError("invalid_input", f"{label}: {error}") from error
        key = (place.host.lower().rstrip("."), place.port)
        if key in places:
            raise ClientError(
                "invalid_input", f"{label} is {place}, which endpoints[{places[key]}] is already: list it once."
            )
        places[key] = number
        found.append(Target(entry.get("name") or (place.host if place.port == port else str(place)), place))
    return found


def check_all(
    wanted: Sequence[Target], options: Options, concurrency: int = DEFAULT_CONCURRENCY, watch: Watch | None = None
) -> list[Outcome]:
    """Check every target once. `watch` is called about every second, from this thread."""
    outcomes: dict[int, Outcome] = {}
    causes: Counter[str] = Counter()
    before = threading.stack_size(STACK_BYTES)
    pool = ThreadPoolExecutor(min(_possible(concurrency), max(len(wanted), 1)), "check")
    try:
        numbers = {
            pool.submit(verify, wanted[number].endpoint, options): number
            for number in sorted(range(len(wanted)), key=lambda number: _is_name(wanted[number].endpoint.host))
        }
        pending: set[Future[Result]] = set(numbers)
        while pending:
            done, pending = wait(pending, WATCH_SECONDS, FIRST_EXCEPTION)
            for future in done:
                number = numbers.pop(future)
                outcomes[number] = Outcome(wanted[number], future.result())
                causes[outcomes[number].result.cause] += 1
            if watch is not None:
                watch(len(outcomes), causes)
    finally:
        pool.shutdown(cancel_futures=True)
        threading.stack_size(before)
    return [outcomes[number] for number in range(len(wanted))]


def check_again(
    outcomes: Sequence[Outcome], options: Options, concurrency: int = DEFAULT_CONCURRENCY, watch: Watch | None = None
) -> None:
    """Check those once more that are not `ok`, and replace their results."""
    failed = [outcome for outcome in outcomes if not outcome.result.ok]
    for outcome, again in zip(failed, check_all([outcome.target for outcome in failed], options, concurrency, watch)):
        outcome.result = again.result
        outcome.attempts += 1


def find_shared(outcomes: Sequence[Outcome], allowed: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Certificates that several hosts present, and blame for it: it is the cause of whatever is `ok` otherwise.

    `allowed` are thumbprints in normal form, SHA-1 or SHA-256, that may be shared. Endpoints that lead to the same
    address and port are one agent, which may have several names. Call this once, after all checks.
    """
    permitted = frozenset(allowed)
    shared = []
    for seen in _by_certificate(outcomes).values():
        agents = {(outcome.result.facts.address, outcome.target.endpoint.port) for outcome in seen}
        if len(agents) < 2:
            continue
        facts = seen[0].result.facts
        names = [outcome.target.name for outcome in seen]
        is_allowed = bool(permitted & {facts.thumbprint, facts.thumbprint_sha256})
        shared.append(
            {
                "thumbprint": facts.thumbprint,
                "thumbprint_sha256": facts.thumbprint_sha256,
                "endpoints": names,
                "allowed": is_allowed,
            }
        )
        for outcome in () if is_allowed else seen:
            outcome.result.blame(_shared(outcome, names))
    return sorted(shared, key=lambda entry: (entry["allowed"], -len(entry["endpoints"]), entry["thumbprint"]))


def certificates(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Every certificate that was seen, once, the first to expire first: dates in ISO 8601, and who presents it."""
    found = []
    for seen in _by_certificate(outcomes).values():
        facts = seen[0].result.facts
        described = facts.certificate or {}
        found.append(
            {
                "thumbprint": facts.thumbprint,
                "subject": described.get("subject"),
                "not_before": described.get("not_before"),
                "not_after": described.get("not_after"),
                "weakness": described.get("weakness"),
                "endpoints": [outcome.target.name for outcome in seen],
            }
        )
    return sorted(found, key=lambda entry: (entry["not_after"] or "", entry["thumbprint"]))


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How many there are, how many are good, and how often each cause and each further finding occurs."""
    causes = Counter(outcome.result.cause for outcome in outcomes)
    findings = Counter(str(finding["cause"]) for outcome in outcomes for finding in outcome.result.findings)
    good = causes.pop("ok", 0)
    return {
        "endpoints": len(outcomes),
        "ok": good,
        "to_repair": len(outcomes) - good,
        "causes": dict(causes.most_common()),
        "findings": dict(findings.most_common()),
    }


def sentence(outcomes: Sequence[Outcome]) -> str:
    """One line for people: how many are good, and who is not, by cause."""
    bad: dict[str, list[str]] = {}
    for outcome in outcomes:
        if not outcome.result.ok:
            bad.setdefault(outcome.result.cause, []).append(outcome.target.name)
    good = len(outcomes) - sum(map(len, bad.values()))
    begin = f"{good:,} of {len(outcomes):,} endpoints are ok."
    if not bad:
        return begin
    parts = []
    for word, names in sorted(bad.items(), key=lambda item: -len(item[1])):
        more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
        parts.append(f"{word} {len(names):,} ({', '.join(names[:NAMES_SHOWN])}{more})")
    return f"{begin} To repair: {'; '.join(parts)}."


def _by_certificate(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        digest = outcome.result.facts.thumbprint_sha256
        if digest:
            found.setdefault(digest, []).append(outcome)
    return found


def _shared(outcome: Outcome, names: list[str]) -> ClientError:
    others = [name for name in names if name != outcome.target.name]
    shown = ", ".join(others[:NAMES_SHOWN]) + (
        f" and {len(others) - NAMES_SHOWN:,} more" if len(others) > NAMES_SHOWN else ""
    )
    return ClientError(
        "shared_identity",
        f"{outcome.target.endpoint} presents certificate {outcome.result.facts.thumbprint}, and so does {shown}.",
        also=("tls_intercepted", "tls_offloaded"),
    )


def _is_name(host: str) -> bool:
    return ":" not in host and not host.replace(".", "").isdigit()


def _possible(concurrency: int) -> int:
    """As many at once as the open files of this process allow; its own limit is raised where the system lets it."""
    wanted = min(concurrency, MAX_CONCURRENCY) * FILES_EACH + FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        wanted = soft
    return max((wanted - FILES_BESIDE) // FILES_EACH, 1)
