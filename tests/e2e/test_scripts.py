# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts through a live agent, by both script services (docs/protocol/tentacle-services.md §2, §10, §14)."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from agent_process import AgentProcess
from script_client import PATIENCE, TARGET_INVOCATION, Open, Scripts, lines
from wire_client import WireClient

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import (
    CancelScriptCommand,
    CompleteScriptCommand,
    DataStream,
    ScriptFile,
    ScriptStatusRequest,
    ScriptStatusRequestV2,
    ScriptTicket,
    StartScriptCommand,
    StartScriptCommandV2,
)

# Round trips


def test_version_2_from_start_to_complete(agent: AgentProcess, scripts: Scripts) -> None:
    answer = scripts.start("t", "echo hello; echo oops >&2; exit 3")
    workspace = agent.home / "Work" / scripts.name("t")
    assert (answer.state, answer.exit_code, answer.next_log_sequence, len(answer.logs)) == (2, 3, 9, 9)
    assert sorted(lines(answer)) == ["hello", "oops"]
    assert abs(answer.logs[0].occurred / 1000 - time.time()) < 60
    assert stat.S_IMODE(workspace.stat().st_mode) == 0o700
    assert scripts.status("t", 8).logs == answer.logs[8:]
    assert scripts.status("t", 9).logs == []
    scripts.complete("t")
    assert not workspace.exists()
    assert scripts.status("t").exit_code == -45


def test_version_1_from_start_to_complete(agent: AgentProcess, scripts: Scripts) -> None:
    payloads, files = scripts.sent({"f.txt": b"content"}, None)
    command = StartScriptCommand("cat f.txt; echo; echo $1; exit 4", files=files, arguments=("x",),
                                 task_id="ServerTasks-2", mutex_name=scripts.prefix)
    ticket = scripts.call("IScriptService", "StartScript", command, payloads=payloads)
    assert re.fullmatch(r"\d{14}-2-\d+", ticket.task_id)
    limit = time.monotonic() + PATIENCE
    while (status := scripts.call("IScriptService", "GetStatus", ScriptStatusRequest(ticket))).state != 2:
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert (status.exit_code, lines(status)) == (4, ["content", "x"])
    last = status.next_log_sequence
    assert scripts.call("IScriptService", "CancelScript", CancelScriptCommand(ticket, last)).logs == []
    done = scripts.call("IScriptService", "CompleteScript", CompleteScriptCommand(ticket, last - 1))
    assert (done.state, done.exit_code, len(done.logs)) == (2, 4, 1)
    assert not (agent.home / "Work" / ticket.task_id).exists()
    assert scripts.call("IScriptService", "GetStatus", ScriptStatusRequest(ticket)).exit_code == 0


@pytest.mark.parametrize(("body", "code"), [("exit 0", 0), ("exit 255", 255), ("kill -9 $$", 137), ("nosuch", 127)])
def test_exit_codes(scripts: Scripts, body: str, code: int) -> None:
    assert scripts.start("t", body).exit_code == code


def test_output_arrives_while_the_script_runs(scripts: Scripts) -> None:
    scripts.start("t", "for i in 1 2 3 4 5; do echo $i; sleep 0.2; done", wait=None)
    collected, sequence, states = [], 0, []
    while not states or states[-1] != 2:
        status = scripts.status("t", sequence)
        collected += status.logs
        sequence = status.next_log_sequence
        states.append(status.state)
        time.sleep(0.05)
    own = [line for line in collected if line.source == 0][3:]
    assert [line.text for line in own] == ["1", "2", "3", "4", "5"]
    assert 500 < own[-1].occurred - own[0].occurred < 20_000
    assert sequence == len(collected)
    assert states.count(1) > 3


def test_large_output_comes_back_whole(scripts: Scripts) -> None:
    answer = scripts.start("t", "seq 1 20000; head -c 1048576 /dev/zero | tr '\\0' x; printf 'a\\xff\\xfeb\\n\\0\\x1b'")
    assert lines(answer)[:20000] == [str(number) for number in range(1, 20001)]
    assert lines(answer)[20000:] == ["x" * 1048576 + "a\ufffd\ufffdb", "\0\x1b"]


# Arguments, files, environment


def test_arguments(scripts: Scripts) -> None:
    answer = scripts.start("t", 'for a; do echo "[$a]"; done', arguments=("a", "b c", '"d e"'))
    assert lines(answer) == ["[a]", "[b]", "[c]", "[d e]"]


def test_files(scripts: Scripts) -> None:
    files = {"small.txt": b"small file\n", "empty.bin": b"", "dir/größe ☃.bin": os.urandom(300_000)}
    body = "cat small.txt; wc -c <empty.bin; sha1sum <dir/*.bin; stat -c %a small.txt"
    answer = scripts.start("t", body, files=files)
    assert lines(answer) == ["small file", "0", hashlib.sha1(files["dir/größe ☃.bin"]).hexdigest() + "  -", "600"]


