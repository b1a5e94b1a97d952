"""Unit tests: all of them here; the agent's and the core's also on Python 3.9 to 3.13 without Ansible.

Arguments go to pytest and run on this Python alone: `./dev unit tests/unit/agent -k masking`.
"""

from __future__ import annotations

from collections.abc import Callable

import environments
import machine
import pytest_runs
import steps

# What runs without Ansible.
AGENT_TESTS = ("tests/unit/agent", "tests/unit/plugins/module_utils")


def parts(arguments: list[str]) -> list[steps.Step]:
    def here(log: steps.Run) -> None:
        environment = environments.prepare("test")
        pytest_runs.run(log, environment, arguments or ["tests/unit"])

    if arguments:
        return [steps.Step("unit", here)]
    others = [steps.Step(f"unit agent {version}", _on(version)) for version in machine.AGENT_PYTHONS]
    return [steps.Step("unit", here), *others, steps.Step("unit agent distribution", _on_distribution)]


def _on(version: str) -> Callable[[steps.Run], None]:
    def run(log: steps.Run) -> None:
        python = machine.pythons().get(version)
        if python is None:
            raise steps.Skipped(f"no Python {version} here")
        pytest_runs.run(log, environments.prepare(f"agent-{version}", "agent", python), AGENT_TESTS)

    return run


def _on_distribution(log: steps.Run) -> None:
    """The distribution's Python with its own pyOpenSSL, as on most targets."""
    python = machine.distribution_python()
    environment = environments.prepare("agent-distribution", python=python, system_packages=True)
    pytest_runs.run(log, environment, AGENT_TESTS)
