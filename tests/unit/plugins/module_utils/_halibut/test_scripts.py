# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
from __future__ import annotations

import pytest

from module_utils._halibut import contracts, scripts
from module_utils._halibut.bson import Date, Guid, Int64
from module_utils._halibut.contracts import DataStream, ScriptFile, ScriptTicket
from module_utils._halibut.errors import RemoteProtocolError
from module_utils._halibut.timespan import TimeSpan

TICKET = ScriptTicket("ticket-1")
FILES = (
    ScriptFile("a.txt", DataStream(Guid(b"a" * 16), 3)),
    ScriptFile("b.txt", None),
    ScriptFile("c.txt", DataStream(Guid(b"c" * 16), 0), "secret"),
)
START = {
    "script_body": "echo",
    "task_id": "ServerTasks-1",
    "isolation": 1,
    "mutex_timeout": TimeSpan.from_seconds(60),
    "mutex_name": "RunningScript",
    "scripts": {"Bash": "echo", "PowerShell": None},
    "files": FILES,
    "arguments": ("x", None),
}
LINES = (contracts.ProcessOutput(0, Date(5), "out"), contracts.ProcessOutput(1, Date(6), None))

OBJECTS = [
    TICKET,
    ScriptTicket(None),
    *FILES,
    *LINES,
    contracts.StartScriptCommand(**START),
    contracts.StartScriptCommand(None, arguments=None),
    contracts.StartScriptCommandV2(TICKET, duration_to_wait=TimeSpan.from_seconds(5), **START),
    contracts.StartScriptCommandV2(None, None, arguments=None),
    contracts.ScriptStatusRequest(TICKET, 3),
    contracts.ScriptStatusRequestV2(TICKET, 2**40),
    contracts.CancelScriptCommand(None),
    contracts.CancelScriptCommandV2(TICKET, -1),
    contracts.CompleteScriptCommand(TICKET, 1),
    contracts.CompleteScriptCommandV2(TICKET),
    contracts.CompleteScriptCommandV2(None),
    contracts.ScriptStatusResponse(TICKET, list(LINES), 2, contracts.COMPLETE, -46),
    contracts.ScriptStatusResponseV2(None, [], 0, contracts.PENDING, 0),
]


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_every_object_round_trips(value):
    for as_slot in (False, True):
        document = value.to_document(as_slot=as_slot)
        assert ("$type" in document) is as_slot
        assert type(value).from_document(document) == value
    assert next(iter(value.to_document(as_slot=True))) == "$type"


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_every_name_is_read(value):
    for name in value.TYPE_NAMES:
        assert type(value).from_document({"$type": name, **value.to_document()}) == value
    with pytest.raises(RemoteProtocolError, match="forbidden type"):
        type(value).from_document({"$type": value.TYPE_NAME.lower(), **value.to_document()})


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_names_of_members_in_any_case(value):
    document = {name.upper(): item for name, item in value.to_document().items()}
    assert type(value).from_document({**document, "Extra": {"$type": "System.IO.FileInfo"}}) == value


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_missing_members_read_as_null_zero_or_empty(value):
    empty = type(value).from_document({})
    for member in vars(empty).values():
        assert member in (None, 0, (), {}, [], TimeSpan(0))


def test_order_of_members():
    assert list(contracts.StartScriptCommandV2(TICKET, "x").to_document()) == [
        "ScriptTicket",
        "ScriptBody",
        "TaskId",
        "DurationToWaitForScriptToFinish",
        "Isolation",
        "ScriptIsolationMutexTimeout",
        "IsolationMutexName",
        "Scripts",
        "Files",
        "Arguments",
    ]
    assert list(contracts.StartScriptCommand("x").to_document()) == [
        "ScriptBody",
        "Isolation",
        "Scripts",
        "Files",
        "Arguments",
        "TaskId",
        "ScriptIsolationMutexTimeout",
        "IsolationMutexName",
    ]


def test_numbers_of_64_bits_stay_so():
    status = contracts.ScriptStatusResponseV2(TICKET, [], 1, 0, 0).to_document()
    assert (type(status["NextLogSequence"]), type(status["ExitCode"])) == (Int64, int)
    assert type(contracts.ScriptStatusRequestV2(TICKET, 1).to_document()["LastLogSequence"]) is Int64


def test_streams_in_document_order():
    streams = (FILES[0].contents, FILES[2].contents)
    assert contracts.StartScriptCommand(**START).streams() == streams
    assert contracts.StartScriptCommandV2(TICKET, **START).streams() == streams
    assert contracts.ScriptStatusRequestV2(TICKET).streams() == ()


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("ScriptTicket", "x", "ScriptTicket is a value of type str"),
        ("ScriptTicket", {"TaskId": []}, "ScriptTicket.TaskId"),
        ("ScriptBody", [], "ScriptBody"),
        ("DurationToWaitForScriptToFinish", 5, "DurationToWaitForScriptToFinish"),
        ("Isolation", None, "Isolation"),
        ("Isolation", "Some", "Isolation"),
        ("ScriptIsolationMutexTimeout", None, "ScriptIsolationMutexTimeout"),
        ("Scripts", [], "Scripts"),
        ("Scripts", {"Ruby": "x"}, "Scripts"),
        ("Scripts", {"Bash": []}, "Scripts"),
        ("Files", {}, "Files"),
        ("Files", [1], "ScriptFile"),
        ("Files", [{"Contents": 1}], "DataStream"),
        ("Arguments", "x", "Arguments"),
        ("Arguments", [[]], "Arguments"),
    ],
)
def test_members_that_cannot_be_converted_are_named(member, value, reason):
    document = {**contracts.StartScriptCommandV2(TICKET, "x").to_document(), member: value}
    with pytest.raises(RemoteProtocolError, match=reason):
        contracts.StartScriptCommandV2.from_document(document)


def test_the_map_of_scripts():
    def read(scripts_map):
        return contracts.StartScriptCommandV2.from_document({"Scripts": scripts_map}).scripts

    assert read({"bash": "a", "PowerShell": None}) == {"Bash": "a", "PowerShell": None}
    assert read({"1": "a", "7": "b"}) == {"Bash": "a", "7": "b"}
    assert read({"$type": "System.Collections.Generic.Dictionary", "Bash": "a"}) == {"Bash": "a"}
    assert read(None) == {}


def test_lists_may_be_wrapped():
    command = contracts.StartScriptCommandV2.from_document(
        {
            "Files": {"$type": "x", "$values": [FILES[0].to_document()]},
            "Arguments": {"$type": "x", "$values": ["a"]},
        }
    )
    assert command.files == FILES[:1]
    assert command.arguments == ("a",)


def test_null_lists():
    command = contracts.StartScriptCommandV2.from_document({"Files": None, "Arguments": None, "Scripts": None})
    assert (command.files, command.arguments, command.scripts) == ((), None, {})
    assert contracts.ScriptStatusResponse.from_document({"Logs": None}).logs == []


def test_constants():
    assert (scripts.PENDING, scripts.RUNNING, scripts.COMPLETE) == (0, 1, 2)
    assert (scripts.SOURCE_STDOUT, scripts.SOURCE_STDERR, scripts.SOURCE_DEBUG) == (0, 1, 2)
    assert (scripts.NO_ISOLATION, scripts.FULL_ISOLATION) == (0, 1)
