# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three real systemd hosts, by molecule/hosts.sh, made anew as often as wanted; and what a playbook on them takes."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from typing import Any, NamedTuple

import processes
from processes import BenchError

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ("r1", "r2", "r3")
SUITE = "bookworm"
_FIRST_NUMBER = 51
_NETWORK = "10.77.0"
_PREFIX = "rb"  # of namespaces and control groups, where HOSTS_PREFIX does not say another
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class PlayRun(NamedTuple):
    """What one run of ansible-playbook took, in seconds, and how many tasks changed something, all hosts together."""

    seconds: float
    cpu: float  # of the controller's processes
    changed: int
    tasks: int


def play(command: list[str], variables: dict[str, str]) -> PlayRun:
    """Run ansible-playbook. Raises BenchError with the end of its output when a host failed."""
    program = str(pathlib.Path(sys.executable).with_name("ansible-playbook"))
    begin = time.perf_counter()
    process = subprocess.Popen(
        [program, *command],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    hosts = _RECAP.findall(output)
    if process.returncode or not hosts:
        raise BenchError(f"ansible-playbook {command[-1]} failed:\n{output[-3000:]}")
    changed, tasks = (sum(int(host[place]) for host in hosts) for place in (2, 1))
    return PlayRun(seconds, usage.ru_utime + usage.ru_stime, changed, tasks)


class Hosts:
    """The hosts, and Ansible's surroundings for them below ``directory``."""

    def __init__(self, directory: pathlib.Path, variables: dict[str, str], pipelining: bool) -> None:
        self.directory = directory
        self._boots = itertools.count()
        self._variables = {"HOSTS_PREFIX": _PREFIX, **variables}
        self.variables = {
            **self._variables,
            "ANSIBLE_HOST_KEY_CHECKING": "0",
            "ANSIBLE_PIPELINING": str(int(pipelining)),
            "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        }
        if os.geteuid() != 0:
            raise BenchError("booting hosts needs root")
        self._driver("build", SUITE)
        self.inventory = directory / "hosts.json"
        self.inventory.write_text(json.dumps(self._describe()), encoding="utf-8")

    def fresh(self) -> None:
        """End the hosts and boot new ones, of which nobody has a connection or a fact."""
        self.end()
        self._driver("net-up")
        for number, name in enumerate(NAMES, _FIRST_NUMBER):
            self._driver("up", name, str(number), SUITE)
        self._driver("wait", *NAMES)
        # Ansible names the sockets of open connections by address, and the new hosts have those of the old.
        self.variables["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(self.directory / f"cp{next(self._boots)}")

    def end(self) -> None:
        """End the hosts and their network, in whatever state they are."""
        self._driver("sweep")

    def cpu_seconds(self) -> float:
        """Processor time of everything in the hosts since they were booted."""
        leaders = re.findall(r"leader=(\d+)", self._driver("ps"))
        return sum(processes.cpu_seconds(int(leader)) for leader in leaders)

    def execute(self, name: str, command: str, data: bytes | None = None) -> str:
        """What a shell command inside the host prints. Raises BenchError when it fails."""
        return self._driver("exec", name, "sh", "-c", command, data=data)

    def _driver(self, *words: str, data: bytes | None = None) -> str:
        command = ["bash", str(ROOT / "molecule" / "hosts.sh"), *words]
        # A host that was booted keeps the pipe of its standard error, so that goes to a file.
        said = self.directory / "hosts.log"
        with said.open("w+b") as log:
            done = subprocess.run(
                command, env=self._variables, input=data or b"", stdout=subprocess.PIPE, stderr=log, check=False
            )
        if done.returncode:
            raise BenchError(f"hosts.sh {' '.join(words)}: {done.stdout.decode()}{said.read_text(errors='replace')}")
        return done.stdout.decode()

    def _describe(self) -> dict[str, Any]:
        members = {
            name: {"ansible_host": f"{_NETWORK}.{number}"} for number, name in enumerate(NAMES, _FIRST_NUMBER)
        }
        common = {
            "ansible_user": "deploy",
            "ansible_ssh_private_key_file": self._driver("key").strip(),
            "ansible_ssh_executable": str(ROOT / "molecule" / "nsssh"),
            "ansible_ssh_transfer_method": "piped",
            "ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        }
        return {"all": {"vars": common, "children": {"targets": {"hosts": members}}}}
