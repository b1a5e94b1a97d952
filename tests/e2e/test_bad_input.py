# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server must not send: each a sentence that names the field, and a connection that goes on.

Values that the original's serializer cannot read are the exception: it closes the connection without an answer, and so
do we (docs/protocol/halibut-wire.md §3.5, §4.8); the field then stands in our log.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from agent_process import AgentProcess
from script_client import TARGET_INVOCATION, Scripts
from wire_client import Ended, WireClient

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import DataStream, ScriptFile, ScriptTicket, StartScriptCommandV2, Untyped
from module_utils._halibut.messages import Response

Connect = Callable[..., WireClient]
V1 = "Octopus.Shared.Contracts.{}, Octopus.Shared"
V2 = "Octopus.Tentacle.Contracts.ScriptServiceV2.{}, Octopus.Tentacle.Contracts"
TICKET = {"TaskId": "ok"}


def without_missing(document: dict[str, Any]) -> Untyped:
    """The document without the members whose value is `...`."""
    return Untyped({name: value for name, value in document.items() if value is not ...})


def start_v2(**members: Any) -> tuple[str, str, Untyped]:
    document = {"$type": V2.format("StartScriptCommandV2"), "ScriptTicket": TICKET, "ScriptBody": "true", **members}
    return "IScriptServiceV2", "StartScript", without_missing(document)


def start_v1(**members: Any) -> tuple[str, str, Untyped]:
    document = {"$type": V1.format("StartScriptCommand"), "ScriptBody": "true", **members}
    return "IScriptService", "StartScript", without_missing(document)


def about(method: str, ticket: Any, version: int = 2) -> tuple[str, str, Untyped]:
    name = {"GetStatus": "ScriptStatusRequest"}.get(method, method + "Command")
    pattern, suffix = (V2, "V2") if version == 2 else (V1, "")
    document = {"$type": pattern.format(name + suffix), "Ticket": ticket}
    return f"IScriptService{suffix}", method, Untyped(document)


def assert_refused(client: WireClient, response: Response, field: str) -> None:
    assert response.error is not None, response.result
    assert field in (response.error.message or "")
    assert (response.error.details or "").startswith(TARGET_INVOCATION)
    assert client.capabilities().error is None


BAD_TICKETS = [None, {"TaskId": None}, {}, *({"TaskId": name} for name in (
    "", "..", ".", "../x", "a/b", "a\\b", "nul\0l", "x" * 300, "ü" * 150, ".hidden"))]


@pytest.mark.parametrize("ticket", BAD_TICKETS, ids=lambda ticket: repr(ticket)[:24])
@pytest.mark.parametrize("method", ["StartScript", "GetStatus", "CancelScript", "CompleteScript"])
def test_tickets_that_name_no_workspace(agent: AgentProcess, connect: Connect, method: str, ticket: Any) -> None:
    client = connect(agent)
    call = start_v2(ScriptTicket=ticket) if method == "StartScript" else about(method, ticket)
    assert_refused(client, client.call(*call), "TaskId")
    if method != "StartScript":
        assert_refused(client, client.call(*about(method, ticket, 1)), "TaskId")


@pytest.mark.parametrize("name", [
    "../escape", "/tmp/escape", "a/../../escape", "..", ".", "", "a/", "nul\0", "Output.log", "scriptstate.json", None])
