"""IScriptService: tickets of the agent's making, no memory, one mutex with V2."""

from __future__ import annotations

import re
import time

import pytest

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import (
    CancelScriptCommand,
    CompleteScriptCommand,
    DataStream,
    ScriptFile,
    ScriptStatusRequest,
    ScriptStatusResponse,
    ScriptTicket,
    StartScriptCommand,
)

from .conftest import PATIENCE, Caller, ServiceFailed, output


def start(caller: Caller, body: str, **fields: object) -> ScriptTicket:
    contents = fields.pop("contents", ())
    command = StartScriptCommand(body, **{"task_id": "ServerTasks-2", **fields})  # type: ignore[arg-type]
    ticket = caller.call("IScriptService", "StartScript", command, contents=contents)  # type: ignore[arg-type]
    assert isinstance(ticket, ScriptTicket)
    return ticket


def until_complete(caller: Caller, ticket: ScriptTicket) -> ScriptStatusResponse:
    limit = time.monotonic() + PATIENCE
    while True:
        status = caller.call("IScriptService", "GetStatus", ScriptStatusRequest(ticket, 0))
        assert isinstance(status, ScriptStatusResponse)
        if status.state == 2:
            return status
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_the_whole_way(caller: Caller) -> None:
    stream = DataStream(Guid(b"1" * 16), 7)
    ticket = start(caller, "echo one; echo two >&2; cat f.txt; echo $1; exit 3", arguments=("x",), isolation=1,
                   files=(ScriptFile("f.txt", stream),), contents=((stream, b"content"),))
    assert re.fullmatch(r"\d{14}-2-1", ticket.task_id or "")
    status = until_complete(caller, ticket)
    assert (status.ticket, status.exit_code) == (ticket, 3)
    assert sorted(map(str, output(status))) == ["contentx", "one", "two"]
    assert "with FullIsolation in ServerTasks-2" in (status.logs[1].text or "")
    assert caller.call("IScriptService", "CancelScript", CancelScriptCommand(ticket, 2)).exit_code == 3
    last = caller.call("IScriptService", "CompleteScript", CompleteScriptCommand(ticket, status.next_log_sequence - 1))
    assert (last.state, last.exit_code, len(last.logs)) == (2, 3, 1)
    assert list(caller.work.iterdir()) == []
    assert not (caller.work / (ticket.task_id or "") / "scriptstate.json").exists()


def test_a_ticket_of_an_earlier_process_is_not_made_again(caller: Caller) -> None:
    ticket = start(caller, "echo first")
    until_complete(caller, ticket)
    later = Caller(caller.home)
    made = {start(later, "echo second").task_id for _unused in range(20)}
    assert ticket.task_id not in made
    assert output(until_complete(caller, ticket)) == ["first"]


def test_starting_twice_runs_twice(caller: Caller) -> None:
    tickets = [start(caller, "echo x >>../count"), start(caller, "echo x >>../count")]
    assert tickets[0] != tickets[1]
    for ticket in tickets:
        until_complete(caller, ticket)
    assert (caller.work / "count").read_text() == "x\nx\n"


def test_a_null_task(caller: Caller) -> None:
    ticket = start(caller, "true", task_id=None)
    assert re.fullmatch(r"\d{14}--1", ticket.task_id or "")
    status = until_complete(caller, ticket)
    assert (status.logs[1].text or "").endswith(f" in {ticket.task_id}")


def test_unknown_and_forgotten_tickets_are_done(caller: Caller) -> None:
    for method, command in (("GetStatus", ScriptStatusRequest), ("CancelScript", CancelScriptCommand),
                            ("CompleteScript", CompleteScriptCommand)):
        status = caller.call("IScriptService", method, command(ScriptTicket("nobody"), 0))
        assert (status.state, status.exit_code, status.logs) == (2, 0, ())
    ticket = start(caller, "echo begun; sleep 60")
    limit = time.monotonic() + PATIENCE
    while not output(caller.call("IScriptService", "GetStatus", ScriptStatusRequest(ticket, 0))):
        assert time.monotonic() < limit
        time.sleep(0.01)
    status = Caller(caller.home).call("IScriptService", "GetStatus", ScriptStatusRequest(ticket, 0))
    assert (status.state, status.exit_code, output(status)) == (2, 0, ["begun"])


def test_a_ticket_of_the_other_version(caller: Caller) -> None:
    answer = caller.start("v2", "echo x; exit 7")
    status = caller.call("IScriptService", "GetStatus", ScriptStatusRequest(ScriptTicket("v2"), 0))
    assert (status.state, status.exit_code, status.logs) == (2, 0, answer.logs)


def test_cancel(caller: Caller) -> None:
    ticket = start(caller, "sleep 60")
    time.sleep(0.2)
    caller.call("IScriptService", "CancelScript", CancelScriptCommand(ticket, 0))
    assert until_complete(caller, ticket).exit_code != 0


def test_both_versions_share_the_mutex(caller: Caller) -> None:
    ticket = start(caller, "sleep 60", isolation=1)
    time.sleep(0.2)
    assert caller.start("v2", "true", wait=0.3).state == 0
    caller.call("IScriptService", "CancelScript", CancelScriptCommand(ticket, 0))
    assert caller.until("v2").exit_code == 0


def test_what_is_refused_leaves_nothing(caller: Caller) -> None:
    for task in ("a/b", "../x"):
        with pytest.raises(ServiceFailed, match="TaskId"):
            start(caller, "true", task_id=task)
    stream = DataStream(Guid(b"1" * 16), 1)
    with pytest.raises(ServiceFailed, match="Name"):
        start(caller, "true", files=(ScriptFile("../x", stream),), contents=((stream, b"1"),))
    with pytest.raises(ServiceFailed, match="Isolation"):
        start(caller, "true", isolation=5)
    with pytest.raises(ServiceFailed, match="Object reference"):
        caller.call("IScriptService", "StartScript", None)
    assert not caller.work.exists() or list(caller.work.iterdir()) == []
