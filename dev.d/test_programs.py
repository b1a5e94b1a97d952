"""Programs below tests/ that are no pytest (fuzz, chaos, soak), in our environment."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import environments
import machine
import steps


def show(name: str, arguments: Sequence[str]) -> int:
    """Run `tests/<name>` on this terminal; its exit status."""
    command, variables = _command(name, arguments)
    return subprocess.run(command, cwd=machine.ROOT, env=variables, check=False).returncode


def run(log: steps.Run, name: str, arguments: Sequence[str]) -> list[str]:
    """Run `tests/<name>` as part of a step; the lines that it printed.  Raises Failed when it does."""
    command, variables = _command(name, arguments)
    return log.call(command, environment=variables).strip().splitlines()


def _command(name: str, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    environment = environments.prepare("test")
    command = [str(environment.python), "-m", name, *arguments]
    return command, environment.variables(PYTHONPATH=machine.path_of_tests(), PYTHONUNBUFFERED="1")
