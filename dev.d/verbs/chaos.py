"""Agents killed, on full disks, under a jumping clock, among strangers: does everything hold that was promised?

`./dev chaos N` kills N times (500 without N) and runs the other scenarios in proportion. `--only NAME` chooses:
kills, configuration, replays, disk_full, read_only_home, clock, refusals, strangers. `--seed S` repeats a choice.
"""

from __future__ import annotations

import steps
import test_programs

# What `./dev test` runs: below a minute. Latency is measured there, but not judged.
SHORT = ("25",)


def main(arguments: list[str]) -> int:
    return test_programs.show("chaos", arguments)


def parts(arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        log.remark = test_programs.run(log, "chaos", arguments or SHORT)[-1]

    return [steps.Step("chaos", run)]
