# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The services of a Tentacle as methods of one blocking client (docs/protocol/tentacle-services.md §1)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, BinaryIO

from .._halibut.bson import Guid
from .._halibut.contracts import (
    CancelScriptCommandV2,
    CompleteScriptCommandV2,
    DataStream,
    ProcessOutput,
    ScriptStatusRequestV2,
    ScriptStatusResponseV2,
    ScriptTicket,
    StartScriptCommandV2,
    UploadResult,
)
from . import scripts
from .channel import Progress, Sink
from .errors import ClientError, NoMatchingMethod
from .requests import CAPABILITIES
from .session import Session

SCRIPTS = "IScriptServiceV2"
SCRIPTS_V1 = "IScriptService"
FILES = "IFileTransferService"


class Client(Session):
    """A caller of one agent. All methods raise ClientError, or ServiceCallError where the agent answers with an error.

    Not for several threads at once: one call at a time, each client with a connection of its own.
    """

    def capabilities(self) -> tuple[str, ...]:
        """The services that the agent offers; what old agents offer where it has no such call (§4.3)."""
        try:
            answer = self.call(CAPABILITIES, "GetCapabilities", repeat=True)
        except NoMatchingMethod:
            return (SCRIPTS_V1, FILES)
        listed = getattr(answer, "supported_capabilities", None)
        if listed is None:
            raise ClientError(
                "unknown", f"{self.endpoint} answered {CAPABILITIES}.GetCapabilities with something else."
            )
        return tuple(str(name) for name in listed)

    # Scripts, V2 (§1.6). All but complete_script may safely be repeated, and are (§11.2).

    def start_script(
        self, command: StartScriptCommandV2, streams: dict[Guid, BinaryIO] | None = None
    ) -> ScriptStatusResponseV2:
        """Start a script; the same ticket again does not run it again."""
        return _status(self.call(SCRIPTS, "StartScript", command, streams=streams, repeat=True), self)

    def get_status(self, ticket: ScriptTicket, after: int = 0) -> ScriptStatusResponseV2:
        """State of a script, and its log behind the sequence number `after`."""
        return _status(self.call(SCRIPTS, "GetStatus", ScriptStatusRequestV2(ticket, after), repeat=True), self)

    def cancel_script(self, ticket: ScriptTicket, after: int = 0) -> ScriptStatusResponseV2:
        """Ask for the end of a script; it has ended when a status says so."""
        return _status(self.call(SCRIPTS, "CancelScript", CancelScriptCommandV2(ticket, after), repeat=True), self)

    def complete_script(self, ticket: ScriptTicket) -> None:
        """Let the agent forget a script and remove its workspace."""
        self.call(SCRIPTS, "CompleteScript", CompleteScriptCommandV2(ticket))

    def run_script(
        self,
        script: scripts.Script,
        on_output: Callable[[ProcessOutput], None] | None = None,
        timeout: float | None = None,
    ) -> scripts.Outcome:
        """Run a script to its end, with its log as it comes; after `timeout` seconds it is cancelled (§11.3)."""
        return scripts.run(self, script, on_output, timeout)

    # Files (§1.7)

    def upload(self, remote_path: str, source: BinaryIO, length: int, progress: Progress | None = None) -> UploadResult:
        """Write a file on the agent's host: `length` bytes from `source`, which can be rewound. Says path and SHA-1."""
        stream = DataStream(Guid.new(os.urandom(16)), length)
        answer = self.call(
            FILES, "UploadFile", remote_path, stream, streams={stream.id: source}, progress=progress, repeat=True
        )
        if not isinstance(answer, UploadResult):
            raise ClientError("unknown", f"{self.endpoint} answered {FILES}.UploadFile with something else.")
        return answer

    def download(self, remote_path: str, sink: Sink) -> int | None:
        """Copy a file of the agent's host into `sink`; its length, or None if there is no such file.

        Never repeated: `sink` may hold a part of the file after a failure.
        """
        answer = self.call(FILES, "DownloadFile", remote_path, receive=lambda _dummy: sink)
        if answer is None:
            return None
        if not isinstance(answer, DataStream):
            raise ClientError("unknown", f"{self.endpoint} answered {FILES}.DownloadFile with something else.")
        return answer.length


def _status(answer: Any, client: Client) -> ScriptStatusResponseV2:
    if not isinstance(answer, ScriptStatusResponseV2):
        raise ClientError("unknown", f"{client.endpoint} answered a call of {SCRIPTS} with something else.")
    return answer
