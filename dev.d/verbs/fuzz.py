"""Damaged conversations against core and live agent: an event, a protocol error or a close, whatever comes.

`./dev fuzz N` feeds N inputs (100,000 without N) to the core and N/1000 to an agent; `./dev fuzz --help` says more.
"""

from __future__ import annotations

import steps
import test_programs

# What `./dev test` runs: some 20 seconds.
SHORT = ("100000", "--live", "600")


def main(arguments: list[str]) -> int:
    return test_programs.show("fuzz", arguments)


def parts(arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        printed = test_programs.run(log, "fuzz", arguments or SHORT)
        log.remark = next((line for line in printed if line.startswith("core: ")), "")[:60]

    return [steps.Step("fuzz", run)]