@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_encrypted_files(agent: AgentProcess, scripts: Scripts, size: int) -> None:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    text = os.urandom(size).hex().encode()[:size]
    scripts.start("t", "true", files={"Variables.secret": text}, password="Pass wörd")
    stored = (agent.home / "Work" / scripts.name("t") / "Variables.secret").read_bytes()
    assert stored[:4] == b"IV__"
    key = hashlib.pbkdf2_hmac("sha1", "Pass wörd".encode(), b"Octopuss", 1000, 16)
    decryptor = Cipher(algorithms.AES(key), modes.CBC(stored[4:20])).decryptor()
    plain = decryptor.update(stored[20:]) + decryptor.finalize()
    assert plain[: -plain[-1]] == text
    if shutil.which("openssl"):
        command = ["openssl", "enc", "-d", "-aes-128-cbc", "-K", key.hex(), "-iv", stored[4:20].hex()]
        assert subprocess.run(command, input=stored[20:], capture_output=True, check=True).stdout == text


def test_nothing_of_the_files_is_left_beside_the_workspaces(agent: AgentProcess, scripts: Scripts) -> None:
    scripts.start("t", "sleep 60", wait=None, files={"f": b"first"})
    scripts.start("t", "true", wait=None, files={"f": b"second"})
    assert (agent.home / "Work" / scripts.name("t") / "f").read_bytes() == b"first"
    assert [name for name in os.listdir(agent.home / "Work") if name.startswith(".")] == []


def test_a_connection_that_breaks_within_a_file_leaves_nothing(
    agent: AgentProcess, scripts: Scripts, connect: Callable[..., WireClient]
) -> None:
    from module_utils._halibut.events import StreamData
    from module_utils._halibut.messages import Request

    victim = connect(agent)
    core = victim._ready()
    stream = DataStream(Guid(os.urandom(16)), 1_000_000)
    command = StartScriptCommandV2(ScriptTicket(scripts.name("broken")), "true", files=(ScriptFile("f", stream),))
    core.send(Request("1", Guid(os.urandom(16)), "IScriptServiceV2", "StartScript", (command,)))
    core.send(StreamData(b"x" * 100_000))
    victim._write()
    victim.reset()
    limit = time.monotonic() + 5
    work = agent.home / "Work"
    while work.exists() and any(name.startswith(".") for name in os.listdir(work)) and time.monotonic() < limit:
        time.sleep(0.02)
    assert not work.exists() or not [name for name in os.listdir(work) if name.startswith(".")]
    assert scripts.status("broken").exit_code == -45


def test_environment_variables(agent: AgentProcess, scripts: Scripts) -> None:
    answer = scripts.start("t", "env -0 | tr '\\n\\0' ' \\n'; pwd; readlink /proc/$$/fd/0")
    *variables, directory, stdin = lines(answer)
    found = dict(line.split("=", 1) for line in variables if "=" in line)
    assert found["TentacleHome"] == str(agent.home)
    assert found["TentacleJournal"] == str(agent.home / "DeploymentJournal.xml")
    assert found["TentacleVersion"]
    assert found["PATH"] == os.environ["PATH"]
    assert (directory, stdin) == (str(agent.home / "Work" / scripts.name("t")), "/dev/null")


# Tickets and starts


def test_the_same_start_again_runs_once(agent: AgentProcess, scripts: Scripts) -> None:
    for _unused in range(3):
        answer = scripts.start("Ticket", "echo x >>count; cat count")
        assert lines(answer) == ["x"]
    other = ScriptTicket(scripts.name("ticket").upper())
    status = scripts.call("IScriptServiceV2", "GetStatus", ScriptStatusRequestV2(other))
    assert (status.ticket, status.state, lines(status)) == (other, 2, ["x"])


def test_racing_starts_run_once(another: Open) -> None:
    clients = [another() for _unused in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: client.start("t", "echo x >>count; cat count"), clients))
    assert {tuple(lines(answer)) for answer in answers} == {("x",)}


def test_unknown_tickets(agent: AgentProcess, scripts: Scripts) -> None:
    for answer in (scripts.status("nobody", 5), scripts.cancel("nobody")):
        assert (answer.state, answer.exit_code, answer.logs) == (2, -45, [])
    assert scripts.status("nobody", 5).next_log_sequence == 5
    scripts.complete("nobody")
    assert not (agent.home / "Work" / scripts.name("nobody")).exists()


def test_a_null_task_is_harmless(scripts: Scripts) -> None:
    for isolation in (0, 1, 0):
        answer = scripts.start(f"t{isolation}", "echo fine", task_id=None, isolation=isolation)
        assert (answer.exit_code, lines(answer)) == (0, ["fine"])


@pytest.mark.parametrize("ticket", ["../x", "a/b", "", "x" * 300, "nul\0l"])
def test_bad_tickets_and_a_connection_that_stays_usable(scripts: Scripts, ticket: str) -> None:
    for method, command in (("StartScript", StartScriptCommandV2(ScriptTicket(ticket), "true")),
                            ("GetStatus", ScriptStatusRequestV2(ScriptTicket(ticket)))):
        response = scripts.client.call("IScriptServiceV2", method, command)
        assert response.error is not None
        assert "TaskId" in (response.error.message or "")
        assert (response.error.details or "").startswith(TARGET_INVOCATION)
    assert scripts.client.capabilities().error is None


def test_file_names_that_lead_out(agent: AgentProcess, scripts: Scripts) -> None:
    payloads, files = scripts.sent({"../escape": b"x" * 100_000}, None)
    command = StartScriptCommandV2(ScriptTicket(scripts.name("t")), "true", files=files)
    response = scripts.client.call("IScriptServiceV2", "StartScript", command, payloads=payloads)
    assert response.error is not None
    assert "Name" in (response.error.message or "")
    assert not (agent.home / "Work" / "escape").exists()
    assert scripts.start("t", "echo retried").exit_code == 0
