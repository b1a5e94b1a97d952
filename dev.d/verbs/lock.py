"""Write requirements/*.txt anew from requirements/*.in: newest versions, with hashes of every platform's files."""

from __future__ import annotations

import environments
import machine
import steps

_OLDEST_PYTHON = {"agent": "3.9", "agent-distribution": "3.9", "core-2.20": "3.12", "core-2.21": "3.12"}
_HEAD = "# Written by `./dev lock` from {name}.in: change that, not this.\n"


def parts(arguments: list[str]) -> list[steps.Step]:
    """With names (`./dev lock demo test`) only those."""
    folder = machine.ROOT / "requirements"
    names = arguments or sorted(path.stem for path in folder.glob("*.in"))

    def run(log: steps.Run) -> None:
        environment = environments.prepare("lock")
        for name in names:
            target = folder / f"{name}.txt"
            oldest = _OLDEST_PYTHON.get(name, "3.11")
            command = [environment.tool("uv"), "pip", "compile", "--quiet", "--universal", "--upgrade"]
            command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-config"]
            command += ["--python-version", oldest, "--output-file", target, folder / f"{name}.in"]
            log.call(command, environment=environment.variables())
            target.write_text(_HEAD.format(name=name) + target.read_text())

    return [steps.Step("lock", run)]
