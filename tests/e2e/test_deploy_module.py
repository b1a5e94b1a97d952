# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tentacle_deploy` as a user runs it, with real Ansible, against a live agent and recorded answers."""

from __future__ import annotations

import hashlib
import pathlib
import tarfile
from typing import Any

from agent_process import AgentProcess
from ansible_command import Run, adhoc, play

DEPLOY = "listening.tentacle.tentacle_deploy"


def runs(tmp_path: pathlib.Path, connection: dict[str, Any], *steps: dict[str, Any]) -> Run:
    """One play whose tasks register a, b, c ...; keys that begin with a capital belong to the task, not the module."""
    tasks = []
    for name, step in zip("abcdefgh", steps):
        options = {key: value for key, value in step.items() if not key[0].isupper()}
        more = {key.lower(): value for key, value in step.items() if key[0].isupper()}
        tasks.append({DEPLOY: {**connection, **options}, "register": name, **more})
    return play(tasks, tmp_path)


def test_check_apply_apply_again(connection: dict[str, Any], agent: AgentProcess, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "site.bin"
    source.write_bytes(b"first" * 50_000)
    step = {"src": str(source), "dest": "Files/site.bin"}
    result = runs(
        tmp_path, connection, {**step, "Check_mode": True, "Diff": True}, step, step, {**step, "Check_mode": True}
    )
    assert result.status == 0, result.output
    assert [result.facts[name]["changed"] for name in "abcd"] == [True, True, False, False]
    facts = result.facts["b"]
    assert facts["uploaded"] is True
    assert facts["remote_path"] == str(agent.home / "Files" / "site.bin")
    assert facts["checksum"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert facts["checksum_sha1"] == hashlib.sha1(source.read_bytes()).hexdigest()
    assert facts["size"] == 250_000
    assert (agent.home / "Files" / "site.bin").read_bytes() == source.read_bytes()
    assert result.facts["a"]["diff"]["before"]["sha256"] is None
    assert result.facts["a"]["diff"]["after"]["sha256"] == facts["checksum"]
    assert set(result.facts["a"]) - {"diff"} == set(facts) - {"diff"}


def test_deploys_an_archive_and_runs_the_script_after_a_change_only(
    connection: dict[str, Any], agent: AgentProcess, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "index.html").write_text("<h1>deployed</h1>", encoding="utf-8")
    archive = tmp_path / "site.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "index.html", "index.html")
    script = 'mkdir -p "$TentacleHome/site" && tar -xzf "$DEPLOYED_FILE" -C "$TentacleHome/site" && echo unpacked'
    step = {"src": str(archive), "dest": "Files/", "script": script}
    result = runs(tmp_path, connection, step, step, {**step, "force": True})
    assert result.status == 0, result.output
    assert [result.facts[name]["changed"] for name in "abc"] == [True, False, True]
    assert [result.facts[name]["script_run"] for name in "abc"] == [True, False, True]
    assert result.facts["a"]["stdout"] == "unpacked"
    assert result.facts["a"]["remote_path"].endswith("/Files/site.tar.gz")
    assert (agent.home / "site" / "index.html").read_text(encoding="utf-8") == "<h1>deployed</h1>"
    assert "> site.tar.gz:" in result.output
    assert "| unpacked" in result.output


def test_a_script_that_failed_runs_again(
    connection: dict[str, Any], agent: AgentProcess, tmp_path: pathlib.Path
) -> None:
    source = tmp_path / "once.txt"
    source.write_text("x", encoding="utf-8")
    step = {"src": str(source), "dest": "Files/once.txt"}
    failing = {**step, "script": "echo broken >&2; exit 4", "Ignore_errors": True}
    result = runs(tmp_path, connection, failing, {**step, "script": "true"}, {**step, "script": "true"})
    assert result.status == 0, result.output
    assert result.facts["a"]["failed"] is True
    assert result.facts["a"]["cause"] == "script_failed"
    assert result.facts["a"]["rc"] == 4
    assert result.facts["a"]["stderr"] == "broken"
    assert "is in place" in result.facts["a"]["msg"]
    assert [result.facts[name]["changed"] for name in "bc"] == [True, False]
    assert result.facts["b"]["uploaded"] is False
    assert result.facts["b"]["script_run"] is True


def test_what_was_changed_on_the_host_is_repaired(
    connection: dict[str, Any], agent: AgentProcess, tmp_path: pathlib.Path
) -> None:
    source = tmp_path / "app.conf"
    source.write_text("wanted\n", encoding="utf-8")
    target = agent.home / "with 'odd' name" / "app.conf"
    target.parent.mkdir()
    target.write_text("changed by hand\n", encoding="utf-8")
    result = adhoc("tentacle_deploy", {**connection, "src": str(source), "dest": str(target)})
    assert result.status == 0, result.output
    assert result.facts["changed"] is True
    assert target.read_text(encoding="utf-8") == "wanted\n"


def test_creates_and_bad_input(connection: dict[str, Any], agent: AgentProcess, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "file"
    source.write_text("x", encoding="utf-8")
    (agent.home / "there").write_text("x", encoding="utf-8")
    step = {"src": str(source), "dest": "Files/skipped"}
    result = runs(
        tmp_path,
        connection,
        {**step, "creates": "there"},
        {**step, "src": str(tmp_path / "missing"), "Ignore_errors": True},
        {**step, "src": str(tmp_path), "Ignore_errors": True},
        {**step, "dest": "/proc/nothing/here", "Ignore_errors": True},
    )
    assert result.status == 0, result.output
    assert result.facts["a"]["changed"] is False
    assert "exists" in result.facts["a"]["msg"]
    assert not (agent.home / "Files" / "skipped").exists()
    assert [result.facts[name]["cause"] for name in "bcd"] == ["invalid_input", "invalid_input", "agent_error"]
    assert all(result.facts[name]["failed"] for name in "bcd")


def test_large_file_in_bounded_memory(connection: dict[str, Any], agent: AgentProcess, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "large.bin"
    with open(source, "wb") as file:
        for number in range(60):
            file.write(hashlib.sha256(bytes([number])).digest() * 32768)
    result = adhoc("tentacle_deploy", {**connection, "src": str(source), "dest": "Files/large.bin"})
    assert result.status == 0, result.output
    arrived = hashlib.sha256((agent.home / "Files" / "large.bin").read_bytes()).hexdigest()
    assert arrived == result.facts["checksum"]
