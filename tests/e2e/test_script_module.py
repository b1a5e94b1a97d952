# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tentacle_script` as a user runs it, with real Ansible: against a live agent, and against recorded answers."""

from __future__ import annotations

import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

import pytest
from agent_process import AgentProcess, Identity
from ansible_command import adhoc, environment, play
from identities import make
from recorded_listener import RecordedListener

SECRET = "canary-7f3a9c"


def test_runs_a_script(connection: dict[str, Any]) -> None:
    result = adhoc("tentacle_script", {**connection, "script": "echo one; echo two >&2"})
    assert result.status == 0, result.output
    facts = result.facts
    assert facts["changed"] is True
    assert facts["rc"] == 0
    assert facts["stdout"] == "one"
    assert facts["stderr_lines"] == ["two"]
    assert facts["cause"] == "ok"
    assert ("stdout", "one") in {(line["source"], line["text"]) for line in facts["output"]}
    assert not any("##octopus" in line["text"] for line in facts["output"])


def test_fails_with_the_exit_code_unless_told(connection: dict[str, Any]) -> None:
    options = {**connection, "script": "echo out; exit 3"}
    result = adhoc("tentacle_script", options)
    assert result.status != 0
    assert result.facts["rc"] == 3
    assert result.facts["cause"] == "script_failed"
    assert result.facts["stdout"] == "out"
    assert "exit code 3" in result.facts["msg"]
    assert adhoc("tentacle_script", {**options, "expected_rc": [0, 3]}).status == 0


def test_is_cancelled_at_its_time_limit(connection: dict[str, Any]) -> None:
    result = adhoc("tentacle_script", {**connection, "script": "echo begun; sleep 60", "script_timeout": 2})
    assert result.status != 0
    assert result.facts["timed_out"] is True
    assert result.facts["stdout"] == "begun"
    assert "after 2 s" in result.facts["msg"]


def test_creates_removes_and_check_mode(
    connection: dict[str, Any], agent: AgentProcess, tmp_path: pathlib.Path
) -> None:
    mark = agent.home / "made here"
    tasks: list[dict[str, Any]] = []
    for name, options, more in (
        ("checked", {"script": f"touch '{mark}'", "creates": "made here"}, {"check_mode": True}),
        ("first", {"script": f"touch '{mark}'", "creates": "made here"}, {}),
        ("again", {"script": "exit 9", "creates": "made*"}, {}),
        ("checked_again", {"script": "exit 9", "creates": str(mark)}, {"check_mode": True}),
        ("removed", {"script": f"rm '{mark}'", "removes": str(mark)}, {}),
        ("removed_again", {"script": "exit 9", "removes": str(mark)}, {}),
    ):
        module = {"listening.tentacle.tentacle_script": {**connection, **options}}
        tasks.append({**module, "register": name, **more})
    result = play(tasks, tmp_path)
    assert result.status == 0, result.output
    changed = {name: facts["changed"] for name, facts in result.facts.items()}
    assert [name for name, value in changed.items() if value] == ["checked", "first", "removed"]
    assert result.facts["checked"]["stdout"] == ""
    assert "exists" in result.facts["again"]["msg"]
    assert not mark.exists()


def test_takes_script_and_files_from_the_controller(
    connection: dict[str, Any], tmp_path: pathlib.Path, agent: AgentProcess
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "job.sh").write_text('cat data.txt note.txt; echo "$1-$2"', encoding="utf-8")
    (tmp_path / "files" / "data.txt").write_text("from a file\n", encoding="utf-8")
    options = {
        "src": "job.sh",
        "arguments": ["a", "b"],
        "files": [{"name": "data.txt", "src": "data.txt"}, {"name": "note.txt", "content": "größe ☃\n"}],
    }
    task = {"listening.tentacle.tentacle_script": {**connection, **options}, "register": "done"}
    result = play([task], tmp_path)
    assert result.status == 0, result.output
    assert result.facts["done"]["stdout_lines"] == ["from a file", "größe ☃", "a-b"]
    assert list((agent.home / "Work").glob("*")) == []


def test_a_missing_file_is_named(connection: dict[str, Any], tmp_path: pathlib.Path) -> None:
    result = adhoc("tentacle_script", {**connection, "src": "no-such-script.sh"})
    assert result.status != 0
    assert result.facts["cause"] == "invalid_input"
    assert "no-such-script.sh" in result.facts["msg"]


def test_connection_failures_carry_the_word(connection: dict[str, Any]) -> None:
    result = adhoc("tentacle_script", {**connection, "thumbprint": "AA" * 20, "script": "true"})
    assert result.status != 0
    assert result.facts["cause"] == "agent_thumbprint_mismatch"
    assert result.facts["changed"] is False


def lines_with_times(command: list[str], directory: pathlib.Path) -> list[tuple[float, str]]:
    program = pathlib.Path(sys.executable).with_name(command[0])
    process = subprocess.Popen(
        [str(program), *command[1:]], env={**environment(), "PYTHONUNBUFFERED": "1"}, cwd=directory,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    seen: list[tuple[float, str]] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append((time.monotonic(), line.rstrip("\n")))
    finally:
        process.kill()
        process.wait(20)
    return seen


def when(seen: list[tuple[float, str]], pattern: str) -> float:
    return next(moment for moment, line in seen if re.search(pattern, line))


SLOW = "echo begun; sleep 4; printf 'odd \\033[31mcolour\\n'; echo late"


def test_prints_output_while_the_script_runs(connection: dict[str, Any], tmp_path: pathlib.Path) -> None:
    book = tmp_path / "play.yml"
    task = {"listening.tentacle.tentacle_script": {**connection, "script": SLOW}}
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    seen = lines_with_times(["ansible-playbook", str(book)], tmp_path)
    assert when(seen, r"localhost \| late") - when(seen, r"localhost \| begun") > 2
    assert when(seen, r"^changed") >= when(seen, r"localhost \| late")
    assert not any("\x1b" in line for _dummy, line in seen)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("su"), reason="needs root, to become another user")
