# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Run one script through a Tentacle from start to end (docs/protocol/tentacle-services.md §11.3).

Start, ask for the status with growing pauses, hand out the log as it comes, cancel after a time limit or when the
caller is interrupted, and let the agent clean up. The same ticket is used for every attempt to start, so that a lost
answer never makes a script run twice.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from .._halibut.bson import Guid
from .._halibut.contracts import (
    COMPLETE,
    FULL_ISOLATION,
    NO_ISOLATION,
    DataStream,
    ProcessOutput,
    ScriptFile,
    ScriptStatusResponseV2,
    ScriptTicket,
    StartScriptCommandV2,
)
from .._halibut.timespan import TimeSpan
from .errors import ClientError

if TYPE_CHECKING:
    from .client import Client

FIRST_WAIT = 1.0  # seconds that StartScript may wait for the end; a quick script then takes one call
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.3, 1.15, 5.0
FOREVER = TimeSpan(2147483647 * 10_000)  # what .NET's clients send for no limit

# Exit codes that the agent itself gives (docs/protocol/tentacle-services.md §1.9).
MEANINGS = {
    -41: "the agent could not write the script's log",
    -42: "the agent could not start the shell",
    -43: "the script was cancelled while it waited for another one to end",
    -44: "the script waited for another one to end, until its time was over",
    -45: "the agent does not know the script any more: its workspace was removed",
    -46: "the agent was restarted while the script ran: how it ended is not known",
    -47: "the shell was never started",
    -48: "the script was given up because it could not be cancelled",
}


@dataclass(frozen=True)
class FileToSend:
    """A file that is put beside the script; with a password the agent keeps it encrypted."""

    name: str
    source: BinaryIO
    length: int
    password: str | None = None


@dataclass(frozen=True)
class Script:
    """What to run, and how."""

    body: str
    arguments: tuple[str, ...] = ()
    files: tuple[FileToSend, ...] = ()
    isolated: bool = False  # never beside another script with the same mutex name
    mutex_name: str = "RunningScript"
    mutex_timeout: float | None = None  # seconds to wait for the mutex; None: for ever
    task_id: str = "Ansible"
    ticket: ScriptTicket = field(default_factory=lambda: ScriptTicket(_fresh_name()))

    def command(self) -> tuple[StartScriptCommandV2, dict[Guid, BinaryIO]]:
        """The command, and the contents of its files."""
        files, streams = [], {}
        for file in self.files:
            stream = DataStream(Guid.new(os.urandom(16)), file.length)
            files.append(ScriptFile(file.name, stream, file.password))
            streams[stream.id] = file.source
        command = StartScriptCommandV2(
            script_ticket=self.ticket,
            script_body=self.body,
            task_id=self.task_id,
            duration_to_wait=TimeSpan.from_seconds(FIRST_WAIT),
            isolation=FULL_ISOLATION if self.isolated else NO_ISOLATION,
            mutex_timeout=FOREVER if self.mutex_timeout is None else TimeSpan.from_seconds(self.mutex_timeout),
            mutex_name=self.mutex_name,
            files=tuple(files),
            arguments=self.arguments,
        )
        return command, streams


@dataclass(frozen=True)
class Outcome:
    """How a script ended. Exit codes below -40 are the agent's own (`MEANINGS`)."""

    ticket: str
    exit_code: int
    timed_out: bool
    seconds: float
    output: tuple[ProcessOutput, ...]


def new_ticket() -> ScriptTicket:
    """A fresh ticket, made as Tentacle's own client makes it (§1.9)."""
    return ScriptTicket(_fresh_name())


def _fresh_name() -> str:
    return re.sub(r"[^A-Za-z0-9]", "", base64.b64encode(os.urandom(16)).decode("ascii"))


def run(
    client: Client,
    script: Script,
    on_output: Callable[[ProcessOutput], None] | None,
    timeout: float | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Run a script to its end; see `Client.run_script`."""
    begin = time.monotonic()
    deadline = None if timeout is None else begin + timeout
    watch = _Watch(client, script.ticket, on_output)
    command, streams = script.command()
    try:
        watch.take(client.start_script(command, streams))
        timed_out = watch.follow(deadline, sleep)
    except ClientError as error:
        if not error.unsent or watch.started:
            watch.give_up()
        raise
    except BaseException:
        watch.give_up()
        raise
    with contextlib.suppress(ClientError):  # the script's result counts, not the cleaning
        client.complete_script(script.ticket)
    return Outcome(
        script.ticket.task_id or "", watch.exit_code, timed_out, time.monotonic() - begin, tuple(watch.output)
    )


class _Watch:
    """A script under way, seen through its status answers."""

    def __init__(self, client: Client, ticket: ScriptTicket, on_output: Callable[[ProcessOutput], None] | None) -> None:
        self.output: list[ProcessOutput] = []
        self.exit_code = 0
        self._client = client
        self._ticket = ticket
        self._on_output = on_output
        self._after = 0
        self._complete = False
        self.started = False

    def take(self, status: ScriptStatusResponseV2) -> None:
        """Take in an answer; lines that an earlier one brought do not come again."""
        self.started = True
        self._after = status.next_log_sequence
        self._complete = status.state == COMPLETE
        self.exit_code = status.exit_code
        for line in status.logs:
            self.output.append(line)
            if self._on_output is not None:
                self._on_output(line)

    def follow(self, deadline: float | None, sleep: Callable[[float], None]) -> bool:
        """Ask until the script is complete; cancel it at the deadline. True if that was necessary."""
        number, cancelling = 0, False
        while not self._complete:
            number += 1
            pause = min(FIRST_PAUSE * GROWTH**number, LONGEST_PAUSE)
            if deadline is not None and not cancelling:
                pause = min(pause, max(deadline - time.monotonic(), 0))
            sleep(pause)
            if deadline is not None and not cancelling and time.monotonic() >= deadline:
                number, cancelling = 0, True
            if cancelling:
                self.take(self._client.cancel_script(self._ticket, self._after))
            else:
                self.take(self._client.get_status(self._ticket, self._after))
        return cancelling

    def give_up(self) -> None:
        """Ask once for the end of a script that nobody will wait for."""
        if not self._complete:
            with contextlib.suppress(ClientError):
                self._client.cancel_script(self._ticket, self._after)
