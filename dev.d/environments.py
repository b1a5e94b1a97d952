"""Virtual environments from hashed lock files, below `.dev/`, made again when the lock file changes."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

import machine
import steps


@dataclasses.dataclass(frozen=True)
class Environment:
    """An environment that is there: where it lies and how to call what is in it."""

    path: pathlib.Path

    @property
    def python(self) -> pathlib.Path:
        return self.path / "bin" / "python"

    def tool(self, name: str) -> pathlib.Path:
        return self.path / "bin" / name

    def variables(self, **more: str) -> dict[str, str]:
        """A command's surroundings: this environment first, nothing of the caller's Python, our collection."""
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "ANSIBLE_"))}
        variables["PATH"] = os.pathsep.join(
            [str(self.path / "bin"), variables.get("PATH", os.defpath), "/usr/sbin", "/sbin"]
        )
        variables["VIRTUAL_ENV"] = str(self.path)
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        variables["LC_ALL"] = "C.UTF-8"
        variables["ANSIBLE_CONFIG"] = str(machine.ROOT / "ansible.cfg")
        variables["ANSIBLE_HOME"] = str(machine.PLACE / "ansible")
        variables["ANSIBLE_COLLECTIONS_PATH"] = str(collections_path())
        variables.update(more)
        return variables


def collections_path() -> pathlib.Path:
    """The directory that makes the checkout answer to `listening.tentacle`: a link below `.dev/collections`."""
    path = machine.PLACE / "collections"
    link = path / "ansible_collections" / "listening" / "tentacle"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(machine.ROOT, link.parent))
    return path


def prepare(
    name: str,
    lock: str | None = None,
    python: pathlib.Path | None = None,
    system_packages: bool = False,
) -> Environment:
    """The environment `.dev/<name>` with what `requirements/<lock>.txt` pins; made now unless it is there and right.

    Raises MissingPrerequisiteError where Python cannot make environments, Failed where pip could not install.
    """
    source = python or pathlib.Path(sys.executable)
    file = machine.ROOT / "requirements" / f"{lock or name}.txt"
    version = subprocess.run([source, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    stamp = hashlib.sha256(file.read_bytes() + f"{version} {source} {system_packages}".encode()).hexdigest()
    environment = Environment(machine.PLACE / name)
    mark = environment.path / "made-from.sha256"
    machine.PLACE.mkdir(exist_ok=True)
    with _alone(name):
        if mark.exists() and mark.read_text() == stamp:
            return environment
        _make(environment, source, version, file, system_packages)
        mark.write_text(stamp)
    return environment


def _make(
    environment: Environment, source: pathlib.Path, version: str, file: pathlib.Path, system_packages: bool
) -> None:
    _can_make_environments(source, version)
    shutil.rmtree(environment.path, ignore_errors=True)
    title = f"making .dev/{environment.path.name} ({version}, {file.relative_to(machine.ROOT)})"
    print(title, flush=True)
    run = steps.Run(f"environment-{environment.path.name}", quiet=True)
    # pip's own configuration (certificates, mirrors) holds; Python's variables would lead it into other trees.
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    variables |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    system = ["--system-site-packages"] if system_packages else []
    try:
        with steps.Progress(title) as run.progress:
            run.call([source, "-m", "venv", *system, environment.path], environment=variables)
            pip = [environment.python, "-m", "pip", "install", "--require-hashes", "--no-deps", "-r", file]
            run.call(pip, environment=variables)
    except steps.Failed as failure:
        steps.show_end_of(run.path, 15)
        raise steps.Failed(f"could not make .dev/{environment.path.name}: {failure}") from None
    finally:
        run.close()


def _can_make_environments(source: pathlib.Path, version: str) -> None:
    result = subprocess.run([source, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    if result.returncode:
        package = "python3-venv" if source == pathlib.Path(shutil.which("python3") or "") else ""
        package = package or f"python{version.split()[1].rpartition('.')[0]}-venv"
        raise machine.MissingPrerequisiteError(f"{version} cannot make environments (apt-get install {package})")


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Two verbs at once make an environment once."""
    with (machine.PLACE / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
