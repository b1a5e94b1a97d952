"""Three hosts on loopback addresses rolled out, verified and deployed to, in about a minute.

Arguments go to demo/run.py: `--keep` leaves everything running, `--stop` ends it.
"""

from __future__ import annotations

import subprocess

import environments
import machine
import steps


def main(arguments: list[str]) -> int:
    environment = environments.prepare("demo")
    command = [str(environment.python), "demo/run.py", *arguments]
    return subprocess.run(command, cwd=machine.ROOT, env=environment.variables(), check=False).returncode


def parts(arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        environment = environments.prepare("demo")
        log.call(
            [str(environment.python), "demo/run.py", *arguments],
            environment=environment.variables(PYTHONUNBUFFERED="1"),
        )

    return [steps.Step("demo", run)]
