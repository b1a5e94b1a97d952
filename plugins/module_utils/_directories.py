# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Directories with owner, group and mode: what is there, what is wanted, and the way between.

This module util is **private** to the collection.

Some of these directories belong to the agent's account, and a task usually runs as root. A deployment script could
put a link in the place of such a directory and have root give away whatever it points to. So links that somebody else
made are refused, and owner and mode are set through an open descriptor of a real directory, never through a name.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from ._instance import files
from ._instance.errors import StorageError


class Entry(NamedTuple):
    """One directory and how it shall be; None leaves an attribute as it is. Owners are names or numbers."""

    path: str
    mode: int | None = None
    owner: str | None = None
    group: str | None = None


class Seen(NamedTuple):
    """How a directory is, with numbers."""

    mode: int
    owner: int
    group: int


def look(path: str) -> Seen | None:
    """How ``path`` is, or None where nothing is."""
    try:
        return _seen(os.stat(path))
    except OSError:
        return None


def differs(entry: Entry) -> bool:
    """Whether ``settle`` would change anything. Raises StorageError for an account that does not exist."""
    seen = look(entry.path)
    return seen is None or _wanted(entry, seen) != seen


def settle(entry: Entry) -> bool:
    """Make the directory, or adjust it; True when that changed anything. Raises StorageError.

    Parents that are missing are made searchable for everybody, whatever the umask is: the agent's account has to
    reach what lies below them.
    """
    refuse_foreign_links(entry.path)
    try:
        for parent in reversed(_missing_parents(entry.path)):
            with contextlib.suppress(FileExistsError):  # the tasks of another host on this machine came first
                os.mkdir(parent)
                os.chmod(parent, 0o755)
        created = not os.path.isdir(entry.path)
        if created:
            os.mkdir(entry.path, 0o700)
        return _adjust(entry, created) or created
    except OSError as error:
        raise StorageError(
            f"The directory {entry.path} could not be made or adjusted: {error.strerror or error}. The account may "
            "not write there, or something that is no directory has the name. Use 'become', or name another directory."
        ) from error


def show(path: str) -> dict[str, object] | None:
    """How ``path`` is, as a difference shows it."""
    seen = look(path)
    return None if seen is None else {"mode": f"{seen.mode:04o}", "owner": seen.owner, "group": seen.group}


def show_wanted(entry: Entry) -> dict[str, object]:
    """How ``entry`` will be, as a difference shows it; an account that does not exist yet stays a name."""
    seen = look(entry.path)
    mode = entry.mode if entry.mode is not None else (seen.mode if seen else 0o755)
    return {
        "mode": f"{mode:04o}",
        "owner": _number(files.user_number, entry.owner, seen.owner if seen else os.geteuid()),
        "group": _number(files.group_number, entry.group, seen.group if seen else os.getegid()),
    }


def refuse_foreign_links(path: str) -> None:
    """Raise StorageError where ``path``, or a directory above it, is a link that neither root nor this account made."""
    place = path
    while place != os.path.dirname(place):
        try:
            found = os.lstat(place)
        except OSError:
            found = None
        if found is not None and stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
            raise StorageError(
                f"{place} is a link made by user number {found.st_uid}, where a directory was expected. A link of "
                "another account could lead this task to change a foreign directory. Replace it by a directory, or "
                "by a link of root.",
                cause="permissions",
            )
        place = os.path.dirname(place)


def _adjust(entry: Entry, created: bool) -> bool:
    resolved = os.path.realpath(entry.path)
    descriptor = os.open(resolved, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        seen = _seen(os.fstat(descriptor))
        mode, owner, group = _wanted(entry, seen)
        if entry.mode is None and created:
            mode = 0o755
        if (owner, group) != (seen.owner, seen.group):
            os.fchown(descriptor, owner, group)
        if mode != stat.S_IMODE(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, mode)
        return (mode, owner, group) != seen
    finally:
        os.close(descriptor)


def _seen(found: os.stat_result) -> Seen:
    return Seen(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def _wanted(entry: Entry, seen: Seen) -> Seen:
    owner, group = files.user_number(entry.owner), files.group_number(entry.group)
    return Seen(
        seen.mode if entry.mode is None else entry.mode,
        seen.owner if owner == -1 else owner,
        seen.group if group == -1 else group,
    )


def _number(resolve: Callable[[files.Account], int], account: str | None, otherwise: int) -> object:
    try:
        number = resolve(account)
    except StorageError:
        return account
    return otherwise if number == -1 else number


def _missing_parents(path: str) -> list[str]:
    missing = []
    parent = os.path.dirname(path)
    while parent != os.path.dirname(parent) and not os.path.isdir(parent):
        missing.append(parent)
        parent = os.path.dirname(parent)
    return missing
