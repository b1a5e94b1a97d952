# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script services as tests call them, and what tests look for in their answers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from wire_client import WireClient

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import (
    CancelScriptCommandV2,
    CompleteScriptCommandV2,
    DataStream,
    ScriptFile,
    ScriptStatusRequestV2,
    ScriptTicket,
    StartScriptCommandV2,
)
from module_utils._halibut.timespan import TimeSpan

PATIENCE = 20.0
TARGET_INVOCATION = "System.Reflection.TargetInvocationException: Exception has been thrown by the target of an "


class Scripts:
    """Calls of the script services over one connection; tickets are made unique, so that tests share an agent."""

    def __init__(self, client: WireClient) -> None:
        self.client = client
        self.prefix = os.urandom(4).hex()
        self.started: list[str] = []

    def name(self, ticket: str) -> str:
        return f"{self.prefix}-{ticket}"

    def call(self, service: str, method: str, *params: Any, payloads: dict[bytes, bytes] | None = None) -> Any:
        response = self.client.call(service, method, *params, payloads=payloads)
        assert response.error is None, response.error
        return response.result

    def start(self, ticket: str, body: str, wait: float | None = PATIENCE, **fields: Any) -> Any:
        self.started.append(ticket)
        payloads, files = self.sent(fields.pop("files", {}), fields.pop("password", None))
        command = StartScriptCommandV2(
            ScriptTicket(self.name(ticket)), body, files=files,
            duration_to_wait=None if wait is None else TimeSpan.from_seconds(wait),
            **{"task_id": "ServerTasks-1", "mutex_name": self.prefix, **fields},
        )
        return self.call("IScriptServiceV2", "StartScript", command, payloads=payloads)

    def sent(self, files: dict[str, bytes], password: str | None) -> tuple[dict[bytes, bytes], tuple[ScriptFile, ...]]:
        streams = {name: DataStream(Guid(os.urandom(16)), len(data)) for name, data in files.items()}
        payloads: dict[bytes, bytes] = {streams[name].id: data for name, data in files.items()}
        return payloads, tuple(ScriptFile(name, stream, password) for name, stream in streams.items())

    def status(self, ticket: str, after: int = 0) -> Any:
        request = ScriptStatusRequestV2(ScriptTicket(self.name(ticket)), after)
        return self.call("IScriptServiceV2", "GetStatus", request)

    def cancel(self, ticket: str) -> Any:
        return self.call("IScriptServiceV2", "CancelScript", CancelScriptCommandV2(ScriptTicket(self.name(ticket)), 0))

    def complete(self, ticket: str) -> None:
        ticket = self.name(ticket)
        assert self.call("IScriptServiceV2", "CompleteScript", CompleteScriptCommandV2(ScriptTicket(ticket))) is None

    def until(self, ticket: str, holds: Callable[[Any], bool] = lambda status: bool(status.state == 2)) -> Any:
        limit = time.monotonic() + PATIENCE
        while not holds(status := self.status(ticket)):
            assert time.monotonic() < limit, status
            time.sleep(0.02)
        return status


Open = Callable[[], Scripts]


def lines(status: Any, *sources: int) -> list[str]:
    """What the script wrote itself."""
    found = [line.text for line in status.logs if line.source in (sources or (0, 1))]
    return found[3:] if found[:1] == ["##octopus[stdout-verbose]"] else found


def seen(text: str) -> Callable[[Any], bool]:
    return lambda status: any(text in line.text for line in status.logs)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def dies(pid: int) -> bool:
    limit = time.monotonic() + 5
    while alive(pid) and time.monotonic() < limit:
        time.sleep(0.02)
    return not alive(pid)
