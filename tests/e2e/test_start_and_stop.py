# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an agent begins, what it needs at rest, and how it ends."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import time
from collections.abc import Callable

import pytest
from agent_process import AgentProcess, Identity, wait_until
from script_client import Scripts, lines
from wire_client import Ended, WireClient

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import DataStream, ScriptStatusRequestV2, ScriptTicket

Connect = Callable[..., WireClient]
StartAgent = Callable[..., AgentProcess]


def receives_a_file(process: AgentProcess) -> bool:
    """Whether an upload has begun: it goes to a file in the home that has no name yet."""
    for entry in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = os.readlink(entry)
            if target.startswith(str(process.home)) and target.endswith("(deleted)"):
                return True
    return False


UNSETTLED = """
import sys
from tentacle_agent import runtime
from tentacle_agent.__main__ import main
runtime.SETTLE_SECONDS = 600
sys.exit(main())
"""


def test_who_comes_before_the_agent_has_settled_is_served(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent(program=("-c", UNSETTLED))
    client = connect(process)
    assert client.capabilities().error is None
    assert client.upload("early.txt", b"text").error is None
    scripts = Scripts(connect(process))
    scripts.start("early", "echo early")
    assert "early" in lines(scripts.until("early"))
    assert process.stop() == 0


def test_stopping_ends_idle_connections_at_once(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    client = connect(process)
    client.capabilities()
    start = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - start < 3
    assert client.read_to_end(5) == b""
    with pytest.raises(OSError, match="refused"):
        connect(process)


def test_stopping_lets_scripts_end_and_refuses_new_ones(start_agent: StartAgent, connect: Connect) -> None:
    from module_utils._halibut.contracts import StartScriptCommandV2
    from module_utils._halibut.timespan import TimeSpan

    def start(ticket: str, body: str) -> StartScriptCommandV2:
        return StartScriptCommandV2(
            script_ticket=ScriptTicket(ticket), script_body=body, task_id="t", duration_to_wait=None, isolation=0,
            mutex_timeout=TimeSpan.from_seconds(20), mutex_name=None, scripts={}, files=(), arguments=(),
        )

    process = start_agent(drain_seconds=20)
    client = connect(process)
    assert client.call("IScriptServiceV2", "StartScript", start("slow", "sleep 2; echo done")).error is None
    process.signal(15)
    process.wait_for_log("The agent stops")
    error = client.call("IScriptServiceV2", "StartScript", start("late", "true")).error
    assert error is not None
    assert error.message == "The Tentacle service is shutting down and cannot process this request."
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        try:
            status = client.call("IScriptServiceV2", "GetStatus", ScriptStatusRequestV2(ScriptTicket("slow"), 0))
        except (Ended, OSError):
            break
        assert status.error is None or "shutting down" in (status.error.message or "")
        time.sleep(0.2)
    assert process.stop() == 0
    assert (process.home / "Work" / "slow" / "Output.log").read_text().count("done") == 1


def test_start_up_says_what_test_harnesses_look_for(agent: AgentProcess, server_identity: Identity) -> None:
    lines = [line.partition("INFO  ")[2] for line in agent.log().splitlines()]
    wanted = [f"Agent will trust Octopus Servers with the thumbprint: {server_identity.thumbprint}",
              f"listen://127.0.0.1:{agent.port}/  Listener started", f"Agent listening on: 127.0.0.1:{agent.port}"]
    positions = [lines.index(line) for line in wanted]
    assert positions == sorted(positions)


def test_an_agent_without_certificate_makes_one(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent(identity=b"", certificate_path="fresh.pem")
    assert (process.directory / "fresh.pem").stat().st_mode & 0o077 == 0
    assert connect(process).capabilities().error is None
    assert "a new one has been generated" in process.log()


def test_an_idle_agent_uses_no_processor_and_little_memory(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    connect(process).capabilities()
    time.sleep(1)
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        before = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    time.sleep(3)
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        after = sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    assert after - before <= 1, "in hundredths of a second, during three seconds"


def test_a_taken_port_is_a_sentence(start_agent: StartAgent, tmp_path: object, agent: AgentProcess) -> None:
    sentence = f"Could not listen on port {agent.port} of 127.0.0.1: Address already in use"
    with pytest.raises(RuntimeError, match=sentence):
        start_agent(port=agent.port)


def test_the_agent_listens_on_ipv6_and_ipv4(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent(listen_address=None)
    addresses = ["127.0.0.1", "::1"] if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6") else ["127.0.0.1"]
    for address in addresses:
        assert connect(process, address=address).capabilities().error is None
    assert "Client at 127.0.0.1 authenticated" in process.log()


def test_a_call_that_runs_is_finished_before_the_end(start_agent: StartAgent, connect: Connect) -> None:
    """An upload is half there when the agent is told to stop."""
    process = start_agent(drain_seconds=20)
    content = os.urandom(2_000_000)
    stream = DataStream(Guid(os.urandom(16)), len(content))
    client = connect(process)
    client.begin("IFileTransferService", "UploadFile", "late.bin", stream)
    client.fill(content[:1_000_000], end=False)
    wait_until(lambda: receives_a_file(process))
    process.signal(15)
    process.wait_for_log("The agent stops")
    time.sleep(1)
    client.fill(content[1_000_000:])
    assert client.answer().result.length == len(content)
    assert client.read_to_end() == b""
    assert process.stop() == 0
    assert (process.home / "late.bin").read_bytes() == content


def test_a_call_that_does_not_end_is_broken_off_when_the_time_is_over(
    start_agent: StartAgent, connect: Connect
) -> None:
    process = start_agent(drain_seconds=0)
    stream = DataStream(Guid(os.urandom(16)), 1000)
    client = connect(process)
    client.begin("IFileTransferService", "UploadFile", "never.bin", stream)
    wait_until(lambda: receives_a_file(process))
    start = time.monotonic()
    process.signal(15)
    assert client.ends_by_reset()
    assert process.stop() == 0
    assert 4 < time.monotonic() - start < 15
    assert "1 connection(s) with a running call are broken off" in process.log()
    assert not (process.home / "never.bin").exists()


def test_scripts_get_no_descriptor_of_the_agent(start_agent: StartAgent, connect: Connect) -> None:
    """Neither the listening socket, which would keep the port from the next agent, nor connections, log or files."""
    process = start_agent()
    scripts = Scripts(connect(process))
    connect(process).capabilities()
    body = "for f in /proc/self/fd/*; do echo \"$(basename $f) $(readlink $f)\"; done"
    found = dict(line.partition(" ")[::2] for line in lines(scripts.start("look", body)))
    own = {name for name, target in found.items() if target.endswith(("Bootstrap.sh", "fd")) or not target}
    assert set(found) - own == {"0", "1", "2"}, found
    assert not [target for target in found.values() if target.startswith("socket:")]


def test_several_instances_share_a_host_and_nothing_else(
    start_agent: StartAgent, connect: Connect, server_identity: Identity, stranger_identity: Identity
) -> None:
    first = start_agent(instance="first")
    second = start_agent(instance="second", trusted=[stranger_identity.thumbprint])
    assert first.port != second.port
    assert connect(first).upload("only.txt", b"first").error is None
    assert connect(second, stranger_identity).upload("only.txt", b"second").error is None
    assert (first.home / "only.txt").read_bytes() == b"first"
    assert (second.home / "only.txt").read_bytes() == b"second"
    for process, identity in ((first, server_identity), (second, stranger_identity)):
        name = lines(Scripts(connect(process, identity)).start("name", "echo $TentacleInstanceName $TentacleHome"))
        assert name == [f"{process.values['instance']} {process.home}"]
    assert first.stop() == 0
    assert connect(second, stranger_identity).capabilities().error is None


def test_scripts_find_the_proxy_and_logs_do_not_show_its_password(start_agent: StartAgent, connect: Connect) -> None:
    def with_password(directory: pathlib.Path) -> None:
        (directory / "proxy-password").write_text("s3cret word\n")

    proxy = {"use_default": False, "host": "p", "port": 3128, "username": "u"}
    process = start_agent(proxy=proxy, before=with_password)
    status = Scripts(connect(process)).start("proxy", """
        echo $TentacleUseDefaultProxy $TentacleProxyHost $TentacleProxyPort $TentacleProxyUsername
        echo "<$TentacleProxyPassword> ${#TentacleProxyPassword}"
        echo "http://u:${TentacleProxyPassword// /%20}@p"
    """)
    assert lines(status) == ["False p 3128 u", "<********> 11", "http://u:********@p"]
