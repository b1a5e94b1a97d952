# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The directories in which scripts run: `<home>/Work/<ticket>/` (docs/protocol/tentacle-services.md §2.7).

Where the original trusts the server, we look: a ticket becomes a directory name only if it is one, names of files stay
inside, and what holds scripts and secrets is readable by nobody else (mode 0700). Tickets are compared without case,
so a directory is found under any spelling of its ticket; it keeps the spelling it was made with.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from typing import Any

MIB = 1024 * 1024
RESERVE = 551 * MIB  # What the original wants to see free: 500 MB, a tenth more, and 1 MB.
LONGEST_NAME = 255  # bytes of one name on every Linux file system
LOG_NAME, STATE_NAME, BOOTSTRAP_NAME = "Output.log", "scriptstate.json", "Bootstrap.sh"
INCOMING_PREFIX = ".incoming-"
_DELETE_ATTEMPTS, _DELETE_PAUSE = 3, 0.1


class WorkspaceError(Exception):
    """A workspace cannot be had or filled; str() is the sentence for the peer."""


def fold(ticket: str) -> str:
    """The form in which tickets are compared: upper case, character by character, as .NET's ordinal comparison."""
    if ticket.isascii():
        return ticket.upper()
    return "".join(upper if len(upper := character.upper()) == 1 else character for character in ticket)


def check_ticket(ticket: str | None) -> str:
    """Return the ticket if it can name a directory. Raises WorkspaceError, which names the field."""
    if not ticket:
        raise WorkspaceError("The ticket has no TaskId: a name for the script is needed, but it was null or empty.")
    if "/" in ticket or "\\" in ticket or "\0" in ticket or ticket.startswith("."):
        raise WorkspaceError(
            f"The ticket's TaskId {ticket[:80]!r} cannot name a workspace: it has a separator, NUL or a leading dot."
        )
    if len(ticket.encode("utf-8", "surrogatepass")) > LONGEST_NAME:
        raise WorkspaceError(f"The ticket's TaskId {ticket[:40]!r}... is longer than {LONGEST_NAME} bytes.")
    return ticket


class Workspace:
    """The directory of one ticket; it need not exist."""

    def __init__(self, ticket: str, path: str) -> None:
        self.ticket = ticket
        self.path = path
        self.log_path = os.path.join(path, LOG_NAME)
        self.state_path = os.path.join(path, STATE_NAME)
        self.bootstrap_path = os.path.join(path, BOOTSTRAP_NAME)

    def write_script(self, body: str) -> None:
        """Write the script, UTF-8 without a mark, CR LF as LF; a lone CR stays. Raises OSError."""
        data = body.replace("\r\n", "\n").encode("utf-8", "replace")
        with open(self.bootstrap_path, "wb", opener=_private) as file:
            file.write(data)

    def place(self, name: str, source: str) -> None:
        """Move the finished file ``source`` of the same file system to ``name`` below the workspace.

        Directories on the way are made and an existing file is replaced. Raises WorkspaceError for a name that leads
        out of the workspace or is kept for the agent, and OSError.
        """
        target = os.path.join(self.path, *file_parts(name))
        parent = os.path.dirname(target)
        os.makedirs(parent, mode=0o700, exist_ok=True)
        if os.path.realpath(parent) != os.path.join(os.path.realpath(self.path), *file_parts(name)[:-1]):
            raise WorkspaceError(f"The script file {name[:80]!r} leads through a link out of the workspace.")
        os.replace(source, target)

    def last_written(self) -> float | None:
        """When the log, or before there is one the script, was last written (seconds since 1970); None without both."""
        for path in (self.log_path, self.bootstrap_path):
            try:
                return os.lstat(path).st_mtime
            except OSError:
                continue
        return None

    def delete(self) -> None:
        """Remove the directory with all that is in it, patiently; what cannot be removed stays, without an error."""
        import shutil  # brings compression, and is not needed before the first script has ended

        for attempt in range(_DELETE_ATTEMPTS):
            shutil.rmtree(self.path, onerror=_unlock_and_retry)
            if not os.path.lexists(self.path):
                return
            if attempt < _DELETE_ATTEMPTS - 1:
                time.sleep(_DELETE_PAUSE)
        shutil.rmtree(self.path, ignore_errors=True)


