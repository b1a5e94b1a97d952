# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
"""The objects of the script services, V1 and V2 (docs/protocol/tentacle-services.md §1.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from . import slots
from .bson import Date, Int64
from .log_list import LogList
from .objects import Bulk, Contract, DataStream, legacy, present
from .slots import Members
from .timespan import TimeSpan
from .values import value

PENDING, RUNNING, COMPLETE = range(3)
SOURCE_STDOUT, SOURCE_STDERR, SOURCE_DEBUG = range(3)
NO_ISOLATION, FULL_ISOLATION = range(2)
POWERSHELL, BASH = "PowerShell", "Bash"
_STATES = ("Pending", "Running", "Complete")
_SOURCES = ("StdOut", "StdErr", "Debug")
_ISOLATIONS = ("NoIsolation", "FullIsolation")
_SCRIPT_TYPES = (POWERSHELL, BASH)
_ZERO = TimeSpan(0)
_NO_SCRIPTS: Mapping[str, str | None] = MappingProxyType({})


@value(frozen=True)
class ScriptTicket(Contract):
    """Names one script; tickets compare without case, but that is for those who keep them."""

    task_id: str | None

    TYPE_NAMES = legacy("ScriptTicket")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("ScriptTicket", TYPE_NAMES, "TaskId")

    @classmethod
    def from_document(cls, value: Any) -> ScriptTicket:
        return cls(slots.text(cls._NAMES.of(value).get("TaskId"), "ScriptTicket.TaskId"))

    def _members(self) -> dict[str, Any]:
        return {"TaskId": self.task_id}


@value(frozen=True)
class ScriptFile(Contract):
    """A file that belongs to a script; with a password it is stored encrypted."""

    name: str | None
    contents: DataStream | None
    encryption_password: str | None = None

    TYPE_NAMES = legacy("ScriptFile")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("ScriptFile", TYPE_NAMES, "Name", "Contents", "EncryptionPassword")

    @classmethod
    def from_document(cls, value: Any) -> ScriptFile:
        members = cls._NAMES.of(value)
        contents = members.get("Contents")
        return cls(
            name=slots.text(members.get("Name"), "ScriptFile.Name"),
            contents=None if contents is None else DataStream.from_document(contents),
            encryption_password=slots.text(members.get("EncryptionPassword"), "ScriptFile.EncryptionPassword"),
        )

    def _members(self) -> dict[str, Any]:
        contents = None if self.contents is None else self.contents.to_document()
        return {"Name": self.name, "Contents": contents, "EncryptionPassword": self.encryption_password}

    def streams(self) -> tuple[DataStream, ...]:
        return () if self.contents is None else (self.contents,)


@value(frozen=True)
class ProcessOutput(Contract):
    """One line of a script's log."""

    source: int
    occurred: Date
    text: str | None

    TYPE_NAMES = present("ProcessOutput")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("ProcessOutput", TYPE_NAMES, "Source", "Occurred", "Text")

    @classmethod
    def from_document(cls, value: Any) -> ProcessOutput:
        members = cls._NAMES.of(value)
        return cls(
            slots.enumeration(members.get("Source", 0), "ProcessOutput.Source", _SOURCES),
            slots.date(members.get("Occurred", Date(0)), "ProcessOutput.Occurred"),
            slots.text(members.get("Text"), "ProcessOutput.Text"),
        )

    def _members(self) -> dict[str, Any]:
        return {"Source": self.source, "Occurred": self.occurred, "Text": self.text}


def _v2(name: str) -> tuple[str]:
    return present(f"ScriptServiceV2.{name}")


def _ticket(members: Mapping[str, Any]) -> ScriptTicket | None:
    value = members.get("Ticket")
    return None if value is None else ScriptTicket.from_document(value)


def _document(value: Contract | None) -> dict[str, Any] | None:
    return None if value is None else value.to_document()


