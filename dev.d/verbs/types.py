"""mypy --strict over the agent, what it shares with the modules, and this tool."""

from __future__ import annotations

import environments
import machine
import steps


def parts(arguments: list[str]) -> list[steps.Step]:
    def agent(log: steps.Run) -> None:
        environment = environments.prepare("test")
        command = [environment.tool("mypy"), *(arguments or ["plugins/module_utils", "files/agent/tentacle_agent"])]
        log.call(command, environment=environment.variables())

    def tool(log: steps.Run) -> None:
        environment = environments.prepare("test")
        variables = environment.variables(MYPYPATH=str(machine.ROOT / "dev.d"))
        command = [environment.tool("mypy"), "--config-file=", "--strict", "--explicit-package-bases"]
        command += ["--cache-dir=.dev/mypy-dev", "dev.d"]
        log.call(command, environment=variables)

    return [steps.Step("types", agent), *([] if arguments else [steps.Step("types of ./dev", tool)])]
