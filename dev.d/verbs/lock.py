"""Write the lock files anew from requirements/*.in and the role's: newest versions, with hashes for every platform."""

from __future__ import annotations

import pathlib

import environments
import machine
import steps

_OLDEST_PYTHON = {
    "agent": "3.9",
    "agent-distribution": "3.9",
    "core-2.20": "3.12",
    "core-2.21": "3.12",
    "wheels": "3.9",
}
_HEAD = "# Written by `./dev lock` from {name}.in: change that, not this.\n"


def sources() -> dict[str, pathlib.Path]:
    """Every list of what is wanted, by its name: for environments of this project, and for those on targets."""
    folders = (machine.ROOT / "requirements", machine.ROOT / "roles" / "tentacle" / "files")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.in"))}


def parts(arguments: list[str]) -> list[steps.Step]:
    """With names (`./dev lock demo test`) only those."""
    known = sources()
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise steps.Failed(f"nothing to lock is called {', '.join(unknown)}: there is {', '.join(known)}")

    def run(log: steps.Run) -> None:
        environment = environments.prepare("lock")
        for name in arguments or known:
            target = known[name].with_suffix(".txt")
            oldest = _OLDEST_PYTHON.get(name, "3.11")
            command = [environment.tool("uv"), "pip", "compile", "--quiet", "--universal", "--upgrade"]
            command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-config"]
            command += ["--python-version", oldest, "--output-file", target, known[name]]
            log.call(command, environment=environment.variables())
            target.write_text(_HEAD.format(name=name) + target.read_text())

    return [steps.Step("lock", run)]