class WorkspaceStore:
    """All workspaces of one home directory."""

    def __init__(self, home: str, reserve: int = RESERVE) -> None:
        self.directory = os.path.join(os.path.abspath(home or "."), "Work")
        self._reserve = reserve
        self._lock = threading.Lock()
        self._names: dict[str, str] | None = None

    def find(self, ticket: str | None) -> Workspace:
        """The workspace of a ticket, existing or not; nothing on the disk changes. Raises WorkspaceError."""
        ticket = check_ticket(ticket)
        with self._lock:
            name = self._known().get(fold(ticket), ticket)
        return Workspace(ticket, os.path.join(self.directory, name))

    def create(self, ticket: str | None) -> Workspace:
        """The workspace of a ticket as a directory of our own on a disk with room. Raises WorkspaceError, OSError."""
        workspace = self.find(ticket)
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        self._check_room()
        try:
            os.mkdir(workspace.path, 0o700)
        except FileExistsError:
            self._secure(workspace.path)
        with self._lock:
            self._known()[fold(workspace.ticket)] = os.path.basename(workspace.path)
        return workspace

    def delete(self, workspace: Workspace) -> None:
        """Remove a workspace and forget its name."""
        workspace.delete()
        if not os.path.lexists(workspace.path):
            with self._lock:
                self._known().pop(fold(workspace.ticket), None)

    def existing(self) -> list[Workspace]:
        """The workspaces that are on the disk now."""
        names = [name for name in _listed(self.directory) if not name.startswith(".")]
        return [Workspace(name, os.path.join(self.directory, name)) for name in names]

    def incoming_path(self) -> str:
        """A name of which there is no file yet, beside the workspaces, for a file on its way into one."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        return os.path.join(self.directory, INCOMING_PREFIX + os.urandom(16).hex())

    def remove_incoming(self) -> int:
        """Remove what an agent that was killed had not finished receiving; call this before anything is received."""
        removed = 0
        for name in _listed(self.directory):
            if name.startswith(INCOMING_PREFIX):
                try:
                    os.unlink(os.path.join(self.directory, name))
                    removed += 1
                except OSError:
                    continue
        return removed

    def _known(self) -> dict[str, str]:
        """Names of the existing workspaces by the folded ticket; read once, the caller holds the lock."""
        if self._names is None:
            self._names = {fold(name): name for name in _listed(self.directory) if not name.startswith(".")}
        return self._names

    def _secure(self, path: str) -> None:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise WorkspaceError(f"There is something at {path} that is no directory. Remove it and try again.")
        if stat.S_IMODE(status.st_mode) != 0o700 and status.st_uid == os.geteuid():
            os.chmod(path, 0o700)

    def _check_room(self) -> None:
        facts = os.statvfs(self.directory)
        available = facts.f_bavail * facts.f_frsize
        if available < self._reserve:
            raise WorkspaceError(
                f"There is too little room for a script on {socket.gethostname()}: the disk that holds "
                f"{self.directory} has {available // MIB} MB free, and {self._reserve // MIB} MB are needed. "
                "Make room there and try again."
            )


def file_parts(name: str | None) -> list[str]:
    """The parts of a script file's relative name. Raises WorkspaceError unless it stays inside the workspace."""
    if not name or "\0" in name or name.startswith("/") or name.endswith("/"):
        raise WorkspaceError(f"The script file's Name {(name or '')[:80]!r} is not the relative name of a file.")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise WorkspaceError(f"The script file's Name {name[:80]!r} leads out of the workspace and is refused.")
    if parts in ([LOG_NAME], [STATE_NAME]):
        raise WorkspaceError(f"The script file's Name {name!r} is kept for the agent's own record of the script.")
    return parts


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _unlock_and_retry(function: Callable[..., Any], path: str, _unused: Any) -> None:
    """Give ourselves the right to remove a read-only directory's content, and try once more."""
    import shutil

    try:
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700, follow_symlinks=False) if os.path.isdir(path) and not os.path.islink(path) else None
        if function is os.open or function is os.scandir or function is os.listdir:
            shutil.rmtree(path, ignore_errors=True)
        else:
            function(path)
    except OSError:
        return
