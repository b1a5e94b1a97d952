"""ansible-test on a copy of the tree, without reaching for anything but the package index.

ansible-test fetches a pip bootstrap script for its own environments from a server of the Ansible project.  It looks
into its cache first, so a stand-in goes there that installs the pip which ansible-test wants from the package index.
Its home directory is `.dev/home`: nothing is left in the user's.
"""

from __future__ import annotations

import pathlib
import shutil

import environments
import machine
import steps
import tree

# ansible-core, and the Pythons that its controller side runs on; the first one here is taken.
CORES = {"2.19": ("3.11", "3.12", "3.13"), "2.20": ("3.12", "3.13"), "2.21": ("3.13", "3.12")}

HOME = machine.PLACE / "home"

_WANTED_PIPS = """
import inspect, re
import ansible_test._internal.python_requirements as requirements
source = inspect.getsource(requirements)
print(*sorted(set(re.findall(r"pip['\\"]?\\s*[:=]+\\s*['\\"]([0-9]+\\.[0-9.]+)['\\"]", source))))
"""

_STAND_IN = """\
import os, runpy, sys
wheel = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip-{version}-py3-none-any.whl")
options = [o for o in sys.argv[1:] if o not in ("--no-setuptools", "--no-wheel") and not o.startswith("pip==")]
sys.path.insert(0, wheel)
sys.argv = ["pip", "install", "--upgrade", *options, wheel]
runpy.run_module("pip", run_name="__main__")
"""


def controller(core: str) -> tuple[str, pathlib.Path]:
    """The Python to run this ansible-core with.  Raises Skipped where there is none."""
    for version in CORES[core]:
        if version in machine.pythons():
            return version, machine.pythons()[version]
    raise steps.Skipped(f"ansible-core {core} needs Python {' or '.join(CORES[core])}, none of them here")


def environment(core: str) -> environments.Environment:
    """The environment of this ansible-core, made where it is not there.  Raises Skipped where no Python runs it."""
    return environments.prepare(f"core-{core}", python=controller(core)[1])


def run(log: steps.Run, core: str, command: list[str], purpose: str) -> str:
    """Run `ansible-test COMMAND...` of one ansible-core over a fresh copy; returns its output."""
    version, _python = controller(core)
    made = environment(core)
    _put_pip_stand_ins(log, made)
    copy = tree.copy(purpose)
    variables = made.variables(HOME=str(HOME), TERM="dumb")
    # No settings of ours; and compiled files are written, since warnings of a second compilation fail a test.
    for name in ("ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_HOME", "PYTHONDONTWRITEBYTECODE"):
        del variables[name]
    variables["PATH"] = _search_path(made, variables["PATH"])
    log.say(f"ansible-core {core} on Python {version}; Pythons here: {', '.join(machine.pythons())}")
    try:
        return log.call([made.tool("ansible-test"), *command], environment=variables, folder=copy)
    finally:
        shutil.rmtree(copy / "tests" / "output" / ".tmp", ignore_errors=True)


def _search_path(environment: environments.Environment, path: str) -> str:
    """ansible-test looks for Pythons by name: every real one, and no pyenv shim, which fails for those not chosen."""
    folders = [folder for folder in path.split(":") if "/shims" not in folder]
    return ":".join(
        [str(environment.path / "bin"), *(str(python.parent) for python in machine.pythons().values()), *folders]
    )


def _put_pip_stand_ins(log: steps.Run, environment: environments.Environment) -> None:
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    variables = environment.variables()
    for version in log.call([environment.python, "-c", _WANTED_PIPS], environment=variables).split():
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        if not script.exists():
            pip = [environment.python, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
            log.call([*pip, "-d", cache, f"pip=={version}"], environment=variables)
            script.write_text(_STAND_IN.format(version=version))
