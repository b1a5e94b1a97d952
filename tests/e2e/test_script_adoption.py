# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that go on while the agent is restarted, with a service manager that keeps their descriptors."""

from __future__ import annotations

import os
import pathlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agent_process import AgentProcess
from script_client import Scripts, alive, dies, lines, seen
from service_manager import Manager
from wire_client import WireClient

Begin = Callable[..., tuple[AgentProcess, Scripts]]


@pytest.fixture
def manager(tmp_path: pathlib.Path) -> Iterator[Manager]:
    with Manager(tmp_path) as manager:
        yield manager


@pytest.fixture
def begin(start_agent: Callable[..., AgentProcess], manager: Manager, connect: Callable[..., WireClient]) -> Begin:
    def start(**values: Any) -> tuple[AgentProcess, Scripts]:
        values = {"adopt_scripts": True, "drain_seconds": 0, **values}
        agent = start_agent(python=sys.executable, program=manager.command, environment=manager.environment, **values)
        return agent, Scripts(connect(agent))

    return start


def again(agent: AgentProcess, before: Scripts, connect: Callable[..., WireClient], how: str) -> Scripts:
    """Restart the agent, in order or by death; the client goes on with a new connection."""
    if how == "kill":
        agent.kill()
    else:
        agent.signal(signal.SIGTERM)
        assert agent.stop() == 0
    agent.start()
    after = Scripts(connect(agent))
    after.prefix = before.prefix
    return after


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_script_goes_on_with_its_output_its_mutex_and_its_exit_code(
    begin: Begin, connect: Callable[..., WireClient], manager: Manager, tmp_path: pathlib.Path, how: str
) -> None:
    agent, before = begin()
    gate = tmp_path / "gate"
    body = f"echo begun; echo oops >&2; until [ -e {gate} ]; do sleep 0.1; echo tick; done; echo ended; exit 7"
    before.start("t", body, wait=None, isolation=1)
    before.until("t", seen("tick"))
    manager.until_kept(4)
    after = again(agent, before, connect, how)
    agent.wait_for_log("1 script.s. of the agent's previous process go on")
    known = len(lines(after.status("t")))
    assert after.status("t").state == 1
    assert after.start("t", "echo other", wait=None).state == 1
    assert after.start("other", "true", wait=0.3, isolation=1).state == 0
    after.until("t", lambda status: len(lines(status)) > known + 2)
    gate.touch()
    done = after.until("t")
    assert (done.exit_code, lines(done, 1), lines(done, 0)[0], lines(done, 0)[-1]) == (7, ["oops"], "begun", "ended")
    assert done.logs[-1].text.endswith("exited with code 7")
    assert after.until("other").exit_code == 0
    manager.until_kept(0)


def test_what_ended_meanwhile_is_told_whole(
    begin: Begin, connect: Callable[..., WireClient], manager: Manager
) -> None:
    agent, before = begin()
    before.start("t", "printf 'begin of a line'; sleep 1; echo ' and its end'; seq 1000; exit 9", wait=None)
    before.until("t", lambda status: bool(status.state == 1))
    manager.until_kept(4)
    time.sleep(0.4)
    agent.signal(signal.SIGTERM)
    assert agent.stop() == 0
    time.sleep(1.5)
    agent.start()
    after = Scripts(connect(agent))
    after.prefix = before.prefix
    done = after.until("t")
    assert (done.exit_code, lines(done)) == (9, ["begin of a line and its end", *map(str, range(1, 1001))])


def test_an_adopted_script_can_be_cancelled_with_all_it_started(
    begin: Begin, connect: Callable[..., WireClient], manager: Manager
) -> None:
    agent, before = begin()
    before.start("t", "setsid sleep 71 & echo $!; echo $$; sleep 72", wait=None)
    pids = list(map(int, lines(before.until("t", lambda status: len(lines(status)) == 2))))
    manager.until_kept(4)
    after = again(agent, before, connect, "kill")
    assert all(alive(pid) for pid in pids)
    after.cancel("t")
    assert after.until("t").exit_code == -1
    assert all(dies(pid) for pid in pids)


def test_waiting_scripts_are_not_adopted(begin: Begin, connect: Callable[..., WireClient], manager: Manager) -> None:
    agent, before = begin()
    before.start("t", "sleep 60", wait=None, isolation=1)
    before.start("waiting", "echo stored", wait=None, isolation=1)
    before.until("waiting", seen("##octopus[stdout-wait]"))
    manager.until_kept(4)
    after = again(agent, before, connect, "kill")
    assert after.status("waiting").exit_code == -46
    after.cancel("t")
    after.until("t")


def test_without_the_setting_nothing_is_kept(
    begin: Begin, connect: Callable[..., WireClient], manager: Manager
) -> None:
    agent, before = begin(adopt_scripts=False)
    before.start("t", "sleep 3", wait=None)
    before.until("t", lambda status: bool(status.state == 1))
    after = again(agent, before, connect, "kill")
    assert after.status("t").exit_code == -46
    assert not any("FDSTORE" in message for message in manager.messages)


def test_what_was_kept_is_given_up_when_the_setting_goes(
    begin: Begin, connect: Callable[..., WireClient], manager: Manager
) -> None:
    """Else the script would wait for ever for somebody to read what it writes."""
    agent, before = begin()
    before.start("t", "yes", wait=None)
    pid = agent_child(agent)
    manager.until_kept(4)
    agent.kill()
    agent.configure(adopt_scripts=False)
    agent.start()
    manager.until_kept(0)
    after = Scripts(connect(agent))
    after.prefix = before.prefix
    assert after.status("t").exit_code == -46
    assert dies(pid)


def agent_child(agent: AgentProcess) -> int:
    """The process that the agent has started."""
    limit = time.monotonic() + 10
    while True:
        found = [int(number) for task in os.listdir(f"/proc/{agent.pid}/task")
                 for number in pathlib.Path(f"/proc/{agent.pid}/task/{task}/children").read_text().split()]
        if found:
            return found[0]
        assert time.monotonic() < limit
        time.sleep(0.02)
