# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The directories that an agent needs: whether they can be made here, and whether there is room in them.

This module util is **private** to the collection. Nothing is written to find out: a directory that does not exist yet
is judged by the nearest one above it that does.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .. import _directories
from .._instance.errors import StorageError
from .problem import Problem, from_error

MEGABYTE = 1024 * 1024
_ACCESS_LIST = "system.posix_acl_access"


class Place(NamedTuple):
    """A directory, and the option that chooses another one. ``runs``: programs are started from it."""

    option: str
    path: str
    runs: bool = False

    @property
    def nearest(self) -> str:
        """The directory itself, or the nearest one above it that exists."""
        path = os.path.abspath(self.path)
        while not os.path.lexists(path) and path != os.path.dirname(path):
            path = os.path.dirname(path)
        return path

    def facts(self) -> dict[str, Any]:
        """For the result; ``free_mb`` is None where the name stands for nothing, such as a link to nowhere."""
        free = None
        with contextlib.suppress(OSError):
            free = _free_megabytes(os.statvfs(self.nearest))
        return {"option": self.option, "path": self.path, "exists": os.path.isdir(self.path), "free_mb": free}


def check(places: Iterable[Place], minimum_free_mb: int, user: str | None) -> list[Problem]:
    """What is wrong with the places. ``user`` has to reach them, where it exists already."""
    sound, problems = [], []
    for place in places:
        found = _first_problem(place, user)
        if found is None:
            sound.append(place)
        else:
            problems.append(found)
    return problems + list(_without_room(sound, minimum_free_mb))


def _first_problem(place: Place, user: str | None) -> Problem | None:
    try:
        _directories.refuse_foreign_links(place.path)
    except StorageError as error:
        return from_error(error)
    nearest = place.nearest
    if not os.path.isdir(nearest):
        return Problem(
            "storage_failed",
            f"The directory {place.path} cannot be made: {nearest} exists and is no directory. Something else has "
            f"taken the name, probably. Move that away, or name another directory in '{place.option}'.",
        )
    return _unwritable(place, nearest) or _unreachable(place, user)


def _unwritable(place: Place, nearest: str) -> Problem | None:
    read_only = bool(os.statvfs(nearest).f_flag & os.ST_RDONLY)
    if read_only or not os.access(nearest, os.W_OK | os.X_OK):
        found = os.stat(nearest)
        reason = "its file system is mounted read-only" if read_only else (
            f"user number {os.geteuid()} may not write to {nearest}, which belongs to user number {found.st_uid} with "
            f"mode {stat.S_IMODE(found.st_mode):04o}"
        )
        return Problem(
            "permissions",
            f"The directory {place.path} cannot be made or used: {reason}. The tasks run as another account than the "
            f"one that owns it, or the place is not meant for data. Use 'become', or name another directory in "
            f"'{place.option}'.",
        )
    if place.runs and os.statvfs(nearest).f_flag & os.ST_NOEXEC:
        return Problem(
            "permissions",
            f"The agent cannot be started from {place.path}: its file system is mounted with noexec, so programs on it "
            f"are refused. Hardening of this host, probably. Name a directory elsewhere in '{place.option}'.",
        )
    return None


def _unreachable(place: Place, user: str | None) -> Problem | None:
    """A directory above that lets the agent's account not pass; an access list may allow more than the mode says."""
    try:
        account = pwd.getpwnam(user) if user else None
    except KeyError:
        return None
    if account is None or account.pw_uid == 0:
        return None
    groups = set(os.getgrouplist(account.pw_name, account.pw_gid))
    for parent in _existing_parents(place.path):
        found = os.stat(parent)
        bit = stat.S_IXGRP if found.st_gid in groups else stat.S_IXOTH
        bit = stat.S_IXUSR if found.st_uid == account.pw_uid else bit
        if not found.st_mode & bit and not _has_access_list(parent):
            return Problem(
                "permissions",
                f"The account {user} cannot reach {place.path}: {parent} has mode {stat.S_IMODE(found.st_mode):04o} "
                f"and does not let it pass. The place is private to somebody else, probably. Give it passage with "
                f"'chmod o+x {parent}', or name another directory in '{place.option}'.",
            )
    return None


def _existing_parents(path: str) -> list[str]:
    """Every directory above ``path`` that exists, the root first."""
    above = []
    parent = os.path.dirname(os.path.realpath(path))
    while parent not in above:
        above.append(parent)
        parent = os.path.dirname(parent)
    return [place for place in reversed(above) if os.path.isdir(place)]


def _has_access_list(path: str) -> bool:
    try:
        return _ACCESS_LIST in os.listxattr(path)
    except OSError:
        return False


def _free_megabytes(numbers: os.statvfs_result) -> int:
    return numbers.f_bavail * numbers.f_frsize // MEGABYTE


def _without_room(places: Iterable[Place], minimum_free_mb: int) -> Iterator[Problem]:
    """One problem for each file system that is too full, whatever lies on it."""
    by_device: dict[int, list[Place]] = {}
    for place in places:
        by_device.setdefault(os.stat(place.nearest).st_dev, []).append(place)
    for sharing in by_device.values():
        numbers = os.statvfs(sharing[0].nearest)
        free = _free_megabytes(numbers)
        no_names = bool(minimum_free_mb and numbers.f_files and not numbers.f_favail)
        if free >= minimum_free_mb and not no_names:
            continue
        left = "no free inodes" if no_names else f"{free} MB free"
        yield Problem(
            "disk_full",
            f"The file system of {', '.join(place.path for place in sharing)} has {left}, and at least "
            f"{minimum_free_mb} MB are expected for programs, logs and what is deployed. Old deployments or logs fill "
            "it, probably. Free some space, choose "
            f"another place with {' or '.join(repr(place.option) for place in sharing)}, or set 'minimum_free_mb'.",
        )
