# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What `tentacle_verify` does with a list of endpoints: options checked, all rounds run, the results put together."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Callable

from ._client.errors import ClientError
from ._halibut import thumbprint
from ._verify import fleet, summary
from ._verify.causes import CAUSES
from ._verify.steps import Options

REPORT_SECONDS = 2.0  # shortest time between two lines of progress
REPORT_SHARE = 0.05  # a line for each twentieth of the time so far: a long run must not print a page

Say = Callable[[str], None]


def check_fleet(parameters: dict[str, Any], options: Options, say: Say) -> dict[str, Any]:
    """The facts of a fleet, the same keys always; ClientError (invalid_input) before anything is checked."""
    targets = fleet.targets(parameters["endpoints"], parameters["port"])
    allowed = _thumbprints(parameters["allowed_shared_thumbprints"])
    concurrency = parameters["concurrency"]
    if not 0 < concurrency <= fleet.MAX_CONCURRENCY:
        raise ClientError(
            "invalid_input", f"A concurrency of {concurrency}: a number from 1 to {fleet.MAX_CONCURRENCY} is expected."
        )
    begin, checked_at = time.monotonic(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    results = fleet.check_all(targets, options, concurrency, Progress(len(targets), say).watch)
    for _dummy in range(parameters["retries"]):
        left = sum(result["cause"] != "ok" for result in results)
        if not left:
            break
        time.sleep(parameters["delay"])
        fleet.check_again(targets, results, options, concurrency, Progress(left, say).watch)
    shared = summary.find_shared(results, allowed)
    totals = summary.totals(results)
    word = next(iter(totals["causes"]), "ok")
    return {
        "cause": word,
        "side": CAUSES[word].side,
        "msg": summary.sentence(results),
        "totals": totals,
        "shared_identities": shared,
        "allowed_shared_thumbprints": allowed,
        "certificates": summary.certificates(results),
        "results": results,
        "checked_at": checked_at,
        "seconds": round(time.monotonic() - begin, 3),
    }


class Progress:
    """Says how far a run is, less and less often the longer it takes."""

    def __init__(self, total: int, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._say = say
        self._clock = clock
        self._begin = self._last = clock()

    def watch(self, done: int, causes: Counter[str]) -> None:
        """Take note of where the run is, and say it when it is time."""
        now = self._clock()
        elapsed = now - self._begin
        if now - self._last < max(REPORT_SECONDS, elapsed * REPORT_SHARE):
            return
        self._last = now
        bad = [f"{word} {count:,}" for word, count in causes.most_common() if word != "ok"]
        found = f"; to repair so far: {', '.join(bad)}" if bad else ""
        self._say(f"{done:,} of {self._total:,} endpoints checked in {elapsed:.0f} s{found}")


def _thumbprints(texts: list[str]) -> list[str]:
    try:
        return [thumbprint.normalise(text) for text in texts]
    except ValueError as error:
        raise ClientError("invalid_input", f"allowed_shared_thumbprints: {error}") from error
