# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Files that are whole at every instant, whoever pulls the plug.

A file is written under another name in the same directory, given its owner and mode, flushed to the disk, and only
then renamed over the old one; the directory is flushed last. A reader sees the old file or the new one, never a part,
and a key is never readable by more people than its final mode says, not even for a moment.

This file is also the one seam to the platform for files: what POSIX has and others do not (owners, flushing of
directories, locks) is decided here and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from typing import Union

from .errors import StorageError

Account = Union[str, int, None]

ON_POSIX = os.name == "posix"
LOCK_SECONDS = 30.0  # A change of a configuration takes milliseconds; whoever waits longer waits for a stuck process.
_LOCK_PAUSE = 0.05
_LEFT_BEHIND_SECONDS = 3600.0  # Nobody writes a file of an agent for so long: its writer was killed on the way.


def write_atomically(
    path: str,
    data: bytes,
    mode: int | None = None,
    owner: Account = None,
    group: Account = None,
) -> None:
    """Replace the file ``path`` by one holding ``data``, in one step and durably.

    ``mode``, ``owner`` and ``group`` left out keep those of the file that is there; a new file gets 0644 and the
    writer's account. A symbolic link is followed, so that the link stays and its target changes.
    Raises StorageError; the old file is then untouched and nothing else is left behind. A device, pipe or directory is
    refused: it would be replaced, not written to.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise StorageError(
            f"The file {path} could not be written: it is a device, a pipe or a directory, and an ordinary file was "
            "expected. Nothing was changed. Name another file."
        )
    wanted_mode, uid, gid = _attributes_for(target, mode, owner, group)
    aside = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{os.urandom(6).hex()}.new")
    _remove_left_behind(target)
    try:
        _write_aside(aside, data, wanted_mode, uid, gid)
        os.replace(aside, target)
        sync_directory(os.path.dirname(target))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise StorageError(
            f"The file {path} could not be written: {error.strerror or error}. "
            "Nothing was changed. Check the space on that disk and the permissions of its directory."
        ) from error


def _remove_left_behind(target: str) -> None:
    """Remove what writers of ``target`` who were killed left beside it: it may hold a key that is long replaced."""
    directory, name = os.path.split(target)
    oldest = time.time() - _LEFT_BEHIND_SECONDS
    with contextlib.suppress(OSError):
        for other in os.listdir(directory):
            path = os.path.join(directory, other)
            if other.startswith(f".{name}.") and other.endswith(".new") and os.lstat(path).st_mtime < oldest:
                os.unlink(path)


def _attributes_for(target: str, mode: int | None, owner: Account, group: Account) -> tuple[int, int, int]:
    """Mode, user and group that the new file has to get; -1 where nothing is to be set."""
    uid, gid = user_number(owner), group_number(group)
    present: os.stat_result | None = None
    with contextlib.suppress(OSError):
        present = os.stat(target)
    if present is None:
        return 0o644 if mode is None else mode, uid, gid
    if ON_POSIX and os.geteuid() == 0:
        uid = present.st_uid if uid == -1 else uid
        gid = present.st_gid if gid == -1 else gid
    return stat.S_IMODE(present.st_mode) if mode is None else mode, uid, gid


def _write_aside(aside: str, data: bytes, mode: int, uid: int, gid: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(aside, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if ON_POSIX:
            if uid != -1 or gid != -1:
                os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def write_secret(path: str, data: bytes, group: Account = None) -> None:
    """Write a file that holds a secret, in one step. Raises StorageError.

    One that is there keeps its owner, group and mode. A new one is for its owner alone, unless ``group`` is given or
    its directory has been given to another group than the writer's: then that group may read it too.
    """
    directory = os.path.dirname(os.path.abspath(path))
    if os.path.exists(path):
        write_atomically(path, data, 0o640 if group is not None else None, None, group)
        return
    make_directory(directory)
    if group is None and ON_POSIX and os.stat(directory).st_gid != os.getegid():
        group = os.stat(directory).st_gid
    write_atomically(path, data, 0o600 if group is None else 0o640, None, group)


def read(path: str, limit: int = 16 * 1024 * 1024) -> bytes:
    """The whole content of the file ``path``, at most ``limit`` bytes. Raises StorageError."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise StorageError(
            f"The file {path} could not be read: {error.strerror or error}. "
            "Check that it exists and that this account may read it.",
            cause="file_missing" if error.errno == errno.ENOENT else "",
        ) from error
    if len(data) > limit:
        raise StorageError(f"The file {path} is larger than {limit} bytes. That is no file of an agent.")
    return data