def test_prints_output_where_the_module_runs_as_another_user(
    connection: dict[str, Any], tmp_path: pathlib.Path, server_identity: Identity
) -> None:
    """The way of remote hosts: an asynchronous job whose report is read over the same connection."""
    with tempfile.TemporaryDirectory() as open_directory:  # pytest's own directories are closed to others
        os.chmod(open_directory, 0o755)
        key = pathlib.Path(open_directory) / "identity.pem"
        key.write_bytes(server_identity.path.read_bytes())
        os.chown(key, pwd.getpwnam("nobody").pw_uid, -1)
        key.chmod(0o400)
        book = tmp_path / "play.yml"
        task = {"listening.tentacle.tentacle_script": {**connection, "client_cert": str(key), "script": SLOW},
                "register": "done"}  # fmt: skip
        check = {
            "ansible.builtin.assert": {"that": ["done.rc == 0", "done.stdout_lines | length == 3", "done is changed"]}
        }
        variables = {
            "ansible_remote_tmp": "/tmp/.ansible-tentacle",
            "ansible_async_dir": "/tmp/.ansible-tentacle-async",
            "ansible_shell_allow_world_readable_temp": True,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_become_flags": "-s /bin/sh",
        }
        settings: dict[str, Any] = {"become": True, "become_user": "nobody", "become_method": "ansible.builtin.su"}
        settings["vars"] = variables
        settings.update(hosts="localhost", connection="local", gather_facts=False, tasks=[task, check])
        book.write_text(json.dumps([settings]), encoding="utf-8")
        try:
            seen = lines_with_times(["ansible-playbook", str(book)], tmp_path)
        finally:
            shutil.rmtree("/tmp/.ansible-tentacle", ignore_errors=True)
            shutil.rmtree("/tmp/.ansible-tentacle-async", ignore_errors=True)
    text = "\n".join(line for _dummy, line in seen)
    assert "failed=0" in text, text
    assert when(seen, r"localhost \| late") - when(seen, r"localhost \| begun") > 1, text


def test_secrets_are_printed_nowhere(connection: dict[str, Any], tmp_path: pathlib.Path) -> None:
    """A passphrase in -vvv, in the live output, in the agent's log; and nothing at all of a task with no_log."""
    locked = make(tmp_path / "locked.pem", "Locked", passphrase=SECRET.encode())
    options = {**connection, "client_cert": str(locked.path), "client_key_passphrase": SECRET, "script": "true"}
    result = adhoc("tentacle_script", options, "-vvv")
    assert result.facts["cause"] == "server_not_trusted"  # so the key was opened
    masked = re.sub(r"-a', '.*?'|-a \{.*?\}", "", result.output)
    assert SECRET not in masked
    sensitive = {"name": "variables.json", "content": f"of {SECRET}", "password": "another"}
    result = play([{"listening.tentacle.tentacle_script": {**connection, "script": "true", "files": [sensitive]}}],
                  tmp_path, "-vvv")  # fmt: skip
    assert result.status == 0
    assert '"name": "variables.json"' in result.output
    assert SECRET not in result.output
    wrong = {**connection, "script": "true", "files": [sensitive], "isolation": "half"}
    result = play([{"listening.tentacle.tentacle_script": wrong}], tmp_path, "-vvv")
    assert "value of isolation must be one of" in result.output
    assert '"name": "variables.json"' in result.output
    assert SECRET not in result.output
    hidden = play(
        [{"listening.tentacle.tentacle_script": {**connection, "script": f"echo {SECRET}"}, "no_log": True}],
        tmp_path,
        "-vvv",
    )
    assert hidden.status == 0
    assert SECRET not in hidden.output


@pytest.mark.parametrize(
    ("names", "rc", "out"),
    [
        (["02-"], 3, "hello"),
        (["03-"], 0, None),
        (["04-"], 0, None),
        (["07-"], 0, None),
        (["08-"], 0, None),
        (["09-"], 0, "größe ☃ 🐙 日本"),
        (["10-"], 0, None),
    ],
)
def test_against_recorded_answers(names: list[str], rc: int, out: str | None, server_identity: Identity) -> None:
    """What an original agent answered to such calls: the recorded documents, with our ticket."""
    with RecordedListener(server_identity.path, *names, compare=False) as listener:
        pin, certificate = server_identity.thumbprint, str(server_identity.path)
        files = [{"name": "größe.txt", "content": "☃"}]
        options = {"host": "127.0.0.1", "port": listener.port, "thumbprint": pin, "client_cert": certificate,
                   "timeout": 5, "script": "anything", "files": files}  # fmt: skip
        result = adhoc("tentacle_script", options)
    assert result.facts.get("rc") == rc, result.output
    assert result.facts["stdout_lines"]
    assert out is None or out in result.facts["stdout_lines"]
    assert listener.streams == ["☃".encode()]
    commands = [request["params"][0] for request in listener.requests]
    assert len({str(command.get("ScriptTicket") or command["Ticket"]) for command in commands}) == 1
    methods = [request["method"] for request in listener.requests]
    assert methods[0] == "StartScript"
    assert methods[-1] == "CompleteScript"
