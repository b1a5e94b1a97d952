# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts through a live agent, by both script services (docs/protocol/tentacle-services.md §2, §10, §14)."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agent_process import AgentProcess
from wire_client import WireClient

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import (
    CancelScriptCommand,
    CancelScriptCommandV2,
    CompleteScriptCommand,
    CompleteScriptCommandV2,
    DataStream,
    ScriptFile,
    ScriptStatusRequest,
    ScriptStatusRequestV2,
    ScriptTicket,
    StartScriptCommand,
    StartScriptCommandV2,
)
from module_utils._halibut.timespan import TimeSpan

PATIENCE = 20.0
TARGET_INVOCATION = "System.Reflection.TargetInvocationException: Exception has been thrown by the target of an "


class Scripts:
    """Calls of the script services over one connection; tickets are made unique, so that tests share an agent."""

    def __init__(self, client: WireClient) -> None:
        self.client = client
        self.prefix = os.urandom(4).hex()
        self.started: list[str] = []

    def name(self, ticket: str) -> str:
        return f"{self.prefix}-{ticket}"

    def call(self, service: str, method: str, *params: Any, payloads: dict[bytes, bytes] | None = None) -> Any:
        response = self.client.call(service, method, *params, payloads=payloads)
        assert response.error is None, response.error
        return response.result

    def start(self, ticket: str, body: str, wait: float | None = PATIENCE, **fields: Any) -> Any:
        self.started.append(ticket)
        payloads, files = self.sent(fields.pop("files", {}), fields.pop("password", None))
        command = StartScriptCommandV2(
            ScriptTicket(self.name(ticket)), body, files=files,
            duration_to_wait=None if wait is None else TimeSpan.from_seconds(wait),
            **{"task_id": "ServerTasks-1", "mutex_name": self.prefix, **fields},
        )
        return self.call("IScriptServiceV2", "StartScript", command, payloads=payloads)

    def sent(self, files: dict[str, bytes], password: str | None) -> tuple[dict[bytes, bytes], tuple[ScriptFile, ...]]:
        streams = {name: DataStream(Guid(os.urandom(16)), len(data)) for name, data in files.items()}
        payloads: dict[bytes, bytes] = {streams[name].id: data for name, data in files.items()}
        return payloads, tuple(ScriptFile(name, stream, password) for name, stream in streams.items())

    def status(self, ticket: str, after: int = 0) -> Any:
        request = ScriptStatusRequestV2(ScriptTicket(self.name(ticket)), after)
        return self.call("IScriptServiceV2", "GetStatus", request)

    def cancel(self, ticket: str) -> Any:
        return self.call("IScriptServiceV2", "CancelScript", CancelScriptCommandV2(ScriptTicket(self.name(ticket)), 0))

    def complete(self, ticket: str) -> None:
        ticket = self.name(ticket)
        assert self.call("IScriptServiceV2", "CompleteScript", CompleteScriptCommandV2(ScriptTicket(ticket))) is None

    def until(self, ticket: str, holds: Callable[[Any], bool] = lambda status: bool(status.state == 2)) -> Any:
        limit = time.monotonic() + PATIENCE
        while not holds(status := self.status(ticket)):
            assert time.monotonic() < limit, status
            time.sleep(0.02)
        return status


Open = Callable[[], Scripts]


@pytest.fixture
def another(agent: AgentProcess, connect: Callable[..., WireClient]) -> Iterator[Open]:
    """Opens further connections whose tickets belong to the same test; their scripts are ended with it."""
    prefix = os.urandom(4).hex()
    opened: list[Scripts] = []

    def open_one() -> Scripts:
        scripts = Scripts(connect(agent))
        scripts.prefix = prefix
        opened.append(scripts)
        return scripts

    yield open_one
    last = Scripts(connect(agent))
    last.prefix = prefix
    for ticket in {ticket for scripts in opened for ticket in scripts.started}:
        last.cancel(ticket)
        last.until(ticket)
        last.complete(ticket)


@pytest.fixture
def scripts(another: Open) -> Scripts:
    return another()


def lines(status: Any, *sources: int) -> list[str]:
    """What the script wrote itself."""
    found = [line.text for line in status.logs if line.source in (sources or (0, 1))]
    return found[3:] if found[:1] == ["##octopus[stdout-verbose]"] else found


def seen(text: str) -> Callable[[Any], bool]:
    return lambda status: any(text in line.text for line in status.logs)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def dies(pid: int) -> bool:
    limit = time.monotonic() + 5
    while alive(pid) and time.monotonic() < limit:
        time.sleep(0.02)
    return not alive(pid)


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


# Isolation


@pytest.mark.parametrize(
    ("first", "second", "other_name", "waits"),
    [(0, 0, False, False), (0, 1, False, True), (1, 0, False, True), (1, 1, False, True), (1, 1, True, False)],
)
def test_who_waits_for_whom(scripts: Scripts, first: int, second: int, other_name: bool, waits: bool) -> None:
    scripts.start("a", "sleep 60", wait=None, isolation=first, task_id="ServerTasks-7")
    scripts.until("a", lambda status: bool(status.state == 1))
    name = scripts.prefix.upper() + "X" if other_name else scripts.prefix
    answer = scripts.start("b", "true", wait=0.5 if waits else PATIENCE, isolation=second, mutex_name=name)
    assert answer.state == (0 if waits else 2)
    if waits:
        assert seen("##octopus[stdout-wait]")(answer)
        assert seen("[ServerTasks-7](~/app#/tasks/ServerTasks-7)")(answer)
        scripts.cancel("a")
        assert scripts.until("b").exit_code == 0


