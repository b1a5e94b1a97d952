"""IScriptServiceV2 with real scripts: one behaviour of the original after another."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from module_utils._halibut.contracts import (
    CompleteScriptCommandV2,
    ScriptStatusRequestV2,
    ScriptTicket,
    StartScriptCommandV2,
)
from module_utils._halibut.timespan import TimeSpan

from .conftest import Caller, ServiceFailed, has_line, output


def test_a_quick_script_is_complete_in_one_call(caller: Caller) -> None:
    answer = caller.start("t", "echo hello\necho oops >&2\nexit 3")
    workspace = caller.work / "t"
    assert (answer.state, answer.exit_code, answer.next_log_sequence) == (2, 3, 9)
    assert (output(answer, 0), output(answer, 1)) == (["hello"], ["oops"]) or output(answer)[0] == "oops"
    assert [line.text for line in answer.logs][:3] == [
        "##octopus[stdout-verbose]",
        "Acquiring isolation mutex RunningScript with NoIsolation in ServerTasks-1",
        "##octopus[stdout-default]",
    ]
    debug = [line.text for line in answer.logs if line.source == 2]
    assert debug[:2] == ["Executable directory is /bin", "Executable name or full path: /bin/bash"]
    assert (debug[2] or "").startswith(
        f"Starting /bin/bash in working directory '{workspace}' using 'Unicode (UTF-8)' encoding running as '")
    assert debug[3] == f"Process /bin/bash in {workspace} exited with code 3"
    caller.complete("t")
    assert not workspace.exists()
    assert caller.status("t").exit_code == -45


def test_start_returns_at_its_limit(caller: Caller) -> None:
    before = time.monotonic()
    answer = caller.start("t", "echo begun; sleep 60", wait=0.5)
    assert 0.4 < time.monotonic() - before < 5
    assert (answer.state, answer.exit_code) == (1, 0)
    assert output(answer) == ["begun"]
    before = time.monotonic()
    assert caller.start("u", "sleep 60", wait=None).state in (0, 1)
    assert time.monotonic() - before < 2


@pytest.mark.parametrize("wait", [None, 0.0])
def test_who_does_not_wait_is_told_that_it_is_pending(caller: Caller, wait: float | None) -> None:
    for number in range(20):
        answer = caller.start(f"t{number}", "true", wait=wait)
        assert (answer.state, answer.exit_code, answer.logs, answer.next_log_sequence) == (0, 0, (), 0)
    for number in range(20):
        assert caller.until(f"t{number}").exit_code == 0


def test_output_is_seen_while_the_script_runs(caller: Caller) -> None:
    caller.start("t", "echo one; sleep 0.5; echo two", wait=None)
    first = caller.until("t", has_line("one"))
    assert not has_line("two")(first)
    rest = caller.until("t")
    after = caller.status("t", first.next_log_sequence)
    assert len(first.logs) + len(after.logs) == len(rest.logs)
    assert output(after) == ["two"]


def test_a_second_start_does_not_run_again(caller: Caller) -> None:
    caller.start("t", "echo once >>../count; echo first")
    before = time.monotonic()
    again = caller.start("t", "echo other")
    assert time.monotonic() - before < 5
    assert (again.state, output(again)) == (2, ["first"])
    assert (caller.work / "count").read_text() == "once\n"


def test_racing_starts_run_once(caller: Caller) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda ticket: caller.start(ticket, "echo x >>../count"), "tT" * 6))
    assert {answer.exit_code for answer in answers} == {0}
    assert (caller.work / "count").read_text() == "x\n"


def test_a_second_start_waits_behind_the_first_and_then_answers_at_once(caller: Caller) -> None:
    first = threading.Thread(target=caller.start, args=("t", "echo begun; sleep 60", 1.0))
    first.start()
    caller.until("t", has_line("begun"))
    before = time.monotonic()
    answer = caller.start("t", "echo never", wait=30)
    assert 0.2 < time.monotonic() - before < 10
    assert (answer.state, output(answer)) == (1, ["begun"])
    assert not first.is_alive() or first.join(5) is None
    before = time.monotonic()
    assert caller.start("t", "echo never", wait=30).state == 1
    assert time.monotonic() - before < 5


def test_status_and_cancel_are_served_while_start_waits_and_cancel_ends_the_wait(caller: Caller) -> None:
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(caller.start, "t", "echo begun; sleep 60", 60)
        caller.until("t", has_line("begun"))
        assert caller.cancel("t").ticket == ScriptTicket("t")
        answer = start.result(10)
    assert (answer.state, answer.exit_code, output(answer)) == (2, -1, ["begun"])


def test_tickets_have_no_case_and_are_answered_as_asked(caller: Caller) -> None:
    assert caller.start("Mixed", "echo x").ticket == ScriptTicket("Mixed")
    status = caller.status("mIXED")
    assert (status.ticket, status.state, output(status)) == (ScriptTicket("mIXED"), 2, ["x"])
    caller.complete("MIXED")
    assert os.listdir(caller.work) == []


def test_unknown_tickets(caller: Caller) -> None:
    for answer in (caller.status("nobody"), caller.cancel("nobody")):
        assert (answer.state, answer.exit_code, answer.logs, answer.next_log_sequence) == (2, -45, (), 0)
    caller.complete("nobody")
    assert not caller.work.exists()


def test_completing_a_running_script_forgets_it_but_does_not_end_it(caller: Caller, tmp_path: pathlib.Path) -> None:
    caller.start("t", f"echo begun; sleep 0.6; echo done >{tmp_path}/proof", wait=None)
    caller.until("t", has_line("begun"))
    caller.complete("t")
    assert caller.status("t").exit_code == -45
    again = caller.start("t", "echo anew", wait=20)
    assert (again.exit_code, output(again)) == (0, ["anew"])
    limit = time.monotonic() + 10
    while not (tmp_path / "proof").exists() and time.monotonic() < limit:
        time.sleep(0.02)
    assert (tmp_path / "proof").exists()
    time.sleep(0.2)
    assert json.loads((caller.work / "t" / "scriptstate.json").read_text())["ExitCode"] == 0
    assert output(caller.status("t")) == ["anew"]


def test_starting_asking_and_completing_at_once_never_breaks_a_start(caller: Caller) -> None:
    stop = threading.Event()

    def keep(call: Callable[[str], object]) -> None:
        while not stop.wait(0.005):
            call("t")

    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(keep, call) for call in (caller.complete, caller.status, caller.cancel)]
        try:
            for _unused in range(25):
                answer = caller.start("t", "true")
                assert answer.state == 2
                assert answer.exit_code in (0, 127, -1, -42, -43, -45), answer
        finally:
            stop.set()
        for future in busy:
            future.result(20)
    caller.complete("t")
    assert os.listdir(caller.work) == []
    assert caller.start("t", "echo fine").exit_code == 0


def test_numbers_beyond_the_end_and_before_the_start(caller: Caller) -> None:
    answer = caller.start("t", "echo x")
    assert caller.status("t", 1000).next_log_sequence == 1000
    assert caller.status("t", 1000).logs == ()
    assert caller.status("t", -1).logs == answer.logs


def test_a_script_that_deletes_its_workspace_keeps_its_exit_code(caller: Caller) -> None:
    answer = caller.start("t", 'echo going; cd /; rm -rf "$OLDPWD"; exit 6')
    assert (answer.state, answer.exit_code) == (2, 6)
    assert has_line("going")(answer)
    assert has_line("Warning: An exception occurred saving the ScriptState: ")(answer)
    assert caller.status("t").exit_code == 6
    caller.complete("t")


def test_a_child_that_keeps_the_pipes_keeps_the_script_running(caller: Caller) -> None:
    answer = caller.start("t", "(sleep 0.6; echo late) & exit 4", wait=0.2)
    assert answer.state == 1
    done = caller.until("t")
    assert (done.exit_code, output(done)) == (4, ["late"])


def test_completing_a_waiting_script_ends_its_wait_and_it_never_runs(caller: Caller, tmp_path: pathlib.Path) -> None:
    caller.start("a", "sleep 60", wait=None)
    caller.until("a", lambda status: status.state == 1)
    caller.start("w", f"echo x >>{tmp_path}/proof", wait=None, isolation=1)
    caller.until("w", has_line("Acquiring"))
    caller.complete("w")
    assert caller.status("w").exit_code == -45
    assert caller.start("reader", "true").exit_code == 0
    caller.start("w", f"echo x >>{tmp_path}/proof", wait=None, isolation=1)
    caller.cancel("a")
    assert caller.until("w").exit_code == 0
    assert (tmp_path / "proof").read_text() == "x\n"


def test_the_state_file_tells_the_story(caller: Caller) -> None:
    caller.start("t", "exit 9")
    document = json.loads((caller.work / "t" / "scriptstate.json").read_text())
    assert (document["State"], document["ExitCode"], document["RanToCompletion"]) == (2, 9, True)
    assert document["Created"] <= document["Started"] <= document["Completed"]
    assert sorted(os.listdir(caller.work / "t")) == ["Bootstrap.sh", "Output.log", "scriptstate.json"]


def test_a_null_task_is_harmless(caller: Caller) -> None:
    answer = caller.start("t", "echo x", task_id=None)
    assert (answer.exit_code, output(answer)) == (0, ["x"])
    assert caller.start("u", "echo y", isolation=1).exit_code == 0


def test_many_at_once_each_with_its_own_log(caller: Caller) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: caller.start(f"t{number}", f"echo {number}; exit {number}"), range(20)))
    assert [(answer.exit_code, output(answer)) for answer in answers] == [(n, [str(n)]) for n in range(20)]


def test_a_shell_that_cannot_be_started(caller: Caller) -> None:
    answer = caller.start("t", "echo x", arguments=("nul\0",))
    assert (answer.state, answer.exit_code) == (2, -42)
    assert (output(answer, 1)[0] or "").startswith("An exception was thrown when invoking /bin/bash: ")


def test_a_log_that_cannot_be_written(caller: Caller) -> None:
    caller.work.mkdir()
    (caller.work / "t").mkdir()
    (caller.work / "t" / "Output.log").mkdir()
    answer = caller.start("t", "echo x")
    assert (answer.state, answer.exit_code, answer.logs) == (2, -41, ())


def test_masses_of_output_come_back_whole(caller: Caller) -> None:
    answer = caller.start("t", "seq 1 30000; head -c 1048576 /dev/zero | tr '\\0' x")
    assert [int(text or 0) for text in output(answer)[:-1]] == list(range(1, 30001))
    assert output(answer)[-1] == "x" * 1048576


@pytest.mark.parametrize("method", ["StartScript", "GetStatus", "CancelScript", "CompleteScript"])
def test_null_where_a_command_is_expected(caller: Caller, method: str) -> None:
    with pytest.raises(ServiceFailed) as failure:
        caller.call("IScriptServiceV2", method, None)
    assert failure.value.args[0] == "Object reference not set to an instance of an object."


@pytest.mark.parametrize("ticket", [None, ScriptTicket(None), ScriptTicket("../x"), ScriptTicket("x" * 300)])
def test_bad_tickets_are_named(caller: Caller, ticket: ScriptTicket | None) -> None:
    for method, command in (("StartScript", StartScriptCommandV2(ticket, "true")),
                            ("GetStatus", ScriptStatusRequestV2(ticket)),
                            ("CompleteScript", CompleteScriptCommandV2(ticket))):
        with pytest.raises(ServiceFailed, match="TaskId"):
            caller.call("IScriptServiceV2", method, command)
    assert not caller.work.exists()


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"isolation": 7}, "Isolation"), ({"mutex_timeout": TimeSpan(-5)}, "ScriptIsolationMutexTimeout"),
     ({"wait": -1.0}, "DurationToWaitForScriptToFinish"), ({"body": None}, "ScriptBody")],
)
def test_bad_fields_are_named(caller: Caller, fields: dict[str, object], named: str) -> None:
    with pytest.raises(ServiceFailed, match=named):
        caller.start("t", **{"body": "true", **fields})  # type: ignore[arg-type]
    assert caller.status("t").exit_code == -45
    assert caller.start("t", "true").exit_code == 0


def test_no_signal_handler_of_ours_is_needed() -> None:
    assert signal.getsignal(signal.SIGCHLD) in (signal.SIG_DFL, signal.SIG_IGN, None)
