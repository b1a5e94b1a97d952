"""What this machine has: Pythons, commands, rights."""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLACE = ROOT / ".dev"  # everything that the verbs make lies here

AGENT_PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")

_APT_PACKAGES = {  # commands whose package has another name
    "chromium": "chromium",
    "curl": "curl",
    "git": "git",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "openssl": "openssl",
    "shellcheck": "shellcheck",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
}


def path_of_tests() -> str:
    """PYTHONPATH for the drivers in `tests/` that are no pytest: the agent's two halves, what e2e tests share."""
    return os.pathsep.join(str(ROOT / part) for part in ("tests", "files/agent", "plugins", "tests/e2e"))


class MissingPrerequisiteError(Exception):
    """Something must be installed first; the text names it and the line that installs it."""


def is_root() -> bool:
    return os.geteuid() == 0


def is_ci() -> bool:
    """In CI everything must run: a part that is skipped has failed."""
    return os.environ.get("CI", "").lower() == "true"


def missing(*commands: str) -> str | None:
    """A sentence that names the commands which are not installed and the apt line that installs them, or None."""
    absent = [command for command in commands if find(command) is None]
    if not absent:
        return None
    packages = sorted({_APT_PACKAGES.get(command, command) for command in absent})
    return f"no {', '.join(absent)} here (apt-get install {' '.join(packages)})"


def require(*commands: str) -> None:
    """Raises MissingPrerequisiteError unless all commands are installed."""
    sentence = missing(*commands)
    if sentence:
        raise MissingPrerequisiteError(sentence)


def find(command: str) -> str | None:
    """Like shutil.which, but also where only root's PATH leads."""
    return shutil.which(command) or shutil.which(command, path="/usr/sbin:/sbin:/usr/local/sbin")


@functools.cache
def pythons() -> dict[str, pathlib.Path]:
    """Every CPython here by its "3.X": on the PATH, the system's and those of pyenv."""
    candidates = [pathlib.Path(sys.executable)]
    for minor in range(9, 16):
        for path in (shutil.which(f"python3.{minor}"), f"/usr/bin/python3.{minor}"):
            if path:
                candidates.append(pathlib.Path(path))
        pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
        candidates += sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python3.{minor}"), reverse=True)
    found: dict[str, pathlib.Path] = {}
    for candidate in candidates:
        version = _version_of(candidate)
        if version and version not in found:
            found[version] = candidate
    return found


def _version_of(python: pathlib.Path) -> str | None:
    """ "3.X" of a Python that works and can make environments; pyenv's shims for versions not chosen do not."""
    try:
        result = subprocess.run(
            [python, "-c", "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def distribution_python() -> pathlib.Path:
    """The distribution's own Python, if it has pyOpenSSL.  Raises MissingPrerequisiteError."""
    python = pathlib.Path("/usr/bin/python3")
    if not python.exists():
        raise MissingPrerequisiteError("no /usr/bin/python3 here (apt-get install python3)")
    if subprocess.run([python, "-c", "import OpenSSL"], capture_output=True, check=False).returncode:
        raise MissingPrerequisiteError("the distribution's Python has no pyOpenSSL (apt-get install python3-openssl)")
    if _version_of(python) is None:
        raise MissingPrerequisiteError("the distribution's Python makes no environments (apt-get install python3-venv)")
    return python
