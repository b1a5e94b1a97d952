# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Habits of the original that only its own client showed (docs/protocol/tentacle-services.md §14), over the wire."""

from __future__ import annotations

import pathlib
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from agent_process import AgentProcess
from script_client import PATIENCE, Open, Scripts, dies, lines, seen
from wire_client import WireClient

from module_utils._halibut.contracts import (
    CancelScriptCommand,
    ScriptStatusRequest,
    ScriptStatusRequestV2,
    ScriptTicket,
    StartScriptCommand,
)
from module_utils._halibut.timespan import TimeSpan


def test_a_second_start_waits_for_the_first_and_then_answers_at_once_with_the_whole_log(another: Open) -> None:
    first, second, third = another(), another(), another()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(first.start, "t", "echo begun; sleep 30; echo never", 1.5)
        third.until("t", seen("begun"))
        before = time.monotonic()
        answer = second.start("t", "echo other", wait=60)
        assert 0.5 < time.monotonic() - before < 10
        assert waiting.done() or waiting.result(5)
    assert (answer.state, lines(answer)) == (1, ["begun"])
    again = second.start("t", "echo other", wait=60)
    assert (again.state, again.logs) == (1, answer.logs)


def test_completing_a_running_script_forgets_it_and_the_ticket_runs_anew(
    agent: AgentProcess, scripts: Scripts, tmp_path: pathlib.Path
) -> None:
    scripts.start("t", f"echo begun; sleep 1; echo $$ >{tmp_path}/first", wait=None)
    scripts.until("t", seen("begun"))
    scripts.complete("t")
    assert scripts.status("t").exit_code == -45
    assert lines(scripts.start("t", "echo anew")) == ["anew"]
    limit = time.monotonic() + 10
    while not (tmp_path / "first").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    assert (tmp_path / "first").exists()


def test_the_answer_spells_the_ticket_as_it_was_asked(scripts: Scripts) -> None:
    scripts.start("Ticket", "true")
    spelling = ScriptTicket(scripts.name("tIcKeT"))
    answer = scripts.call("IScriptServiceV2", "GetStatus", ScriptStatusRequestV2(spelling))
    assert (answer.ticket, answer.exit_code, answer.state) == (spelling, 0, 2)


def test_numbers_beyond_the_end_and_before_the_start(scripts: Scripts) -> None:
    whole = scripts.start("t", "echo x")
    assert scripts.status("t", -7).logs == whole.logs
    beyond = scripts.status("t", 10**12)
    assert (beyond.logs, beyond.next_log_sequence) == ([], 10**12)


def test_version_1_knows_the_other_versions_ticket_as_done(scripts: Scripts) -> None:
    scripts.start("t", "echo logged; exit 5")
    answer = scripts.call("IScriptService", "GetStatus", ScriptStatusRequest(ScriptTicket(scripts.name("t"))))
    assert (answer.state, answer.exit_code, lines(answer)) == (2, 0, ["logged"])


def test_version_1_without_a_task_numbers_its_tickets_and_runs_twice(scripts: Scripts) -> None:
    tickets = [scripts.call("IScriptService", "StartScript", StartScriptCommand("echo one", mutex_name=scripts.prefix))
               for _unused in range(2)]
    assert all(re.fullmatch(r"\d{14}--\d+", ticket.task_id) for ticket in tickets)
    assert tickets[0] != tickets[1]
    for ticket in tickets:
        limit = time.monotonic() + PATIENCE
        while (status := scripts.call("IScriptService", "GetStatus", ScriptStatusRequest(ticket))).state != 2:
            assert time.monotonic() < limit
            time.sleep(0.02)
        assert lines(status) == ["one"]


