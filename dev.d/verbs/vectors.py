"""Recorded conversations of two .NET peers: every one decodes, re-encodes to the same bytes, and replays."""

from __future__ import annotations

import environments
import pytest_runs
import steps


def parts(arguments: list[str]) -> list[steps.Step]:
    def check(log: steps.Run) -> None:
        environment = environments.prepare("test")
        output = log.call([environment.python, "tests/vectors/check.py"], environment=environment.variables())
        log.remark = output.strip().splitlines()[-1]

    def replay(log: steps.Run) -> None:
        environment = environments.prepare("test")
        pytest_runs.run(log, environment, ["tests/e2e/test_replay.py", "-s", *arguments])

    return [steps.Step("vectors check", check), steps.Step("vectors replay", replay)]
