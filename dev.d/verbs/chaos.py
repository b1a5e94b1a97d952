"""Agents killed, on full disks, under a jumping clock, among strangers: does everything hold that was promised?

`./dev chaos N` kills N times (500 without N) and runs the other scenarios in proportion. `--only NAME` chooses:
kills, configuration, replays, disk_full, read_only_home, clock, refusals, strangers. `--seed S` repeats a choice.
"""

from __future__ import annotations

import subprocess

import environments
import machine
import steps

# What `./dev test` runs: below a minute. Latency is measured there, but not judged.
SHORT = ("25",)


def main(arguments: list[str]) -> int:
    command, variables = _command(arguments)
    return subprocess.run(command, cwd=machine.ROOT, env=variables, check=False).returncode


def parts(arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        command, variables = _command(arguments or list(SHORT))
        log.remark = log.call(command, environment=variables).strip().splitlines()[-1]

    return [steps.Step("chaos", run)]


def _command(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    environment = environments.prepare("test")
    command = [str(environment.python), "-m", "chaos", *arguments]
    return command, environment.variables(PYTHONPATH=machine.path_of_tests(), PYTHONUNBUFFERED="1")