def test_both_versions_share_the_mutex(scripts: Scripts) -> None:
    scripts.start("a", "sleep 60", wait=None, isolation=1)
    scripts.until("a", lambda status: bool(status.state == 1))
    command = StartScriptCommand("true", isolation=1, mutex_name=scripts.prefix)
    ticket = scripts.call("IScriptService", "StartScript", command)
    time.sleep(0.3)
    assert scripts.call("IScriptService", "GetStatus", ScriptStatusRequest(ticket)).state == 0
    scripts.call("IScriptService", "CancelScript", CancelScriptCommand(ticket))
    limit = time.monotonic() + PATIENCE
    while (status := scripts.call("IScriptService", "GetStatus", ScriptStatusRequest(ticket))).state != 2:
        assert time.monotonic() < limit
    assert status.exit_code == -43


def test_no_name_is_the_default_name_in_its_own_case(scripts: Scripts) -> None:
    scripts.start("a", "sleep 60", wait=None, isolation=1, mutex_name=None)
    scripts.until("a", lambda status: bool(status.state == 1))
    assert scripts.start("b", "true", wait=0.3, mutex_name="RunningScript").state == 0
    assert scripts.start("c", "true", mutex_name="runningscript").state == 2


def test_one_task_does_not_pass_itself(scripts: Scripts) -> None:
    scripts.start("a", "sleep 60", wait=None, isolation=1, task_id="ServerTasks-5")
    scripts.until("a", lambda status: bool(status.state == 1))
    answer = scripts.start("b", "true", wait=0.4, task_id="ServerTasks-5")
    assert answer.state == 0
    assert seen("This Task")(answer)


def test_a_waiting_writer_keeps_later_readers_out_until_it_times_out(scripts: Scripts) -> None:
    scripts.start("reader", "sleep 60", wait=None)
    scripts.until("reader", lambda status: bool(status.state == 1))
    scripts.start("writer", "true", wait=None, isolation=1, mutex_timeout=TimeSpan.from_seconds(1.5))
    scripts.until("writer", seen("##octopus[stdout-wait]"))
    assert scripts.start("later", "true", wait=0.3).state == 0
    assert scripts.until("writer").exit_code == -44
    assert scripts.until("later").exit_code == 0
    assert scripts.status("reader").state == 1


def test_a_cancel_after_the_end_changes_nothing(scripts: Scripts) -> None:
    done = scripts.start("t", "exit 6")
    assert scripts.cancel("t") == scripts.cancel("t") == done


def test_a_script_that_traps_sigterm_dies_with_all_it_started(scripts: Scripts) -> None:
    scripts.start("t", "trap 'echo trapped' TERM; setsid sleep 77 & echo $!; sleep 78", wait=None)
    child = int(lines(scripts.until("t", lambda status: len(lines(status)) == 1))[0])
    scripts.cancel("t")
    done = scripts.until("t")
    assert (done.exit_code, lines(done)) == (-1, [str(child)])
    assert dies(child)


@pytest.mark.parametrize("version", [1, 2])
def test_after_a_restart_the_mutex_is_free_and_children_live_on(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient], tmp_path: pathlib.Path, version: int
) -> None:
    agent = start_agent(drain_seconds=0)
    before = Scripts(connect(agent))
    body = f"echo begun; sleep 1.5; echo x >{tmp_path}/proof"
    if version == 1:
        ticket = before.call("IScriptService", "StartScript",
                             StartScriptCommand(body, isolation=1, mutex_name=before.prefix))
        status = ScriptStatusRequest(ticket)
        limit = time.monotonic() + PATIENCE
        while not seen("begun")(before.call("IScriptService", "GetStatus", status)):
            assert time.monotonic() < limit
    else:
        before.start("t", body, wait=None, isolation=1)
        before.until("t", seen("begun"))
    agent.kill()
    agent.start()
    after = Scripts(connect(agent))
    after.prefix = before.prefix
    assert lines(after.start("next", "echo free", isolation=1)) == ["free"]
    answer = after.call("IScriptService", "GetStatus", status) if version == 1 else after.status("t")
    assert (answer.state, answer.exit_code, lines(answer)) == (2, 0 if version == 1 else -46, ["begun"])
    limit = time.monotonic() + 10
    while not (tmp_path / "proof").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    assert (tmp_path / "proof").exists()
