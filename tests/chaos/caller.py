# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's side of scripts and files, as scenarios need it: short calls, every answer as it came."""

from __future__ import annotations

import os
from typing import Any

from agent_process import AgentProcess, Identity
from wire_client import Ended, WireClient

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import (
    CancelScriptCommandV2,
    CompleteScriptCommand,
    CompleteScriptCommandV2,
    DataStream,
    ScriptFile,
    ScriptStatusRequest,
    ScriptStatusRequestV2,
    ScriptTicket,
    StartScriptCommand,
    StartScriptCommandV2,
)
from module_utils._halibut.timespan import TimeSpan

V1, V2 = "IScriptService", "IScriptServiceV2"
PENDING, RUNNING, COMPLETE = 0, 1, 2
FULL = 1
UNKNOWN_SCRIPT, UNKNOWN_RESULT = -45, -46
GONE = (Ended, OSError)
"""What a call ends with when the agent is killed meanwhile."""


class Broken(Exception):
    """A promise is broken; the text says which."""


class Refused(Exception):
    """The agent answered with an error."""


def expect(holds: object, what: str) -> None:
    """Raises Broken unless it holds."""
    if not holds:
        raise Broken(what)


class Caller:
    """One connection of the trusted server."""

    def __init__(self, agent: AgentProcess, identity: Identity) -> None:
        self.client = WireClient(agent.port, identity.path)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.client.close()

    def call(self, service: str, method: str, *params: Any, payloads: dict[bytes, bytes] | None = None) -> Any:
        """The result of a call. Raises Refused, and one of `GONE`."""
        response = self.client.call(service, method, *params, payloads=payloads)
        if response.error is not None:
            raise Refused(response.error.message)
        return response.result

    def start(self, ticket: str, body: str, wait: float | None = None, files: dict[str, bytes] | None = None,
              **fields: Any) -> Any:
        """Version 2: start a script under this ticket; its status."""
        sent = [(ScriptFile(name, DataStream(Guid(os.urandom(16)), len(data))), data)
                for name, data in (files or {}).items()]
        payloads = {file.contents.id: data for file, data in sent}
        command = StartScriptCommandV2(
            ScriptTicket(ticket), body, files=tuple(file for file, _unused in sent),
            duration_to_wait=None if wait is None else TimeSpan.from_seconds(wait),
            **{"task_id": "ServerTasks-1", "mutex_name": ticket, **fields},
        )
        return self.call(V2, "StartScript", command, payloads=payloads)

    def status(self, ticket: str, after: int = 0) -> Any:
        """Version 2."""
        return self.call(V2, "GetStatus", ScriptStatusRequestV2(ScriptTicket(ticket), after))

    def cancel(self, ticket: str) -> Any:
        """Version 2."""
        return self.call(V2, "CancelScript", CancelScriptCommandV2(ScriptTicket(ticket), 0))

    def complete(self, ticket: str) -> None:
        """Version 2."""
        self.call(V2, "CompleteScript", CompleteScriptCommandV2(ScriptTicket(ticket)))

    def start_v1(self, body: str, **fields: Any) -> str:
        """Version 1: the ticket that the agent has made."""
        command = StartScriptCommand(body, **{"task_id": "ServerTasks-1", "mutex_name": "v1", **fields})
        return str(self.call(V1, "StartScript", command).task_id)

    def status_v1(self, ticket: str, after: int = 0) -> Any:
        """Version 1."""
        return self.call(V1, "GetStatus", ScriptStatusRequest(ScriptTicket(ticket), after))

    def complete_v1(self, ticket: str) -> Any:
        """Version 1."""
        return self.call(V1, "CompleteScript", CompleteScriptCommand(ScriptTicket(ticket), 0))

    def upload(self, path: str, content: bytes) -> Any:
        """The result of an upload."""
        stream = DataStream(Guid(os.urandom(16)), len(content))
        return self.call("IFileTransferService", "UploadFile", path, stream, payloads={stream.id: content})


def texts(status: Any) -> list[str]:
    """The lines of a status, in order."""
    return [line.text for line in status.logs]
