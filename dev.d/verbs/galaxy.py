"""Build the collection, install it into an empty path, use it from there; Galaxy's importer over the build."""

from __future__ import annotations

import json
import shutil
import tarfile

import environments
import machine
import steps
import tree

_MUST_HOLD = (
    "files/agent/tentacle_agent/__main__.py",
    "plugins/module_utils/_halibut/connection.py",
    "plugins/modules/tentacle_verify.py",
    "roles/tentacle/tasks/main.yml",
    "COPYING",
    "LICENSES/BSD-2-Clause.txt",
)
# Galaxy asks for the address of the sources, and there is no public one yet.
_REPOSITORY = "repository: https://example.org/listening/tentacle\n"
_IMPORTER = """\
[galaxy-importer]
RUN_ANSIBLE_TEST = False
RUN_ANSIBLE_LINT = False
RUN_FLAKE8 = False
LOG_LEVEL_MAIN = INFO
OFFLINE_ANSIBLE_LINT = True
"""


def parts(arguments: list[str]) -> list[steps.Step]:
    return [steps.Step("galaxy install", _install), steps.Step("galaxy importer", _import)]


def _build(log: steps.Run, environment: environments.Environment, purpose: str, metadata: str = "") -> str:
    """The path of a fresh archive; `metadata` is added to the copy's galaxy.yml."""
    copy = tree.copy(purpose)
    with (copy / "galaxy.yml").open("a") as file:
        file.write(metadata)
    output = machine.PLACE / f"build-{purpose}"
    shutil.rmtree(output, ignore_errors=True)
    command = [environment.tool("ansible-galaxy"), "collection", "build", "--output-path", output, copy]
    log.call(command, environment=environment.variables())
    return str(next(output.glob("listening-tentacle-*.tar.gz")))


def _install(log: steps.Run) -> None:
    environment = environments.prepare("demo")
    archive = _build(log, environment, "install")
    with tarfile.open(archive) as tar:
        names = set(tar.getnames())
    absent = [name for name in _MUST_HOLD if name not in names]
    if absent:
        raise steps.Failed(f"the build lacks {', '.join(absent)}")
    place = machine.PLACE / "installed"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    variables = environment.variables(ANSIBLE_COLLECTIONS_PATH=str(place), ANSIBLE_NOCOLOR="1")
    del variables["ANSIBLE_CONFIG"]
    galaxy = environment.tool("ansible-galaxy")
    log.call([galaxy, "collection", "install", "--offline", "-p", place, archive], environment=variables, folder=place)
    log.call([galaxy, "collection", "verify", "--offline", "listening.tentacle"], environment=variables, folder=place)
    # Nobody listens there: the module must say so, by its closed cause word.
    ad_hoc = [environment.tool("ansible"), "localhost", "-m", "listening.tentacle.tentacle_verify"]
    ad_hoc += ["-a", "host=127.0.0.1 port=9 timeout=5"]
    output = log.call(ad_hoc, environment=variables, folder=place, allowed=(2,))
    answer = json.loads(output[output.index("=> {") + 3 : output.rindex("}") + 1])
    if answer.get("cause") != "refused":
        raise steps.Failed(f"tentacle_verify said {answer.get('cause')!r} of a closed port")
    log.remark = f"{len(names)} files; tentacle_verify of a closed port: {answer['cause']}"


def _import(log: steps.Run) -> None:
    environment = environments.prepare("galaxy")
    archive = _build(log, environment, "importer", _REPOSITORY)
    settings = machine.PLACE / "build-importer" / "importer.cfg"
    settings.write_text(_IMPORTER)
    variables = environment.variables(GALAXY_IMPORTER_CONFIG=str(settings))
    del variables["ANSIBLE_CONFIG"]
    command = [environment.python, "-m", "galaxy_importer.main", archive]
    output = log.call(command, environment=variables, folder=settings.parent)
    complaints = [line for line in output.splitlines() if line.startswith(("ERROR", "WARNING"))]
    if complaints:
        raise steps.Failed("; ".join(complaints))
