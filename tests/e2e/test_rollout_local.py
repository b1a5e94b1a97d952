# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole role against this machine, as a user would run it: an agent as a process of its own in our directory."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from agent_process import Identity

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAYBOOK = """
- hosts: all
  gather_facts: false
  roles:
    - listening.tentacle.tentacle
  post_tasks:
    - ansible.builtin.copy:
        content: "{{ {'result': tentacle_result | default({}), 'verified': tentacle_verified | default({})}
          | to_json }}"
        dest: "{{ report }}"
        mode: "0600"
      check_mode: false
      changed_when: false
"""
pytestmark = pytest.mark.slow


class Rollout:
    """Runs of the role for one host, with its files below ``directory`` and a port of its own."""

    def __init__(self, directory: pathlib.Path, collections: pathlib.Path, trusted: list[str]) -> None:
        self.directory = directory
        self._collections = collections
        self.host = directory / "host"
        self.port = free_port()
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "report": str(directory / "report.json"),
            "tentacle_agent_python": sys.executable,
            "tentacle_configuration_home": str(self.host / "etc"),
            "tentacle_home_directory": str(self.host / "home"),
            "tentacle_programs_directory": str(self.host / "programs"),
            "tentacle_service_manager": "standalone",
            "tentacle_listen_address": "127.0.0.1",
            "tentacle_listen_port": self.port,
            "tentacle_trusted_thumbprints": trusted,
        }
        (directory / "site.yml").write_text(PLAYBOOK)

    def run(self, *options: str, **variables: Any) -> tuple[int, int, str]:
        """Run the playbook; the number of changes and failures it reports, and what it printed."""
        (self.directory / "variables.json").write_text(json.dumps({**self.variables, **variables}))
        command = [pathlib.Path(sys.executable).with_name("ansible-playbook"), "-i", "agent1,"]
        command += ["-e", f"@{self.directory / 'variables.json'}", *options, self.directory / "site.yml"]
        finished = subprocess.run(
            [str(word) for word in command],
            env=self._environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = finished.stdout + finished.stderr
        recap = re.search(r"changed=(\d+).*?failed=(\d+)", said)
        assert recap, said
        return int(recap.group(1)), int(recap.group(2)), said

    def report(self) -> dict[str, Any]:
        return dict(json.loads((self.directory / "report.json").read_text()))

    def pid(self) -> int | None:
        """The process that runs the agent of this host."""
        for entry in pathlib.Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_text().split("\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if f"--config={self.host / 'etc' / 'tentacle' / 'tentacle.json'}" in words:
                return int(entry.name)
        return None

    def tree(self) -> dict[str, str]:
        """Every file of the host that a run of the role decides about, by its content and mode."""
        kept = {}
        for path in sorted(self.host.rglob("*")):
            name = path.relative_to(self.host).as_posix()
            if not name.startswith(("home/Logs", "home/Work", "home/livez", "home/agent.pid")):
                content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
                kept[name] = f"{path.lstat().st_mode:o} {content}"
        return kept

    def end(self) -> None:
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(self._collections),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
            "ANSIBLE_HOME": str(self.directory / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The collection as it is installed, so that editing the sources meanwhile changes nothing between two runs."""
    path = tmp_path_factory.mktemp("collections")
    place = path / "ansible_collections" / "listening" / "tentacle"
    for name in ("files", "meta", "plugins", "roles"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "galaxy.yml", place)
    return path


@pytest.fixture
def rollout(tmp_path: pathlib.Path, collections: pathlib.Path, server_identity: Identity) -> Iterator[Rollout]:
    made = Rollout(tmp_path, collections, [server_identity.thumbprint])
    yield made
    made.end()


def test_check_apply_apply_change_remove(rollout: Rollout, server_identity: Identity) -> None:
    changed, failed, said = rollout.run("--check", "--diff")
    assert (changed > 0, failed) == (True, 0), said
    assert not rollout.host.exists()

    _changed, failed, said = rollout.run(tentacle_verify_client_cert=str(server_identity.path))
    assert failed == 0, said
    report, pid, before = rollout.report(), rollout.pid(), rollout.tree()
    assert pid
    assert report["verified"]["cause"] == "ok"
    assert report["verified"]["trusted"] is True
    assert report["verified"]["thumbprint"] == report["result"]["thumbprint"]
    assert report["result"]["port"] == rollout.port

    for options in ((), ("--check", "--diff")):
        changed, failed, said = rollout.run(*options)
        assert (changed, failed) == (0, 0), said
    assert (rollout.pid(), rollout.tree()) == (pid, before)

    # Trust is followed without a restart, another port is not.
    changed, failed, said = rollout.run(tentacle_trusted_thumbprints=["A9993E364706816ABA3E25717850C26C9CD0D89D"])
    assert (changed, failed) == (1, 0), said
    assert rollout.pid() == pid
    other = free_port()
    _changed, failed, said = rollout.run(tentacle_listen_port=other)
    assert failed == 0, said
    assert rollout.pid() not in (None, pid)
    assert rollout.report()["verified"]["port"] == other

    changed, failed, said = rollout.run(tentacle_state="absent")
    assert (changed > 0, failed) == (True, 0), said
    assert rollout.pid() is None
    assert sorted(rollout.tree()) == ["etc", "etc/tentacle", "etc/tentacle/identity.pem"]
    changed, failed, said = rollout.run(tentacle_state="absent", tentacle_purge_identity=True)
    assert (changed, failed) == (1, 0), said
    assert rollout.tree() == {}


def test_repairs_what_an_interrupted_run_left(rollout: Rollout) -> None:
    _changed, failed, said = rollout.run()
    assert failed == 0, said
    pid = rollout.pid()

    # New settings were written, then the run ended before the agent was restarted.
    other = free_port()
    _changed, failed, _said = rollout.run(tentacle_listen_port=other, tentacle_trusted_thumbprints=["no thumbprint"])
    assert failed == 1
    assert rollout.pid() == pid
    _changed, failed, said = rollout.run(tentacle_listen_port=other)
    assert failed == 0, said
    assert rollout.pid() not in (None, pid)


def test_names_who_holds_the_port_before_anything_changes(rollout: Rollout) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", rollout.port))
        other.listen()
        _changed, failed, said = rollout.run()
    assert failed == 1
    assert f"process {os.getpid()} of" in " ".join(said.split())
    assert not rollout.host.exists()


def test_secrets_are_never_shown(rollout: Rollout, server_identity: Identity) -> None:
    pem = server_identity.path.read_text()
    _changed, failed, said = rollout.run(
        "-vvv", "--diff", tentacle_certificate_content=pem, tentacle_certificate_passphrase="canary-4711"
    )
    assert failed == 0, said
    assert rollout.report()["result"]["thumbprint"] == server_identity.thumbprint
    assert "canary-4711" not in said
    assert pem.splitlines()[3] not in said


def test_another_python_without_the_libraries_is_refused_with_a_remedy(rollout: Rollout) -> None:
    stand_in = rollout.directory / "python3"
    stand_in.write_text("#!/bin/sh\necho '{\"version\": \"3.11.0\", \"environment\": true}'\n")
    stand_in.chmod(0o755)
    _changed, failed, said = rollout.run(tentacle_agent_python=str(stand_in))
    assert failed == 1
    assert f"{stand_in} -m pip install pyOpenSSL" in said
    assert not rollout.host.exists()


def test_an_environment_is_made_from_wheels_without_any_index(rollout: Rollout) -> None:
    wheels = rollout.directory / "wheels"
    command = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", wheels, "--requirement", ROOT / "roles/tentacle/files/wheels.txt"]
    subprocess.run([sys.executable, *map(str, command)], check=True, timeout=300)
    options: dict[str, Any] = {"tentacle_agent_python": "", "tentacle_agent_wheels": str(wheels)}
    changed, failed, said = rollout.run("--check", **options)
    assert (changed > 0, failed) == (True, 0), said
    assert not rollout.host.exists()
    _changed, failed, said = rollout.run(**options, tentacle_install_packages=False)
    assert failed == 0, said
    assert rollout.report()["result"]["python"] == str(rollout.host / "programs" / "python" / "bin" / "python")
    changed, failed, said = rollout.run(**options)
    assert (changed, failed) == (0, 0), said
    changed, failed, said = rollout.run("--check", **options)
    assert (changed, failed) == (0, 0), said
    _changed, failed, said = rollout.run(**options, tentacle_state="absent", tentacle_purge_identity=True)
    assert failed == 0, said
    assert rollout.tree() == {}
