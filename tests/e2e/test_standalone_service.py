# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real agent as a service of its own: from the first three commands to kill -9 and back."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.plugin_utils import _bundle

LISTENING = re.compile(r"Agent listening on: 127\.0\.0\.1:(\d+)")


class Host:
    """A machine directory with a bundle and one instance, called through its command line."""

    def __init__(self, directory: pathlib.Path, bundle: pathlib.Path) -> None:
        self.directory = directory
        self.home = directory / "web"
        self._program = [sys.executable, "-I", str(bundle)]
        self._environment = {**os.environ, "TentacleMachineConfigurationHomeDirectory": str(directory / "machine")}

    def call(self, *words: str, code: int = 0) -> str:
        """Run a verb, see that it ends as it should, and return its output."""
        done = subprocess.run(
            [*self._program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            cwd=self.directory,
            env=self._environment,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def service(self, *words: str, code: int = 0) -> str:
        return self.call("service", "--instance=web", "--manager=standalone", *words, code=code)

    def status(self) -> dict[str, Any]:
        running = subprocess.run(
            [*self._program, "service", "--status", "--format=json", "--manager=standalone"],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.directory,
            env=self._environment,
            check=False,
        )
        status: dict[str, Any] = json.loads(running.stdout)
        assert running.returncode == (0 if status["Running"] else 1)
        return status

    @property
    def port(self) -> int:
        """Where the agent that was started last listens."""
        found = LISTENING.findall((self.home / "Logs" / "OctopusTentacle.txt").read_text(encoding="utf-8"))
        return int(found[-1])


@pytest.fixture(name="bundle", scope="module")
def fixture_bundle(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    directory = tmp_path_factory.mktemp("bundle")
    (directory / "agent.zip").write_bytes(_bundle.build().data)
    shutil.unpack_archive(str(directory / "agent.zip"), str(directory / "unpacked"))
    return directory / "unpacked"


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path, bundle: pathlib.Path) -> Iterator[Host]:
    host = Host(tmp_path, bundle)
    host.call("create-instance", "--instance=web", f"--config={host.home / 'tentacle.json'}")
    host.call("configure", "--port=0", "--listenIpAddress=127.0.0.1", f"--trust={'AB' * 20}")
    yield host
    pid = host.status()["Pid"]
    if pid:
        os.kill(pid, signal.SIGKILL)


def _answers(host: Host) -> bool:
    """Whether the agent at the port shows a Tentacle's page to a stranger."""
    report = json.loads(host.call("check", f"127.0.0.1:{host.port}", "--format=json"))
    return report["cause"] == "ok" and report["page"]["tentacle"]


def test_from_nothing_to_an_answer_and_back(host: Host) -> None:
    assert "Service installed: web\nService started: web\n" in host.service("--install", "--start")
    status = host.status()
    assert (status["Running"], status["Manager"], status["SurvivesReboot"]) == (True, "standalone", False)
    assert _answers(host)
    host.call("livez")
    assert f"already running, pid {status['Pid']}" in host.service("--start")
    assert host.status()["Pid"] == status["Pid"]

    assert host.service("--restart") == "Restarting service: web\nService has been restarted\n"
    assert host.status()["Pid"] not in (None, status["Pid"])
    assert _answers(host)

    assert host.service("--stop") == "Stopping service: web\nService stopped\n"
    assert "it was not running" in host.service("--stop")
    assert host.status()["Running"] is False
    assert "Service uninstalled" in host.service("--uninstall")
    assert (host.home / "identity.pem").exists()


def test_the_thumbprint_shown_is_the_one_in_use(host: Host) -> None:
    host.service("--start")
    shown = host.call("show-thumbprint")
    report = json.loads(host.call("check", f"127.0.0.1:{host.port}", f"--thumbprint={shown}", "--format=json"))
    assert (report["cause"], report["thumbprint"]) == ("ok", shown)


def test_a_killed_agent_is_started_again(host: Host) -> None:
    host.service("--start")
    pid = host.status()["Pid"]
    os.kill(pid, signal.SIGKILL)
    _wait_for_end(pid)
    assert host.status()["Running"] is False
    host.service("--start")
    assert host.status()["Pid"] not in (None, pid)
    assert _answers(host)


def test_a_number_left_behind_harms_nobody(host: Host) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        (host.home / "agent.pid").write_text(f"{other.pid}\n")
        assert "it was not running" in host.service("--stop")
        host.service("--start")
        assert host.status()["Pid"] != other.pid
        host.service("--stop")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_an_agent_that_cannot_start_says_why(host: Host) -> None:
    host.call("configure", "--listenIpAddress=192.0.2.1")  # an address that no host has
    said = host.service("--start", code=1)
    assert "ended right after its start" in said
    assert "192.0.2.1" in said
    assert host.status()["Running"] is False


def test_a_caller_that_waits_for_the_end_of_our_output_does_not_wait_for_the_agent(host: Host) -> None:
    begin = time.monotonic()
    host.service("--start")  # reads until end of file
    assert time.monotonic() - begin < 60
    assert host.status()["Running"] is True


def _wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 10
    while pathlib.Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