def _scripts(value: Any, where: str) -> dict[str, str | None]:
    """The map from the kind of script to its body; its keys are the names of an enumeration (§1.8)."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise slots.unconvertible(value, where, "a map")
    return {
        _script_type(name, where): slots.text(body, where)
        for number, (name, body) in enumerate(value.items())
        if number or name != slots.TYPE
    }


def _script_type(name: str, where: str) -> str:
    number = slots.enumeration(name, where, _SCRIPT_TYPES)
    return _SCRIPT_TYPES[number] if 0 <= number < len(_SCRIPT_TYPES) else str(number)


def _files(value: Any, where: str) -> tuple[ScriptFile, ...]:
    return tuple(ScriptFile.from_document(item) for item in slots.items(value, where) or ())


def _arguments(value: Any, where: str) -> tuple[str | None, ...] | None:
    listed = slots.items(value, where)
    return None if listed is None else tuple(slots.text(item, where) for item in listed)


_START = (
    "ScriptBody", "Isolation", "Scripts", "Files", "Arguments", "TaskId", "ScriptIsolationMutexTimeout",
    "IsolationMutexName",
)


def _start(members: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What both start commands have in common, as arguments of their constructors."""
    return {
        "script_body": slots.text(members.get("ScriptBody"), where + ".ScriptBody"),
        "task_id": slots.text(members.get("TaskId"), where + ".TaskId"),
        "isolation": slots.enumeration(members.get("Isolation", 0), where + ".Isolation", _ISOLATIONS),
        "mutex_timeout": slots.time_span(members.get("ScriptIsolationMutexTimeout", "00:00:00"),
                                         where + ".ScriptIsolationMutexTimeout"),
        "mutex_name": slots.text(members.get("IsolationMutexName"), where + ".IsolationMutexName"),
        "scripts": _scripts(members.get("Scripts"), where + ".Scripts"),
        "files": _files(members.get("Files"), where + ".Files"),
        "arguments": _arguments(members.get("Arguments"), where + ".Arguments"),
    }


def _list(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)


@value(frozen=True)
class StartScriptCommand(Contract):
    """Start a script (V1). `scripts` maps "Bash" and "PowerShell" to bodies that replace `script_body` there."""

    script_body: str | None
    isolation: int = NO_ISOLATION
    scripts: Mapping[str, str | None] = _NO_SCRIPTS
    files: tuple[ScriptFile, ...] = ()
    arguments: tuple[str | None, ...] | None = ()
    task_id: str | None = None
    mutex_timeout: TimeSpan = _ZERO
    mutex_name: str | None = None

    TYPE_NAMES = legacy("StartScriptCommand")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("StartScriptCommand", TYPE_NAMES, *_START)

    @classmethod
    def from_document(cls, value: Any) -> StartScriptCommand:
        return cls(**_start(cls._NAMES.of(value), "StartScriptCommand"))

    def _members(self) -> dict[str, Any]:
        return {
            "ScriptBody": self.script_body,
            "Isolation": self.isolation,
            "Scripts": dict(self.scripts),
            "Files": [file.to_document() for file in self.files],
            "Arguments": _list(self.arguments),
            "TaskId": self.task_id,
            "ScriptIsolationMutexTimeout": self.mutex_timeout.format(),
            "IsolationMutexName": self.mutex_name,
        }

    def streams(self) -> tuple[DataStream, ...]:
        return tuple(stream for file in self.files for stream in file.streams())


@value(frozen=True)
class StartScriptCommandV2(Contract):
    """Start a script (V2): the client names the ticket, and may wait for `duration_to_wait`."""

    script_ticket: ScriptTicket | None
    script_body: str | None
    task_id: str | None = None
    duration_to_wait: TimeSpan | None = None
    isolation: int = NO_ISOLATION
    mutex_timeout: TimeSpan = _ZERO
    mutex_name: str | None = None
    scripts: Mapping[str, str | None] = _NO_SCRIPTS
    files: tuple[ScriptFile, ...] = ()
    arguments: tuple[str | None, ...] | None = ()

    TYPE_NAMES = _v2("StartScriptCommandV2")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("StartScriptCommandV2", TYPE_NAMES, "ScriptTicket", "DurationToWaitForScriptToFinish", *_START)

    @classmethod
    def from_document(cls, value: Any) -> StartScriptCommandV2:
        members = cls._NAMES.of(value)
        where = "StartScriptCommandV2"
        ticket, wait = members.get("ScriptTicket"), members.get("DurationToWaitForScriptToFinish")
        return cls(
            script_ticket=None if ticket is None else ScriptTicket.from_document(ticket),
            duration_to_wait=(
                None if wait is None else slots.time_span(wait, where + ".DurationToWaitForScriptToFinish")
            ),
            **_start(members, where),
        )

    def _members(self) -> dict[str, Any]:
        return {
            "ScriptTicket": _document(self.script_ticket),
            "ScriptBody": self.script_body,
            "TaskId": self.task_id,
            "DurationToWaitForScriptToFinish": (
                None if self.duration_to_wait is None else self.duration_to_wait.format()
            ),
            "Isolation": self.isolation,
            "ScriptIsolationMutexTimeout": self.mutex_timeout.format(),
            "IsolationMutexName": self.mutex_name,
            "Scripts": dict(self.scripts),
            "Files": [file.to_document() for file in self.files],
            "Arguments": _list(self.arguments),
        }

    def streams(self) -> tuple[DataStream, ...]:
        return tuple(stream for file in self.files for stream in file.streams())


