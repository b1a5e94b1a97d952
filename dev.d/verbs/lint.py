"""ruff, yamllint, shellcheck and ansible-lint (profile production): nothing may be found."""

from __future__ import annotations

import environments
import machine
import steps
import tree


def parts(arguments: list[str]) -> list[steps.Step]:
    def ruff(log: steps.Run) -> None:
        environment = environments.prepare("test")
        log.call(
            [environment.tool("ruff"), "check", "--no-cache", *(arguments or ["."])],
            environment=environment.variables(),
        )

    def yamllint(log: steps.Run) -> None:
        environment = environments.prepare("test")
        log.call([environment.tool("yamllint"), "--strict", "."], environment=environment.variables())

    def shellcheck(log: steps.Run) -> None:
        machine.require("shellcheck")
        log.call(["shellcheck", *tree.shell_scripts()])

    def ansible_lint(log: steps.Run) -> None:
        environment = environments.prepare("test")
        copy = tree.copy("lint")
        # On a copy at .../ansible_collections/listening/tentacle: only there does it see a collection.
        variables = environment.variables(ANSIBLE_COLLECTIONS_PATH=str(tree.collections_path(copy)), NO_COLOR="1")
        del variables["ANSIBLE_CONFIG"]
        log.call([environment.tool("ansible-lint"), "--strict", "-q"], environment=variables, folder=copy)

    return [
        steps.Step("lint ruff", ruff),
        steps.Step("lint yamllint", yamllint),
        steps.Step("lint shellcheck", shellcheck),
        steps.Step("lint ansible-lint", ansible_lint),
    ]
