"""ansible-test sanity of ansible-core 2.19, 2.20 and 2.21, on every Python here, without ignore files.

Arguments go to ansible-test, after the ansible-core if one is enough: `./dev sanity 2.21 --test validate-modules`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import ansible_test
import machine
import steps

# Nothing that the collection has to do with, or not to be had: PowerShell (there are no PowerShell files) and Pythons
# older than the oldest or newer than the newest that the agent supports.
_MAY_BE_SKIPPED = re.compile(r"pwsh|pslint|Python (2\.7|3\.[5-8]|3\.1[4-9])\b|python3\.(8|1[4-9])\b")


def parts(arguments: list[str]) -> list[steps.Step]:
    cores = [argument for argument in arguments if argument in ansible_test.CORES] or list(ansible_test.CORES)
    others = [argument for argument in arguments if argument not in ansible_test.CORES]
    return [steps.Step(f"sanity {core}", _with(core, others)) for core in cores]


def _with(core: str, arguments: list[str]) -> Callable[[steps.Run], None]:
    def run(log: steps.Run) -> None:
        output = ansible_test.run(log, core, ["sanity", "--venv", "--color", "no", *arguments], f"sanity-{core}")
        warnings = [line for line in output.splitlines() if line.startswith("WARNING") or "kipping" in line]
        left_out = [line for line in warnings if "kipping" in line or "not found" in line or "not available" in line]
        serious = [line for line in left_out if not _MAY_BE_SKIPPED.search(line)]
        log.remark = f"{len(re.findall(r'^Running sanity test', output, re.MULTILINE))} runs of tests"
        if serious and machine.is_ci():
            raise steps.Failed("left out: " + "; ".join(serious))
        if serious:
            log.remark += f", {len(serious)} left out (see log)"

    return run