@value(frozen=True)
class _TicketAndSequence(Contract):
    """A script, and the last line of its log that the client has."""

    ticket: ScriptTicket | None
    last_log_sequence: int = 0

    _NAMES: ClassVar[Members] = Members("", (), "Ticket", "LastLogSequence")

    @classmethod
    def from_document(cls, value: Any) -> Any:
        members, where = cls._NAMES.of(value), cls._NAMES.where
        return cls(_ticket(members), slots.int64(members.get("LastLogSequence", 0), where + ".LastLogSequence"))

    def _members(self) -> dict[str, Any]:
        return {"Ticket": _document(self.ticket), "LastLogSequence": Int64(self.last_log_sequence)}


@value(frozen=True)
class ScriptStatusRequest(_TicketAndSequence):
    """Ask for the state of a script (V1)."""

    TYPE_NAMES = legacy("ScriptStatusRequest")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("ScriptStatusRequest", TYPE_NAMES, "Ticket", "LastLogSequence")


@value(frozen=True)
class CancelScriptCommand(_TicketAndSequence):
    """Cancel a script (V1)."""

    TYPE_NAMES = legacy("CancelScriptCommand")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("CancelScriptCommand", TYPE_NAMES, "Ticket", "LastLogSequence")


@value(frozen=True)
class CompleteScriptCommand(_TicketAndSequence):
    """Forget a script and remove its workspace (V1)."""

    TYPE_NAMES = legacy("CompleteScriptCommand")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("CompleteScriptCommand", TYPE_NAMES, "Ticket", "LastLogSequence")


@value(frozen=True)
class ScriptStatusRequestV2(_TicketAndSequence):
    """Ask for the state of a script (V2)."""

    TYPE_NAMES = _v2("ScriptStatusRequestV2")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("ScriptStatusRequestV2", TYPE_NAMES, "Ticket", "LastLogSequence")


@value(frozen=True)
class CancelScriptCommandV2(_TicketAndSequence):
    """Cancel a script (V2)."""

    TYPE_NAMES = _v2("CancelScriptCommandV2")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("CancelScriptCommandV2", TYPE_NAMES, "Ticket", "LastLogSequence")


@value(frozen=True)
class CompleteScriptCommandV2(Contract):
    """Forget a script and remove its workspace (V2)."""

    ticket: ScriptTicket | None

    TYPE_NAMES = _v2("CompleteScriptCommandV2")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("CompleteScriptCommandV2", TYPE_NAMES, "Ticket")

    @classmethod
    def from_document(cls, value: Any) -> CompleteScriptCommandV2:
        return cls(_ticket(cls._NAMES.of(value)))

    def _members(self) -> dict[str, Any]:
        return {"Ticket": _document(self.ticket)}


@value(frozen=True)
class _Status(Contract):
    """State of a script, and the lines of its log that the client has not had.

    Who writes many lines gives a `LogList` instead of objects; who reads always finds objects.
    """

    ticket: ScriptTicket | None
    logs: Sequence[ProcessOutput]
    next_log_sequence: int
    state: int
    exit_code: int

    _NAMES: ClassVar[Members] = Members("", ())

    @classmethod
    def from_document(cls, value: Any) -> Any:
        members, where = cls._NAMES.of(value), cls._NAMES.where
        logs = slots.items(members.get("Logs"), where + ".Logs")
        return cls(
            ticket=_ticket(members),
            logs=[ProcessOutput.from_document(item) for item in logs or ()],
            next_log_sequence=slots.int64(members.get("NextLogSequence", 0), where + ".NextLogSequence"),
            state=slots.enumeration(members.get("State", 0), where + ".State", _STATES),
            exit_code=slots.int32(members.get("ExitCode", 0), where + ".ExitCode"),
        )

    def _members(self) -> dict[str, Any]:
        return {
            "Ticket": _document(self.ticket),
            "Logs": [] if isinstance(self.logs, LogList) else [line.to_document() for line in self.logs],
            "NextLogSequence": Int64(self.next_log_sequence),
            "State": self.state,
            "ExitCode": self.exit_code,
        }

    def bulk(self) -> Bulk | None:
        return Bulk("Logs", self.logs) if isinstance(self.logs, LogList) else None


_STATUS = ("Ticket", "Logs", "NextLogSequence", "State", "ExitCode")


@value(frozen=True)
class ScriptStatusResponse(_Status):
    """The answer of the script service V1."""

    TYPE_NAMES = legacy("ScriptStatusResponse")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("ScriptStatusResponse", TYPE_NAMES, *_STATUS)


@value(frozen=True)
class ScriptStatusResponseV2(_Status):
    """The answer of the script service V2."""

    TYPE_NAMES = _v2("ScriptStatusResponseV2")
    TYPE_NAME = TYPE_NAMES[0]
    _NAMES = Members("ScriptStatusResponseV2", TYPE_NAMES, *_STATUS)
