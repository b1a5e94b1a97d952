"""Mixed load on an agent for MINUTES (30): memory, descriptors, threads and log stay level, over a midnight too."""

from __future__ import annotations

import subprocess

import environments
import machine
import steps

# What `./dev test` runs.
SHORT = ("0.5",)


def main(arguments: list[str]) -> int:
    command, variables = _command(arguments)
    return subprocess.run(command, cwd=machine.ROOT, env=variables, check=False).returncode


def parts(arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        command, variables = _command(arguments or list(SHORT))
        log.remark = log.call(command, environment=variables).strip().splitlines()[-1]

    return [steps.Step("soak", run)]


def _command(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    environment = environments.prepare("test")
    command = [str(environment.python), "-m", "soak", *arguments]
    return command, environment.variables(PYTHONPATH=machine.path_of_tests(), PYTHONUNBUFFERED="1")
