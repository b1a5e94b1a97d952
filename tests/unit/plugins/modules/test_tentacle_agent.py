# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.module_utils import _agent_python
from ansible_collections.listening.tentacle.plugins.modules import tentacle_agent as module
from ansible_collections.listening.tentacle.plugins.plugin_utils import _bundle

Run = Callable[..., dict[str, Any]]


def run_command(words: list[str]) -> tuple[int, str, str]:
    finished = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return finished.returncode, finished.stdout, finished.stderr


@pytest.fixture(scope="module")
def bundle() -> _bundle.Bundle:
    """A bundle in shape of the real one, which is quicker to compile."""
    data = _bundle._pack(
        {
            "__main__.py": b"from tentacle_agent.__main__ import main\n\nmain()\n",
            "tentacle_agent/__init__.py": b"",
            "tentacle_agent/__main__.py": b"from . import _version\n\n\ndef main():\n    print(_version.VERSION)\n",
            "tentacle_agent/_version.py": b'VERSION = "7.8.9"\n',
        }
    )
    return _bundle.Bundle(data, "7.8.9", hashlib.sha256(data).hexdigest())


@pytest.fixture
def agent(run_module: Run, tmp_path: pathlib.Path, bundle: _bundle.Bundle) -> Run:
    """The module as the action plugin calls it; ``send`` is whether it hands the bundle over."""
    delivered = tmp_path / "delivered.pyz"
    delivered.write_bytes(bundle.data)

    def run(send: bool = True, **options: Any) -> dict[str, Any]:
        given = {"path": str(tmp_path / "programs"), "agent_python": sys.executable, "version": bundle.version}
        given.update({"checksum": bundle.sha256, "bundle": str(delivered) if send else None}, **options)
        return run_module(module, **given)

    return run


