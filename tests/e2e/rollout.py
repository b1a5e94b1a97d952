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
from typing import Any

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
            "TZ": "Asia/Kolkata",  # a controller that lives by another clock than UTC
        }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def install_collection(path: pathlib.Path) -> pathlib.Path:
    """The collection as it is installed below ``path``: editing the sources meanwhile changes nothing between runs."""
    place = path / "ansible_collections" / "listening" / "tentacle"
    for name in ("files", "meta", "playbooks", "plugins", "roles"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "galaxy.yml", place)
    return path
