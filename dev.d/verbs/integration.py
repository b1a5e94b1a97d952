"""tests/integration/targets by ansible-test on this machine: they touch temporary directories and loopback only.

Arguments go to ansible-test: `./dev integration tentacle_verify`.
"""

from __future__ import annotations

import re

import ansible_test
import machine
import steps

# Targets call themselves destructive, since they run as this user on this machine; what they touch is theirs.
_OPTIONS = ("--local", "--allow-destructive", "--color", "no")


def parts(arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        targets = sorted(path.parent.name for path in machine.ROOT.glob("tests/integration/targets/tentacle_*/aliases"))
        core = next(core for core in ansible_test.CORES if set(ansible_test.CORES[core]) & set(machine.pythons()))
        output = ansible_test.run(log, core, ["integration", *_OPTIONS, *arguments], "integration")
        ran = set(re.findall(r"^Running (\S+) integration test role", output, re.MULTILINE))
        left_out = sorted(set(arguments or targets) - ran)
        if left_out:
            raise steps.Failed(f"ansible-test left out {', '.join(left_out)}")
        log.remark = f"{len(ran)} targets"

    return [steps.Step("integration", run)]