def test_installs_a_command_that_runs(agent: Run, tmp_path: pathlib.Path, bundle: _bundle.Bundle) -> None:
    asked = agent(send=False)
    assert (asked["changed"], asked["_bundle_needed"]) == (True, True)
    assert not (tmp_path / "programs").exists()
    made = agent()
    again = agent(send=False)
    assert made["steps"] == asked["steps"] == ["deliver", "unpack", "switch", "command"]
    assert (made["changed"], again["changed"], again["steps"]) == (True, False, [])
    assert made["version"] == again["version"] == bundle.version
    assert made["checksum"] == again["checksum"] == bundle.sha256
    assert made["diff"]["after"] == asked["diff"]["after"] == again["diff"]["before"] == again["diff"]["after"]
    said = subprocess.run([made["executable"], "version"], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == bundle.version


def test_the_directory_is_named_as_a_running_agent_names_it(agent: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    path = tmp_path / "link" / "programs"
    foreseen = agent(send=False, check=True, path=str(path))
    made = agent(path=str(path))
    assert made["path"] == str(path)
    assert foreseen["directory"] == made["directory"] == os.path.realpath(path / "current")
    assert made["directory"].startswith(str((tmp_path / "data").resolve()))
    assert agent(send=False, state="absent", bundle=None, path=str(path))["directory"] is None


def test_check_mode_foresees_and_leaves_no_trace(agent: Run, tmp_path: pathlib.Path) -> None:
    foreseen = agent(send=False, check=True)
    assert foreseen["changed"]
    assert not foreseen["_bundle_needed"]
    assert not (tmp_path / "programs").exists()
    assert foreseen["diff"] == agent()["diff"]
    assert not agent(send=False, check=True)["changed"]


def test_everything_is_readable_for_the_agents_account(agent: Run, tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        agent()
    finally:
        os.umask(before)
    for base, directories, files in os.walk(tmp_path / "programs"):
        for name in directories + files:
            path = os.path.join(base, name)
            if not os.path.islink(path):
                wanted = 0o755 if os.path.isdir(path) or name == "tentacle-agent" else 0o644
                assert os.stat(path).st_mode & 0o777 == wanted, path
    assert (tmp_path / "programs").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("damage", ["source", "bytecode", "link", "command", "bundle", "directory"])
def test_repairs(agent: Run, tmp_path: pathlib.Path, damage: str) -> None:
    programs = tmp_path / "programs"
    agent()
    current = programs / os.readlink(programs / "current")
    if damage == "source":
        (current / "tentacle_agent/__main__.py").write_text("raise SystemExit(9)")
    elif damage == "bytecode":
        next((current / "tentacle_agent/__pycache__").glob("__main__.*")).unlink()
    elif damage == "link":
        (programs / "current").unlink()
    elif damage == "command":
        (programs / "tentacle-agent").chmod(0o644)
    elif damage == "bundle":
        (programs / "tentacle-agent.pyz").write_bytes(b"")
    else:
        current.rename(programs / "elsewhere")
    assert agent(check=True)["changed"]
    assert agent()["changed"]
    again = agent(send=False)
    assert not again["changed"]
    subprocess.run([again["executable"], "version"], capture_output=True, timeout=60, check=True)
    assert not [path.name for path in programs.iterdir() if path.name.startswith(".")]


def test_keeps_one_earlier_version(agent: Run, tmp_path: pathlib.Path, bundle: _bundle.Bundle) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("0.0.1+000000000001", "0.0.2+000000000002"):
        (programs / name).mkdir()
    (programs / "current").symlink_to("0.0.2+000000000002")
    result = agent()
    assert result["previous_version"] == "0.0.2"
    directories = sorted(path.name for path in programs.iterdir() if path.is_dir() and not path.is_symlink())
    assert directories == ["0.0.2+000000000002", f"{bundle.version}+{bundle.sha256[:12]}"]
    assert agent(send=False)["previous_version"] == "0.0.2"


def test_removes_what_is_its_own(agent: Run, tmp_path: pathlib.Path) -> None:
    agent()
    (tmp_path / "programs/notes").write_text("mine")
    foreseen = agent(state="absent", check=True)
    assert foreseen["changed"]
    assert (tmp_path / "programs/tentacle-agent").exists()
    result = agent(state="absent")
    assert (result["version"], result["kept"]) == (None, ["notes"])
    assert [path.name for path in (tmp_path / "programs").iterdir()] == ["notes"]
    (tmp_path / "programs/notes").unlink()
    assert not agent(state="absent")["changed"]


def test_refuses_a_bundle_damaged_on_the_way(agent: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "delivered.pyz").write_bytes(b"half")
    result = agent()
    assert result["cause"] == "bundle_invalid"
    assert not (tmp_path / "programs").exists()


def test_installs_what_was_brought_by_other_means(agent: Run, bundle: _bundle.Bundle) -> None:
    foreseen, made = agent(checksum=None, version=None, check=True), agent(checksum=None, version=None)
    assert foreseen["checksum"] == made["checksum"] == bundle.sha256
    assert not agent(checksum=bundle.sha256.upper(), version=None)["changed"]


def test_refuses_to_work_without_its_action_plugin(agent: Run) -> None:
    assert agent(send=False, checksum=None)["cause"] == "bundle_missing"


def test_names_what_the_python_lacks_before_anything_changes(agent: Run, tmp_path: pathlib.Path) -> None:
    result = agent(agent_python=str(tmp_path / "no-python"))
    assert result["cause"] == "runtime_missing"
    assert str(tmp_path / "no-python") in result["msg"]
    assert not (tmp_path / "programs").exists()
    assert agent(agent_python=str(tmp_path / "no-python"), check=True)["python"]["missing"]


class TestAgentPython:
    def judge(self, executable: str = "/usr/bin/python3", release: Any = None, **answer: Any) -> Any:
        good = {"version": "3.9.2", "pyopenssl": "20.0.1", "cryptography": "3.3.2", "cache_tag": "cpython-39"}
        return _agent_python.judge(executable, {**good, **answer}, release or {"ID": "debian"})

    def test_good(self) -> None:
        assert self.judge().usable
        assert self.judge().remedy is None

    def test_old_python(self) -> None:
        python = self.judge(version="3.6.8")
        assert "3.6.8" in python.missing[0]
        assert "agent_python" in python.remedy

    @pytest.mark.parametrize(
        ("release", "line"),
        [
            ({"ID": "debian"}, "apt-get install python3-openssl"),
            ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "apt-get install python3-openssl"),
            ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "dnf install python3-pyOpenSSL"),
            ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "zypper install python3-pyOpenSSL"),
            ({"ID": "alpine"}, "apk add py3-openssl"),
            ({"ID": "strange"}, "/usr/bin/python3 -m pip install pyOpenSSL"),
        ],
    )
    def test_the_remedy_is_the_distributions(self, release: dict[str, str], line: str) -> None:
        python = self.judge(release=release, pyopenssl=None, errors={"pyOpenSSL": "ModuleNotFoundError: x"})
        assert "ModuleNotFoundError: x" in python.missing[0]
        assert line in python.remedy
        assert python.remedy in python.complaint()

    def test_an_environment_is_mended_by_pip(self) -> None:
        python = self.judge("/opt/my env/bin/python", environment=True, pyopenssl=None)
        assert "'/opt/my env/bin/python' -m pip install pyOpenSSL" in python.remedy

    def test_too_old_a_library(self) -> None:
        assert "17.1.0" in self.judge(pyopenssl="17.1.0").missing[0]

    def test_asks_a_real_one(self) -> None:
        python = _agent_python.probe(run_command, sys.executable)
        assert python.usable, python.missing
        assert python.version == ".".join(map(str, sys.version_info[:3]))

    def test_takes_the_first_that_will_do(self, tmp_path: pathlib.Path) -> None:
        liar = tmp_path / "python"
        liar.write_text("#!/bin/sh\necho '{\"version\": \"3.11.0\"}'\n")
        liar.chmod(0o755)
        assert _agent_python.find(run_command, candidates=[str(liar), sys.executable]).executable == sys.executable
        assert _agent_python.find(run_command, candidates=[str(liar)]).missing
