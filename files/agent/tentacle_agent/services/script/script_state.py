# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""`scriptstate.json`: how far a script of a ticket has come, for whoever asks after the agent was restarted.

The file is what makes starting a ticket twice harmless. It is there before a script may run, says Running on the disk
itself before bash is started, and Complete before anybody is told so (docs/protocol/tentacle-services.md §2.4).

Pending is written without waiting for the disk: a ticket that was lost with the power had not run. To be sure of that
the file names the boot in which it was written; a script that was waiting before a reboot is prepared anew.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Mapping
from typing import Any

from module_utils._halibut.contracts import COMPLETE, PENDING, RUNNING
from module_utils._halibut.values import replace, value
from module_utils._instance import files
from module_utils._instance.errors import StorageError

from .log_format import stamp

_BOOT = "/proc/sys/kernel/random/boot_id"


@value(frozen=True)
class ScriptState:
    """One version of the file. Times are ISO 8601 with offset; ``launch`` is what a waiting script needs to start."""

    created: str
    started: str | None = None
    completed: str | None = None
    state: int = PENDING
    exit_code: int | None = None
    ran_to_completion: bool | None = None
    launch: Mapping[str, Any] | None = None

    @classmethod
    def pending(cls, launch: Mapping[str, Any]) -> ScriptState:
        """A script that is ready to start, with all that starting takes."""
        return cls(created=stamp(time.time_ns()), launch={**launch, "Boot": _boot()})

    def running(self, adoptable: bool = False) -> ScriptState:
        """The script is about to be started; what it was started with is kept only for one that can be adopted."""
        return replace(self, started=stamp(time.time_ns()), state=RUNNING, launch=self.launch if adoptable else None)

    def handed_over(self, rests: Mapping[int, bytes]) -> ScriptState:
        """The script goes on without us; ``rests`` are the beginnings of lines that were read, by their source."""
        kept = {str(source): base64.b64encode(rest).decode("ascii") for source, rest in rests.items()}
        return replace(self, launch={**(self.launch or {}), "Rests": kept})

    @property
    def rests(self) -> dict[int, bytes]:
        """What `handed_over` kept. Raises ValueError or AttributeError where the file was changed."""
        kept = (self.launch or {}).get("Rests", {})
        return {int(source): base64.b64decode(rest) for source, rest in kept.items()}

    def complete(self, exit_code: int, ran_to_completion: bool = True) -> ScriptState:
        """The script has ended, or will never be heard of again."""
        return replace(self, completed=stamp(time.time_ns()), state=COMPLETE, exit_code=exit_code,
                       ran_to_completion=ran_to_completion, launch=None)

    @property
    def was_waiting(self) -> bool:
        """True for a script of ours that was never started."""
        return self.state == PENDING and self.launch is not None

    @property
    def can_be_launched(self) -> bool:
        """True for one that waits since this boot, so that what was stored with it is certainly whole."""
        return self.was_waiting and self.launch is not None and self.launch.get("Boot") == _boot()


class StateFile:
    """The file of one workspace."""

    def __init__(self, path: str) -> None:
        self.path = path

    def load(self) -> ScriptState | None:
        """What the file says; None if there is none.

        A file that cannot be understood says that a script was running: whatever it was, it must not run again.
        """
        try:
            with open(self.path, "rb") as file:
                document = json.loads(file.read().decode("utf-8-sig"))
            return _from_document(document)
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return ScriptState(created=stamp(time.time_ns()), state=RUNNING)

    def create(self, state: ScriptState) -> None:
        """Write the first version. Raises FileExistsError if there is one, and OSError."""
        aside = f"{self.path}.new"
        try:
            with open(aside, "wb", opener=_private) as file:
                file.write(_encode(state))
            os.link(aside, self.path)
        finally:
            if os.path.lexists(aside):
                os.unlink(aside)

    def save(self, state: ScriptState) -> None:
        """Replace the file, durably and in one step. Raises StorageError; the old version is then still there.

        The name of the workspace itself is flushed with the first version that says Running: a directory that is
        lost with the power takes its state along.
        """
        try:
            if state.state == RUNNING:
                files.sync_directory(os.path.dirname(os.path.dirname(self.path)))
        except OSError as error:
            raise StorageError(f"The directory of {self.path} could not be flushed: {error.strerror}.") from error
        files.write_atomically(self.path, _encode(state), 0o600)

    def spoil(self) -> None:
        """Make the file say that the script runs on a disk that has no room for a new version. Raises OSError.

        An empty file takes no room and cannot be understood, which means exactly that. No file is as good.
        """
        try:
            with open(self.path, "r+b", buffering=0) as file:
                file.truncate(0)
                os.fsync(file.fileno())
        except FileNotFoundError:
            return


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _encode(state: ScriptState) -> bytes:
    document: dict[str, Any] = {
        "Created": state.created,
        "Started": state.started,
        "Completed": state.completed,
        "State": state.state,
        "ExitCode": state.exit_code,
        "RanToCompletion": state.ran_to_completion,
    }
    if state.launch is not None:
        document["Launch"] = dict(state.launch)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _from_document(document: Mapping[str, Any]) -> ScriptState:
    state, launch = int(document["State"]), document.get("Launch")
    if state not in (PENDING, RUNNING, COMPLETE) or not isinstance(launch, (dict, type(None))):
        raise ValueError("no state of a script")
    exit_code = document.get("ExitCode")
    return ScriptState(
        created=str(document["Created"]),
        started=document.get("Started"),
        completed=document.get("Completed"),
        state=state,
        exit_code=None if exit_code is None else int(exit_code),
        ran_to_completion=document.get("RanToCompletion"),
        launch=launch,
    )


def _boot() -> str | None:
    try:
        with open(_BOOT, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None