def test_waiting_can_be_cancelled_and_time_out(scripts: Scripts) -> None:
    scripts.start("a", "sleep 60", wait=None, isolation=1)
    scripts.until("a", lambda status: bool(status.state == 1))
    scripts.start("b", "true", wait=None)
    scripts.start("c", "true", wait=None, mutex_timeout=TimeSpan.from_seconds(0.5))
    scripts.cancel("b")
    for ticket, code, text in (("b", -43, "Script execution canceled."), ("c", -44, "Script execution timed out.")):
        done = scripts.until(ticket)
        assert (done.exit_code, lines(done)[-1]) == (code, text)


def test_waiting_starts_do_not_keep_other_calls(another: Open) -> None:
    first = another()
    first.start("a", "sleep 60", wait=None, isolation=1)
    first.until("a", lambda status: bool(status.state == 1))
    clients = [another() for _unused in range(60)]
    pool = ThreadPoolExecutor(60)
    waiting = [pool.submit(client.start, f"w{number}", "true", 30) for number, client in enumerate(clients)]
    time.sleep(0.5)
    before = time.monotonic()
    assert first.client.capabilities().error is None
    assert first.start("free", "echo free", mutex_name=None).exit_code == 0
    assert time.monotonic() - before < 5
    first.cancel("a")
    assert {future.result(PATIENCE).exit_code for future in waiting} == {0}
    pool.shutdown()


# Cancel


def test_cancel_ends_the_tree_and_keeps_the_output(agent: AgentProcess, scripts: Scripts) -> None:
    daemon_body = "(setsid sleep 63 >/dev/null 2>&1 & echo $!)"
    body = f"trap '' TERM; setsid sleep 61 & echo $!; sleep 62 & echo $!; echo $$; {daemon_body}; sleep 60"
    scripts.start("t", body, wait=None)
    *inside, daemon = map(int, lines(scripts.until("t", lambda status: len(lines(status)) == 4)))
    before = time.monotonic()
    assert scripts.cancel("t").state in (1, 2)
    scripts.cancel("t")
    done = scripts.until("t")
    assert time.monotonic() - before < 5
    assert done.exit_code == -1
    assert len(lines(done)) == 4
    assert done.logs[-1].text.endswith("exited with code -1")
    try:
        assert all(dies(pid) for pid in inside)
        assert alive(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)
    assert scripts.cancel("t").exit_code == -1


def test_cancel_ends_the_wait_of_start(another: Open) -> None:
    first, second = another(), another()
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(first.start("t", "echo begun; sleep 60", 60)))
    thread.start()
    second.until("t", seen("begun"))
    second.cancel("t")
    thread.join(10)
    assert [(answer.state, answer.exit_code) for answer in answers] == [(2, -1)]


def test_a_child_that_keeps_the_pipes_keeps_the_script_running(scripts: Scripts) -> None:
    assert scripts.start("t", "(sleep 0.8; echo late) & exit 4", wait=0.2).state == 1
    done = scripts.until("t")
    assert (done.exit_code, lines(done)) == (4, ["late"])


# Restart


def test_what_is_known_after_a_restart(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient], tmp_path: pathlib.Path
) -> None:
    agent = start_agent(drain_seconds=0)
    before = Scripts(connect(agent))
    finished = before.start("finished", "echo result; exit 5", task_id="T")
    before.start("running", f"echo begun; sleep 1.5; echo x >{tmp_path}/proof", wait=None, isolation=1)
    before.until("running", seen("begun"))
    before.start("waiting", "echo stored", wait=None, isolation=1)
    before.start("asked", "echo never", wait=None, isolation=1)
    agent.kill()
    agent.start()
    after = Scripts(connect(agent))
    after.prefix = before.prefix
    assert after.status("FINISHED") == type(finished)(ScriptTicket(after.name("FINISHED")), finished.logs, 8, 2, 5)
    for answer in (after.start("running", "echo again"), after.status("running")):
        assert (answer.state, answer.exit_code, lines(answer)) == (2, -46, ["begun"])
    assert after.status("asked").exit_code == -46
    assert after.start("asked", "echo never").exit_code == -46
    assert lines(after.start("waiting", "echo sent"))[-1] == "stored"
    limit = time.monotonic() + 10
    while not (tmp_path / "proof").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    assert (tmp_path / "proof").exists()


def test_stopping_waits_for_running_scripts(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient]
) -> None:
    agent = start_agent(drain_seconds=20)
    scripts, other = Scripts(connect(agent)), Scripts(connect(agent))
    other.client.capabilities()
    scripts.start("t", "echo begun; sleep 1; echo ended", wait=None)
    scripts.until("t", seen("begun"))
    agent.signal(signal.SIGTERM)
    agent.wait_for_log("The agent stops")
    response = other.client.call("IScriptServiceV2", "StartScript", StartScriptCommandV2(ScriptTicket("late"), "true"))
    assert response.error is not None
    assert "The Tentacle service is shutting down" in (response.error.message or "")
    assert scripts.status("t").state == 1
    limit = time.monotonic() + PATIENCE
    while agent.running() and time.monotonic() < limit:
        time.sleep(0.05)
    assert agent.stop() == 0
    agent.start()
    after = Scripts(connect(agent))
    after.prefix = scripts.prefix
    done = after.status("t")
    assert (done.state, done.exit_code, lines(done)) == (2, 0, ["begun", "ended"])
