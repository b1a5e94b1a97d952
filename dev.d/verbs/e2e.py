"""A live agent in a process of its own, and our client, over loopback.

The recorded conversations are replayed by `./dev vectors`.
Arguments go to pytest: `./dev e2e tests/e2e/test_files.py -k parallel`.
"""

from __future__ import annotations

import environments
import machine
import pytest_runs
import steps

# What needs no Ansible and speaks to the agent at its closest.
WITHOUT_ANSIBLE = [
    f"tests/e2e/test_{name}.py"
    for name in ("listener", "strangers", "reload", "start_and_stop", "files", "scripts", "replay", "client")
]


def parts(arguments: list[str]) -> list[steps.Step]:
    def here(log: steps.Run) -> None:
        machine.require("openssl", "curl")
        pytest_runs.run(
            log, environments.prepare("test"), arguments or ["tests/e2e", "--ignore=tests/e2e/test_replay.py"]
        )

    def distribution(log: steps.Run) -> None:
        """The agent on the distribution's Python and pyOpenSSL, which are older than those of our environments."""
        python = machine.distribution_python()
        environment = environments.prepare("agent-distribution", python=python, system_packages=True)
        pytest_runs.run(log, environment, WITHOUT_ANSIBLE)

    return [steps.Step("e2e", here), *([] if arguments else [steps.Step("e2e distribution", distribution)])]
