# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that wait for each other, and the end of scripts (docs/protocol/tentacle-services.md §2.10, §2.11, §14)."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agent_process import AgentProcess
from script_client import PATIENCE, Open, Scripts, alive, dies, lines, seen

from module_utils._halibut.timespan import TimeSpan

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
    clients = [another() for _unused in range(200)]
    pool = ThreadPoolExecutor(200)
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
