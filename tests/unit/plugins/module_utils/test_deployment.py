# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `tentacle_deploy` decides and does, with a client whose scripts run in bash here."""

from __future__ import annotations

import hashlib
import pathlib
import subprocess
from typing import Any, BinaryIO

import pytest

from module_utils import _agent_host
from module_utils._client.endpoint import Endpoint
from module_utils._client.errors import ClientError
from module_utils._client.scripts import Outcome, Script
from module_utils._deployment import Deployment, ScriptFailed
from module_utils._halibut.bson import Date
from module_utils._halibut.contracts import ProcessOutput, UploadResult
from module_utils._reporter import Reporter


class LocalAgent:
    """A client of an agent whose home is a directory here: real scripts, real files, no connection."""

    endpoint = Endpoint("agent")

    def __init__(self, home: pathlib.Path, path: str | None = None) -> None:
        self.home = home
        self.scripts: list[str] = []
        self.damage = False
        self.path = path

    def run_script(self, script: Script, on_output: Any = None, timeout: float | None = None) -> Outcome:
        self.scripts.append(script.body)
        environment = {"TentacleHome": str(self.home), "PATH": self.path or "/usr/bin:/bin"}
        done = subprocess.run(
            ["/bin/bash", "-c", script.body], env=environment, capture_output=True, text=True, check=False
        )
        output = [ProcessOutput(0, Date(0), line) for line in done.stdout.splitlines()]
        output += [ProcessOutput(1, Date(0), line) for line in done.stderr.splitlines()]
        for line in output if on_output else ():
            on_output(line)
        return Outcome("T", done.returncode, False, 0.1, tuple(output))

    def upload(self, path: str, source: BinaryIO, length: int, progress: Any) -> UploadResult:
        target = self.home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        data = source.read() + (b"!" if self.damage else b"")
        target.write_bytes(data)
        progress(length, length)
        return UploadResult(str(target), hashlib.sha1(data).hexdigest(), len(data))

    def download(self, path: str, sink: Any) -> int | None:
        sink.write((self.home / path).read_bytes())
        return 1


@pytest.fixture
def home(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "home of 'the' agent"
    path.mkdir()
    return path


def deployment(tmp_path: pathlib.Path, agent: LocalAgent, content: bytes = b"data", **more: Any) -> Deployment:
    source = tmp_path / "package.bin"
    source.write_bytes(content)
    parameters = {
        "src": str(source),
        "dest": "Files/package.bin",
        "force": False,
        "script": None,
        "script_src": None,
        "arguments": [],
        "isolation": "none",
        "mutex_name": "x",
        "mutex_timeout": None,
        "script_timeout": None,
        "creates": None,
        "expected_rc": [0],
        **more,
    }
    made = Deployment(parameters, Reporter(None, str))
    made.read_source()
    made.compare(agent)  # type: ignore[arg-type]
    if made.changed:
        made.carry_out(agent)  # type: ignore[arg-type]
    return made


def test_sends_only_what_differs(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    agent = LocalAgent(home)
    assert deployment(tmp_path, agent).upload
    assert not deployment(tmp_path, agent).changed
    assert deployment(tmp_path, agent, b"other").upload
    assert deployment(tmp_path, agent, b"other", force=True).upload
    assert (home / "Files" / "package.bin").read_bytes() == b"other"


def test_script_runs_after_a_change_and_until_it_succeeds(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    agent = LocalAgent(home)
    with pytest.raises(ScriptFailed, match="exit code 4"):
        deployment(tmp_path, agent, script='test -f "$DEPLOYED_FILE" && exit 4')
    again = deployment(tmp_path, agent, script="echo done")
    assert (again.upload, again.run_script) == (False, True)
    assert again.result()["stdout"] == "done"
    assert not deployment(tmp_path, agent, script="exit 9").changed
    assert (home / "Files" / "package.bin.deployed").read_text().strip() == hashlib.sha256(b"data").hexdigest()


def test_a_directory_as_destination(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    (home / "there").mkdir()
    made = deployment(tmp_path, LocalAgent(home), dest="there")
    assert made.result()["remote_path"] == str(home / "there" / "package.bin")
    (home / "there" / "package.bin").unlink()
    (home / "there" / "package.bin").mkdir()
    with pytest.raises(ClientError, match="is a directory"):
        deployment(tmp_path, LocalAgent(home), dest="there")


def test_what_arrived_is_compared(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    agent = LocalAgent(home)
    agent.damage = True
    with pytest.raises(ClientError) as caught:
        deployment(tmp_path, agent)
    assert caught.value.cause == "hash_mismatch"


def test_without_any_tool_for_hashes_the_file_is_downloaded(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("wc", "mv", "cat"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    agent = LocalAgent(home, str(tools))
    assert deployment(tmp_path, agent).upload
    assert not deployment(tmp_path, agent).changed


def test_creates(tmp_path: pathlib.Path, home: pathlib.Path) -> None:
    (home / "made.txt").write_text("x")
    assert deployment(tmp_path, LocalAgent(home), creates="made*").skipped
    assert not deployment(tmp_path, LocalAgent(home), creates="other*").skipped


@pytest.mark.parametrize("path", ["a b", "a'b", "$(touch x)", "-n", "a;b", 'a"b', "größe ☃"])
def test_odd_names_are_data_and_never_code(path: str, home: pathlib.Path) -> None:
    agent: Any = LocalAgent(home)
    assert not _agent_host.exists(agent, "./" + path)
    assert not _agent_host.file_state(agent, "./" + path)["exists"]
    (home / path).write_bytes(b"data")
    assert _agent_host.exists(agent, "./" + path)
    state = _agent_host.file_state(agent, "./" + path)
    assert state["sha256"] == hashlib.sha256(b"data").hexdigest()
    assert state["size"] == 4
    assert sorted(entry.name for entry in home.iterdir()) == [path]
