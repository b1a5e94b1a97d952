"""What a waiting script's log says: links to the tasks in the way, and who needs to be alone."""

from __future__ import annotations

from tentacle_agent.isolation import IsolationMutex
from tentacle_agent.services.script import isolation_texts


def test_the_three_lines_of_asking_are_the_originals() -> None:
    mutex = IsolationMutex()
    assert isolation_texts.asking("RunningScript", mutex.claim(None, True, "ServerTasks-1")) == [
        "##octopus[stdout-verbose]",
        "Acquiring isolation mutex RunningScript with FullIsolation in ServerTasks-1",
        "##octopus[stdout-default]",
    ]
    assert "with NoIsolation in " in isolation_texts.asking("x", mutex.claim("x", False, "T"))[1]


def test_waiting_is_shown_as_waiting() -> None:
    mutex = IsolationMutex()
    mutex.claim("m", True, "ServerTasks-1")
    lines = isolation_texts.busy(mutex.claim("m", False, "ServerTasks-2"))
    assert (lines[0], lines[2], len(lines)) == ("##octopus[stdout-wait]", "##octopus[stdout-default]", 3)
    assert "[ServerTasks-1](~/app#/tasks/ServerTasks-1) is running" in lines[1]
    assert "a script that has to run alone" in lines[1]


def test_several_readers_are_listed_for_a_writer() -> None:
    mutex = IsolationMutex()
    for task in ("T-3", "T-1", "Me", "T-1"):
        mutex.claim("m", False, task)
    text = isolation_texts.busy(mutex.claim("m", True, "Me"))[1]
    assert "This Task, [T-1](~/app#/tasks/T-1) and [T-3](~/app#/tasks/T-3) are still running" in text
    assert "this script has to run alone" in text


def test_another_script_of_the_same_task() -> None:
    mutex = IsolationMutex()
    mutex.claim("m", True, "Me")
    assert "another script of This Task is still running" in isolation_texts.busy(mutex.claim("m", True, "Me"))[1]


def test_time_out_and_cancel_name_who_still_runs() -> None:
    mutex = IsolationMutex()
    mutex.claim("m", False, "T-1")
    claim = mutex.claim("m", True, "Me")
    assert "1 minute to start" in isolation_texts.timed_out(claim, 119.9)
    assert "0 minutes" in isolation_texts.timed_out(claim, 2)
    for text in (isolation_texts.timed_out(claim, 600), isolation_texts.cancelled(claim)):
        assert "[T-1](~/app#/tasks/T-1)" in text


def test_nobody_is_left_in_the_way() -> None:
    mutex = IsolationMutex()
    claim = mutex.claim("m", True, "Me")
    assert "turn has just come" in isolation_texts.cancelled(claim)
