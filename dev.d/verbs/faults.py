"""Every fault that can be made here, made for real and named by the diagnosis: `./dev faults [--json FILE] [NAME...]`.

Network namespaces without root, each without a way out; the confusion matrix at the end must be diagonal.
"""

from __future__ import annotations

import environments
import machine
import steps


def parts(arguments: list[str]) -> list[steps.Step]:
    def make(log: steps.Run) -> None:
        machine.require("ip", "nft")
        environment = environments.prepare("test")
        command = [environment.python, "tests/faults", *arguments]
        output = log.call(command, environment=environment.variables(), allowed=(0,))
        log.remark = output.strip().splitlines()[-1]

    return [steps.Step("faults", make)]
