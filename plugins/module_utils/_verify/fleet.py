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
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from .._client.endpoint import Endpoint, endpoint
from .._client.errors import ClientError
from .result import Result
from .steps import DEFAULT_CONCURRENCY, Options, verify
from .summary import FleetResult

MAX_CONCURRENCY = 2000  # each is a thread
MAX_ENDPOINTS = 100_000
STACK_BYTES = 512 * 1024
FILES_EACH = 8  # sockets and selectors of one check, with room for names of several addresses
FILES_BESIDE = 64  # what the program itself has open
WATCH_SECONDS = 1.0
TICK_SECONDS = 0.02  # how often it is judged whether there is time left
BUSY_SHARE = 0.8  # of one processor: a process that works more than this has no time left
FEW, FEW_MORE, STEPS = 16, 8, 25  # under way always; begun in a tick at least; ticks until the limit is reached


class Target(NamedTuple):
    """An endpoint and what people call it."""

    name: str
    endpoint: Endpoint


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
) -> list[FleetResult]:
    """Check every target once. `watch` is called about every second, from this thread."""
    results: dict[int, FleetResult] = {}
    causes: Counter[str] = Counter()
    waiting = deque(sorted(range(len(wanted)), key=lambda number: _is_name(wanted[number].endpoint.host)))
    under_way: dict[Future[FleetResult], int] = {}
    finished: SimpleQueue[Future[FleetResult]] = SimpleQueue()
    pace = Pace(_possible(concurrency))
    watched = time.monotonic()
    before = threading.stack_size(STACK_BYTES)
    pool = ThreadPoolExecutor(pace.limit, "check")
    try:
        while waiting or under_way:
            for _dummy in range(min(pace.more(len(under_way)), len(waiting))):
                number = waiting.popleft()
                begun = pool.submit(_check, wanted[number], options)
                under_way[begun] = number
                begun.add_done_callback(finished.put)
            future = _next(finished)
            if future is not None:
                number = under_way.pop(future)
                results[number] = future.result()
                causes[results[number]["cause"]] += 1
            if watch is not None and time.monotonic() - watched >= WATCH_SECONDS:
                watched = time.monotonic()
                watch(len(results), causes)
    finally:
        pool.shutdown(cancel_futures=True)
        threading.stack_size(before)
    return [results[number] for number in range(len(wanted))]


def _next(finished: SimpleQueue[Future[FleetResult]]) -> Future[FleetResult] | None:
    """The next check that ended; None where none did for a while."""
    try:
        return finished.get(timeout=TICK_SECONDS)
    except Empty:
        return None


class Pace:
    """How many checks to begin: a few always, and more only while this process has time left.

    Checks that wait cost nothing and may be many. Checks that work are best few: with more threads than that, the same
    work takes half as much time again, because they wait for the interpreter's lock and for each other's caches.
    """

    def __init__(
        self,
        limit: int,
        clock: Callable[[], float] = time.monotonic,
        worked: Callable[[], float] = time.process_time,
    ) -> None:
        self.limit = limit
        self._clock, self._worked = clock, worked
        self._at, self._work = clock(), worked()

    def more(self, under_way: int) -> int:
        """How many may begin now, when so many are under way."""
        if under_way < FEW:
            return min(FEW, self.limit) - under_way
        now = self._clock()
        if now - self._at < TICK_SECONDS:
            return 0
        work = self._worked()
        share = (work - self._work) / (now - self._at)
        self._at, self._work = now, work
        return min(max(self.limit // STEPS, FEW_MORE), self.limit - under_way) if share < BUSY_SHARE else 0


def check_again(
    wanted: Sequence[Target],
    results: list[FleetResult],
    options: Options,
    concurrency: int = DEFAULT_CONCURRENCY,
    watch: Watch | None = None,
) -> None:
    """Check those once more whose results are not `ok`, and replace these."""
    failed = [number for number, result in enumerate(results) if result["cause"] != "ok"]
    again = check_all([wanted[number] for number in failed], options, concurrency, watch)
    for number, result in zip(failed, again):
        results[number] = {**result, "attempts": results[number]["attempts"] + 1}


def named(target: Target, result: Result) -> FleetResult:
    """A check's result with what only one of many has (`evidence_alone`: see `summary.find_shared`)."""
    return {"name": target.name, "attempts": 1, "evidence_alone": None, **result.as_dict()}


def _check(target: Target, options: Options) -> FleetResult:
    return named(target, verify(target.endpoint, options))


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