def make_directory(path: str, mode: int | None = None, owner: Account = None, group: Account = None) -> bool:
    """See to it that the directory ``path`` exists, parents included; True when anything had to be changed.

    ``mode``, ``owner`` and ``group`` are applied to the last directory only, and only where they are given.
    Raises StorageError.
    """
    try:
        created = not os.path.isdir(path)
        os.makedirs(path, exist_ok=True)
        if not ON_POSIX:
            return created
        return _adjust(path, mode, user_number(owner), group_number(group)) or created
    except OSError as error:
        raise StorageError(
            f"The directory {path} could not be made or adjusted: {error.strerror or error}. "
            "Check the permissions of the directory above it, or name another one."
        ) from error


def adjust(path: str, mode: int | None = None, owner: Account = None, group: Account = None) -> bool:
    """Give an existing file or directory its mode and owners; True when that was a change. Raises StorageError."""
    try:
        return ON_POSIX and _adjust(path, mode, user_number(owner), group_number(group))
    except OSError as error:
        raise StorageError(
            f"Owner or mode of {path} could not be set: {error.strerror or error}. Only root may give files away."
        ) from error


def _adjust(path: str, mode: int | None, uid: int, gid: int) -> bool:
    present, changed = os.stat(path), False
    if uid not in (-1, present.st_uid) or gid not in (-1, present.st_gid):
        os.chown(path, uid, gid)
        changed = True
    if mode is not None and stat.S_IMODE(os.stat(path).st_mode) != mode:
        os.chmod(path, mode)
        changed = True
    return changed


def sync_directory(path: str) -> None:
    """Flush the names in a directory to the disk, where the platform knows how."""
    if not ON_POSIX:
        return
    descriptor = os.open(path or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def user_number(account: Account) -> int:
    """The numeric id of a user given by name, number or nothing (-1). Raises StorageError for a stranger."""
    if account is None or account == "":
        return -1
    if isinstance(account, int):
        return account
    import pwd  # POSIX only

    try:
        return int(account) if account.isdigit() else pwd.getpwnam(account).pw_uid
    except KeyError as error:
        raise StorageError(
            f"There is no user '{account}' on this host. Create it first: useradd --system {account}",
            cause="account_missing",
        ) from error


def group_number(account: Account) -> int:
    """The numeric id of a group given by name, number or nothing (-1). Raises StorageError for a stranger."""
    if account is None or account == "":
        return -1
    if isinstance(account, int):
        return account
    import grp  # POSIX only

    try:
        return int(account) if account.isdigit() else grp.getgrnam(account).gr_gid
    except KeyError as error:
        raise StorageError(
            f"There is no group '{account}' on this host. Create it first: groupadd --system {account}",
            cause="account_missing",
        ) from error


@contextlib.contextmanager
def lock(directory: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the only right to change files of ``directory`` among all who ask for it this way.

    The directory itself is locked, so no lock file stays behind and a dead holder's lock vanishes with it.
    Raises StorageError when the lock is not free within ``seconds``.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise StorageError(f"The directory {directory} could not be opened: {error.strerror or error}.") from error
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StorageError(
                        f"Another process has been changing files in {directory} for more than {seconds:.0f} seconds. "
                        "Look for a command line or playbook that hangs there, end it and try again.",
                        cause="locked",
                    ) from None
                time.sleep(_LOCK_PAUSE)
        yield
    finally:
        os.close(descriptor)
