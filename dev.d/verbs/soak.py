"""Mixed load on an agent for MINUTES (30): memory, descriptors, threads and log stay level, over a midnight too."""

from __future__ import annotations

import steps
import test_programs

# What `./dev test` runs.
SHORT = ("0.5",)


def main(arguments: list[str]) -> int:
    return test_programs.show("soak", arguments)


def parts(arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        log.remark = test_programs.run(log, "soak", arguments or SHORT)[-1]

    return [steps.Step("soak", run)]
