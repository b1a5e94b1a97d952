# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a live agent."""

from __future__ import annotations

import hashlib
import io
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from agent_process import AgentProcess, wait_until
from identities import MadeIdentity, make

from module_utils._client.client import Client
from module_utils._client.endpoint import Endpoint, Timeouts
from module_utils._client.errors import ClientError, NoMatchingMethod, ServiceInvocationError
from module_utils._client.scripts import FileToSend, Script
from module_utils._halibut.contracts import COMPLETE, SOURCE_STDERR, SOURCE_STDOUT, ScriptTicket

SOON = Timeouts(connect=5, handshake=5, receive=5, response=5, attempts=2, pause=0.05)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, identity: MadeIdentity) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path_factory.mktemp("live"), [identity.thumbprint]) as agent:
        yield agent


@pytest.fixture
def client(live: AgentProcess, identity: MadeIdentity) -> Iterator[Client]:
    endpoint = Endpoint("127.0.0.1", live.port, live.thumbprint)
    with Client(endpoint, str(identity.path), timeouts=SOON) as found:
        yield found


def test_live_capabilities(client: Client) -> None:
    assert client.capabilities() == ("IScriptService", "IFileTransferService", "IScriptServiceV2")


def test_live_script_with_files_and_arguments(client: Client) -> None:
    data = b"from a file\n"
    script = Script(
        'echo "$1 $2"; cat note.txt; echo wrong >&2; exit 7',
        arguments=("a", "b"),
        files=(FileToSend("note.txt", io.BytesIO(data), len(data)),),
        isolated=True,
    )
    seen: list[str] = []
    outcome = client.run_script(script, lambda line: seen.append(line.text or ""))
    assert outcome.exit_code == 7
    assert not outcome.timed_out
    texts = [line.text for line in outcome.output if line.source == SOURCE_STDOUT]
    assert texts[-2:] == ["a b", "from a file"]
    assert [line.text for line in outcome.output if line.source == SOURCE_STDERR] == ["wrong"]
    assert seen == [line.text for line in outcome.output]
    assert client.get_status(ScriptTicket(outcome.ticket)).exit_code == -45  # the agent was let forget it


def test_live_script_is_cancelled_at_its_time_limit(client: Client) -> None:
    begin = time.monotonic()
    outcome = client.run_script(Script("echo begun; sleep 60"), timeout=1.5)
    assert outcome.timed_out
    assert outcome.exit_code != 0
    assert time.monotonic() - begin < 10
    assert "begun" in [line.text for line in outcome.output]


def test_live_script_is_cancelled_when_the_caller_is_interrupted(client: Client, live: AgentProcess) -> None:
    script = Script("sleep 60")

    def interrupt(_dummy: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.run_script(script, interrupt)
    wait_until(lambda: client.get_status(script.ticket).state == COMPLETE, 10)
    client.complete_script(script.ticket)


def test_live_output_comes_while_the_script_runs(client: Client) -> None:
    times: list[float] = []
    client.run_script(Script("echo one; sleep 2.5; echo two"), lambda line: times.append(time.monotonic()))
    assert times[-1] - times[0] > 1


def test_live_files_there_and_back(client: Client, live: AgentProcess) -> None:
    data = hashlib.sha256(b"x").digest() * 100_000  # 3.2 MB
    progress: list[tuple[int, int]] = []
    answer = client.upload(
        "Files/pack.bin", io.BytesIO(data), len(data), lambda done, all_: progress.append((done, all_))
    )
    assert answer.hash == hashlib.sha1(data).hexdigest()
    assert answer.length == len(data)
    assert answer.full_path == str(live.home / "Files" / "pack.bin")
    assert progress[-1] == (len(data), len(data))
    sink = io.BytesIO()
    assert client.download("Files/pack.bin", sink) == len(data)
    assert sink.getvalue() == data
    assert client.download("Files/missing.bin", io.BytesIO()) is None
    assert client.connections == 1


def test_live_errors_leave_the_connection_usable(client: Client) -> None:
    with pytest.raises(ServiceInvocationError):
        client.upload("/proc/version/x", io.BytesIO(b"x"), 1)
    with pytest.raises(NoMatchingMethod):
        client.call("IFileTransferService", "RenameFile", "a")
    client.capabilities()
    assert client.connections == 1


def test_live_stranger_is_told_why(live: AgentProcess, tmp_path: pathlib.Path) -> None:
    stranger = make(tmp_path / "stranger.pem", "Stranger")
    client = Client(Endpoint("127.0.0.1", live.port), str(stranger.path), timeouts=SOON)
    with client, pytest.raises(ClientError) as caught:
        client.capabilities()
    assert caught.value.cause == "server_not_trusted"
    assert stranger.thumbprint in str(caught.value)


def test_live_restart_between_two_calls_goes_unnoticed(tmp_path: pathlib.Path, identity: MadeIdentity) -> None:
    with AgentProcess(tmp_path, [identity.thumbprint]) as agent:
        endpoint = Endpoint("127.0.0.1", agent.port, agent.thumbprint)
        with Client(endpoint, str(identity.path), timeouts=SOON) as client:
            client.capabilities()
            agent.stop()
            agent.configure(port=endpoint.port)
            agent.start()
            client.capabilities()
            assert client.connections == 2
