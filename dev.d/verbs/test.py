"""Everything that must hold, with a table at the end: lint, types, tests, sanity, docs, hosts, demo.

`./dev test VERB...` runs only those.  Output of each part: .dev/log/.  With CI=true a part that is skipped has failed.
"""

from __future__ import annotations

import importlib
import time

import environments
import steps

PARTS = (
    *("lint", "types", "unit", "vectors", "e2e", "faults"),
    *("docs", "sanity", "galaxy", "integration", "cloud", "molecule", "fuzz", "chaos", "soak", "demo"),
)

# These run beside the others.
BESIDE = ("unit agent", "sanity", "molecule")


def main(arguments: list[str]) -> int:
    unknown = [verb for verb in arguments if verb not in PARTS]
    if unknown:
        raise steps.Failed(f"no part {', '.join(unknown)}: choose from {' '.join(PARTS)}")
    began = time.monotonic()
    environments.prepare("test")
    todo: list[steps.Step] = []
    for verb in arguments or PARTS:
        todo += importlib.import_module(f"verbs.{verb}").parts([])
    beside = [step for step in todo if step.name.startswith(BESIDE)]
    outcomes = steps.run_in_two_lanes([step for step in todo if step not in beside], beside)
    steps.table(outcomes, time.monotonic() - began)
    return int(any(outcome.word == "failed" for outcome in outcomes))
