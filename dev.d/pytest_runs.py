"""pytest in one of our environments."""

from __future__ import annotations

from collections.abc import Sequence

import environments
import machine
import steps


def run(log: steps.Run, environment: environments.Environment, arguments: Sequence[str]) -> None:
    """Run pytest; its closing line becomes the step's remark.  In CI a skipped test has failed."""
    for argument in arguments:
        path = argument.split("::")[0]
        if path.startswith("tests/") and not (machine.ROOT / path).exists():
            raise steps.Failed(f"there is no {path}")
    command = [environment.python, "-m", "pytest", "-q", "-rs", *arguments]
    output = log.call(command, environment=environment.variables())
    lines = [line for line in output.splitlines() if line.strip()]
    log.remark = lines[-1].strip("= ") if lines else ""
    if machine.is_ci() and " skipped" in log.remark:
        raise steps.Failed(f"tests were skipped, which CI does not allow: {log.remark}")
