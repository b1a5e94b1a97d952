# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From a start command to a workspace that is ready to run; the same for both versions of the service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Union

from module_utils._halibut.contracts import (
    BASH,
    FULL_ISOLATION,
    NO_ISOLATION,
    DataStream,
    StartScriptCommand,
    StartScriptCommandV2,
)
from module_utils._halibut.timespan import TimeSpan
from module_utils._instance.errors import InstanceError

from ...dispatch import Context, ServiceError
from ...encryption import EncryptionUnavailable
from ...workspace import Workspace, WorkspaceError, WorkspaceStore, file_parts
from .running_script import LaunchSettings
from .script_file import IncomingScriptFile

StartCommand = Union[StartScriptCommand, StartScriptCommandV2]
_NO_LIMIT = TimeSpan(-10_000)  # .NET's infinite time-out
LONGEST_BODY = 32 * 1024 * 1024
"""Characters of a script. Bash reads it line by line, but we hold it more than once; real ones are far below 1 MB."""


@contextmanager
def told_to_the_peer(what: str) -> Iterator[None]:
    """Turn what can go wrong with files and names into the service's answer; ``what`` was being tried."""
    try:
        yield
    except WorkspaceError as error:
        raise ServiceError(str(error), "System.IO.IOException") from error
    except EncryptionUnavailable as error:
        raise ServiceError(str(error), "System.PlatformNotSupportedException") from error
    except InstanceError as error:
        raise ServiceError(f"{what}: {error}", "System.IO.IOException") from error
    except OSError as error:
        raise ServiceError(f"{what}: {error.strerror or error}.", "System.IO.IOException") from error


def settings_of(command: StartCommand, ticket: str) -> LaunchSettings:
    """What the command says about starting. Raises ServiceError, which names the field that cannot be used."""
    if command.isolation not in (NO_ISOLATION, FULL_ISOLATION):
        raise _invalid("Isolation", f"{command.isolation} is neither NoIsolation (0) nor FullIsolation (1)")
    timeout = command.mutex_timeout
    if timeout.ticks < 0 and timeout != _NO_LIMIT:
        raise _invalid("ScriptIsolationMutexTimeout", f"{timeout.format()} is negative")
    body_of(command)
    return LaunchSettings(
        task=ticket if command.task_id is None else command.task_id,
        exclusive=command.isolation == FULL_ISOLATION,
        mutex_name=command.mutex_name,
        mutex_timeout=max(timeout.total_seconds, 0.0),
        arguments=command.arguments,
    )


def wait_of(command: StartScriptCommandV2) -> float:
    """Seconds to wait for the script to finish, 0 for not at all. Raises ServiceError."""
    duration = command.duration_to_wait
    if duration is None:
        return 0.0
    if duration.ticks < 0:
        raise _invalid("DurationToWaitForScriptToFinish", f"{duration.format()} is negative")
    return duration.total_seconds


def body_of(command: StartCommand) -> str:
    """The script: the one for bash where there is one, else the body. Raises ServiceError when there is neither."""
    special: str | None = command.scripts.get(BASH)
    body = command.script_body if special is None else special
    if body is None:
        raise _invalid("ScriptBody", "it is null, and Scripts has none for Bash")
    if len(body) > LONGEST_BODY:
        field = "ScriptBody" if special is None else "Scripts"
        raise _invalid(field, f"the script has {len(body)} characters, and {LONGEST_BODY} are the most; send large "
                              f"content as a file of the script")
    return body


def fill(workspace: Workspace, command: StartCommand, streams: Mapping[bytes, Any]) -> None:
    """Write the script and move its files into the workspace. Raises ServiceError."""
    with told_to_the_peer(f"The script could not be written to {workspace.path}"):
        workspace.write_script(body_of(command))
    taken: set[bytes] = set()
    for file in command.files:
        name = file.name or ""
        incoming = None if file.contents is None else streams.get(file.contents.id)
        if file.contents is None or not isinstance(incoming, IncomingScriptFile) or not incoming.complete:
            raise _invalid("Files", f"the contents of {name[:80]!r} did not arrive")
        if file.contents.id in taken:
            raise _invalid("Files", f"the contents of {name[:80]!r} were already used for another file")
        taken.add(file.contents.id)
        with told_to_the_peer(f"The script file {name[:80]!r} could not be stored in {workspace.path}"):
            workspace.place(name, incoming.path)


class Reception:
    """Gives the files of a start command a place while they arrive."""

    def __init__(self, store: WorkspaceStore) -> None:
        self._store = store

    def open_stream(self, context: Context, stream: DataStream, params: tuple[Any, ...]) -> IncomingScriptFile:
        """A place for one stream; the file's name is looked at before a byte is taken. Raises ServiceError."""
        command = params[0]
        file = next((file for file in command.files if file.contents and file.contents.id == stream.id), None)
        if file is None or stream.id in context.streams:
            raise _invalid("Files", "a stream belongs to no file, or to two")
        with told_to_the_peer(f"The script file {(file.name or '')[:80]!r} could not be received"):
            file_parts(file.name)
            return IncomingScriptFile(self._store.incoming_path(), file.encryption_password)

    def discard_stream(self, incoming: IncomingScriptFile) -> None:
        """The call did not come about."""
        incoming.discard()


def discard_unused(context: Context) -> None:
    """Remove the files that were sent with a start that had nothing to do."""
    for incoming in context.streams.values():
        if isinstance(incoming, IncomingScriptFile):
            incoming.discard()


def _invalid(field: str, problem: str) -> ServiceError:
    return ServiceError(f"The command's {field} cannot be used: {problem}.", "System.ArgumentException")