def test_file_names_that_leave_the_workspace(agent: AgentProcess, connect: Connect, name: str | None) -> None:
    client = connect(agent)
    stream = DataStream(Guid(os.urandom(16)), 100_000)
    ticket = f"file-{os.urandom(4).hex()}"
    command = StartScriptCommandV2(ScriptTicket(ticket), "true", files=(ScriptFile(name, stream),))
    response = client.call("IScriptServiceV2", "StartScript", command, payloads={stream.id: b"x" * 100_000})
    assert_refused(client, response, "Name")
    assert [path for path in agent.home.rglob("*") if "escape" in path.name or path.name.startswith(".incoming")] == []
    assert Scripts(client).call(*about("GetStatus", {"TaskId": ticket})).exit_code == -45


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"Isolation": 2}, "Isolation"),
        ({"Isolation": -1}, "Isolation"),
        ({"ScriptBody": ...}, "ScriptBody"),
        ({"ScriptBody": None}, "ScriptBody"),
        ({"ScriptBody": None, "Scripts": {"PowerShell": "x"}}, "ScriptBody"),
        ({"ScriptBody": "#" * 50_000_000}, "ScriptBody"),
        ({"Scripts": {"Bash": "#" * 50_000_000}}, "Scripts"),
        ({"ScriptIsolationMutexTimeout": "-00:00:01"}, "ScriptIsolationMutexTimeout"),
        ({"ScriptIsolationMutexTimeout": "-1.00:00:00"}, "ScriptIsolationMutexTimeout"),
        ({"Files": [{"Name": "f", "Contents": None}]}, "Files"),
        ({"Files": [{"Name": "f"}]}, "Files"),
    ],
    ids=lambda value: repr(value)[:40],
)
@pytest.mark.parametrize("start", [start_v1, start_v2])
def test_commands_that_cannot_be_followed(
    agent: AgentProcess, connect: Connect, start: Any, members: dict[str, Any], field: str
) -> None:
    client = connect(agent)
    assert_refused(client, client.call(*start(**members)), field)
    assert Scripts(client).call(*about("GetStatus", TICKET)).exit_code == -45


@pytest.mark.parametrize("wait", ["-00:00:00.0000001", "-00:00:01", "-10675199.02:48:05.4775808"])
def test_a_negative_wait(agent: AgentProcess, connect: Connect, wait: str) -> None:
    client = connect(agent)
    assert_refused(client, client.call(*start_v2(DurationToWaitForScriptToFinish=wait)),
                   "DurationToWaitForScriptToFinish")


@pytest.mark.parametrize("service", ["IScriptService", "IScriptServiceV2"])
@pytest.mark.parametrize("method", ["StartScript", "GetStatus", "CancelScript", "CompleteScript"])
def test_a_null_command_and_arguments_of_other_types(
    agent: AgentProcess, connect: Connect, service: str, method: str
) -> None:
    client = connect(agent)
    assert_refused(client, client.call(service, method, None), "Object reference not set to an instance of an object.")
    for params in ((), ("text",), (5,), (True,), (None, None), (Untyped({"TaskId": "x"}),), (Untyped([]),)):
        response = client.call(service, method, *params)
        assert response.error is not None
        assert (response.error.message or "").startswith("Could not decide which candidate to call")
        assert method in (response.error.message or "")
        assert client.capabilities().error is None


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"Isolation": None}, "Isolation"),
        ({"Isolation": "SomeIsolation"}, "Isolation"),
        ({"Scripts": {"Perl": "x"}}, "Scripts"),
        ({"Scripts": "text"}, "Scripts"),
        ({"Files": "text"}, "Files"),
        ({"Arguments": {"a": 1}}, "Arguments"),
        ({"ScriptBody": {"a": 1}}, "ScriptBody"),
        ({"ScriptTicket": "text"}, "ScriptTicket"),
        ({"ScriptIsolationMutexTimeout": "soon"}, "ScriptIsolationMutexTimeout"),
        ({"ScriptIsolationMutexTimeout": 5}, "ScriptIsolationMutexTimeout"),
        ({"DurationToWaitForScriptToFinish": True}, "DurationToWaitForScriptToFinish"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_the_serializer_cannot_read_ends_the_connection_and_the_log_names_the_field(
    agent: AgentProcess, connect: Connect, members: dict[str, Any], field: str
) -> None:
    client, behind = connect(agent), len(agent.log())
    with pytest.raises((Ended, OSError)):
        client.call(*start_v2(**members))
    agent.wait_for_log(rf"broke the protocol and is disconnected: .*{field}", behind)
    assert connect(agent).capabilities().error is None


def test_a_null_task_identifier_is_harmless(agent: AgentProcess, connect: Connect) -> None:
    scripts = Scripts(connect(agent))
    for number, isolation in enumerate((1, 0, 1)):
        answer = scripts.start(f"null{number}", "exit 4", task_id=None, isolation=isolation)
        assert answer.exit_code == 4
        scripts.complete(f"null{number}")
