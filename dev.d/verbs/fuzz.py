"""Damaged conversations against core and live agent: an event, a protocol error or a close, whatever comes.

`./dev fuzz N` feeds N inputs (100,000 without N) to the core and N/1000 to an agent; `./dev fuzz --help` says more.
"""

from __future__ import annotations

import subprocess

import environments
import machine
import steps

# What `./dev test` runs: some 20 seconds.
SHORT = ("100000", "--live", "600")


def main(arguments: list[str]) -> int:
    command, variables = _command(arguments)
    return subprocess.run(command, cwd=machine.ROOT, env=variables, check=False).returncode


def parts(arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        command, variables = _command(arguments or list(SHORT))
        output = log.call(command, environment=variables)
        log.remark = next((line for line in output.splitlines() if line.startswith("core: ")), "")[:60]

    return [steps.Step("fuzz", run)]


def _command(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    environment = environments.prepare("test")
    return [str(environment.python), "-m", "fuzz", *arguments], environment.variables(
        PYTHONPATH=machine.path_of_tests(), PYTHONUNBUFFERED="1"
    )
