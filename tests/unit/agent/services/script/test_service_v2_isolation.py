"""`IScriptServiceV2`: who waits for whom."""

from __future__ import annotations

import json
import pathlib
import time

import pytest

from module_utils._halibut.timespan import TimeSpan

from .conftest import Caller, has_line, output

FOREVER = TimeSpan.parse("24.20:31:23.6470000")


def test_full_isolation_waits_and_says_so(caller: Caller) -> None:
    caller.start("a", "sleep 0.6", wait=None, task_id="ServerTasks-7")
    caller.until("a", lambda status: status.state == 1)
    caller.start("b", "echo b", wait=None, isolation=1)
    waiting = caller.until("b", has_line("##octopus[stdout-wait]"))
    assert waiting.state == 0
    assert has_line("[ServerTasks-7](~/app#/tasks/ServerTasks-7)")(waiting)
    assert caller.until("b").exit_code == 0


@pytest.mark.parametrize(
    ("first", "second", "same_name", "blocks"),
    [(0, 0, True, False), (0, 1, True, True), (1, 0, True, True), (1, 1, True, True), (1, 1, False, False)],
)
def test_who_waits_for_whom(caller: Caller, first: int, second: int, same_name: bool, blocks: bool) -> None:
    caller.start("a", "sleep 60", wait=None, isolation=first, mutex_name="one")
    caller.until("a", lambda status: status.state == 1)
    name = "one" if same_name else "One"
    answer = caller.start("b", "true", wait=0.4 if blocks else 20, isolation=second, mutex_name=name)
    assert answer.state == (0 if blocks else 2)


def test_cancel_while_waiting(caller: Caller) -> None:
    caller.start("a", "sleep 60", wait=None, isolation=1, task_id="ServerTasks-7")
    caller.until("a", lambda status: status.state == 1)
    caller.start("b", "echo never", wait=None)
    caller.until("b", has_line("stdout-wait"))
    caller.cancel("b")
    done = caller.until("b")
    assert done.exit_code == -43
    assert output(done)[-1] == "Script execution canceled."
    assert "ServerTasks-7" in (output(done)[-2] or "")
    assert json.loads((caller.work / "b" / "scriptstate.json").read_text())["ExitCode"] == -43


def test_time_out_while_waiting_lets_the_readers_behind_it_in(caller: Caller) -> None:
    caller.start("a", "sleep 60", wait=None)
    caller.until("a", lambda status: status.state == 1)
    caller.start("w", "echo never", wait=None, isolation=1, mutex_timeout=TimeSpan.from_seconds(0.7))
    caller.until("w", has_line("Acquiring"))
    reader = caller.start("r", "echo reader", wait=0.2)
    assert reader.state == 0
    done = caller.until("w")
    assert (done.exit_code, output(done)[-1]) == (-44, "Script execution timed out.")
    assert caller.until("r").exit_code == 0


def test_the_busy_message_comes_again(tmp_path: pathlib.Path) -> None:
    caller = Caller(str(tmp_path), first_notice=0.05)
    caller.start("a", "sleep 60", wait=None, isolation=1)
    caller.until("a", lambda status: status.state == 1)
    caller.start("b", "true", wait=None)
    try:
        caller.until("b", lambda status: [line.text for line in status.logs].count("##octopus[stdout-wait]") >= 3)
    finally:
        for script in caller.services.running():
            script.cancel()
        assert caller.services.stop(20) == 0


def test_no_time_out_is_no_time_out(caller: Caller) -> None:
    caller.start("a", "sleep 0.5", wait=None, isolation=1)
    for number, timeout in enumerate((TimeSpan(0), TimeSpan(-10_000), FOREVER)):
        assert caller.start(f"b{number}", "true", isolation=1, mutex_timeout=timeout).exit_code == 0


def test_two_hundred_waiting_starts_do_not_keep_others(caller: Caller) -> None:
    caller.start("holder", "sleep 60", wait=None, isolation=1)
    caller.until("holder", lambda status: status.state == 1)
    before = time.monotonic()
    for number in range(200):
        caller.start(f"w{number}", "true", wait=None)
    assert caller.start("other", "echo free", mutex_name="other").exit_code == 0
    assert time.monotonic() - before < 15
    caller.cancel("holder")
    for number in range(200):
        assert caller.until(f"w{number}").exit_code == 0
