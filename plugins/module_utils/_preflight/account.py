# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The account that is to run the agent: whether it is there, whether it is ours, whether it can be made.

This module util is **private** to the collection.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from typing import Any, NamedTuple

from .problem import Problem

USERS = "/etc/passwd"
_MAKERS = ("useradd", "adduser")  # of shadow, and of busybox
_DIRECTORIES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


class Wanted(NamedTuple):
    """Whom the agent shall run as. ``managed``: the account is made, with ``home``, and not only used."""

    user: str
    group: str | None
    managed: bool
    home: str | None


def facts(user: str | None) -> dict[str, Any] | None:
    """The account as it is; None where there is none."""
    try:
        found = pwd.getpwnam(user) if user else None
    except KeyError:
        return None
    if found is None:
        return None
    return {
        "name": found.pw_name,
        "uid": found.pw_uid,
        "home": found.pw_dir,
        "group": _group_name(found.pw_gid),
        "shell": found.pw_shell,
        "comment": found.pw_gecos,
    }


def check(wanted: Wanted) -> list[Problem]:
    """What is wrong with the account; whoever is root is never managed."""
    if wanted.user == "root":
        return []
    found = facts(wanted.user)
    if not wanted.managed:
        return _missing(wanted, found is not None)
    if found is not None:
        return _somebody_elses(wanted, found)
    return _cannot_be_made(wanted)


def _missing(wanted: Wanted, exists: bool) -> list[Problem]:
    problems = []
    if not exists:
        problems.append(_is_missing("user", wanted.user, f"useradd --system {wanted.user}", "service_user"))
    if wanted.group and not _group_exists(wanted.group):
        problems.append(_is_missing("group", wanted.group, f"groupadd --system {wanted.group}", "service_group"))
    return problems


def _is_missing(kind: str, name: str, command: str, option: str) -> Problem:
    return Problem(
        "account_missing",
        f"The agent is to run with the {kind} {name}, and there is none of that name on this host. 'manage_account' is "
        f"off, so somebody else has to make it before. Run '{command}', name another one in '{option}', or set "
        "'manage_account'.",
    )


def _somebody_elses(wanted: Wanted, found: dict[str, Any]) -> list[Problem]:
    differs = []
    if wanted.home and os.path.normpath(found["home"]) != os.path.normpath(wanted.home):
        differs.append(f"the home {found['home']} instead of {wanted.home}")
    if wanted.group and found["group"] != wanted.group:
        differs.append(f"the group {found['group']} instead of {wanted.group}")
    if not differs:
        return []
    return [
        Problem(
            "account_taken",
            f"The account {wanted.user} exists on this host (number {found['uid']}) with {' and '.join(differs)}. It "
            "was made for something else, probably, which would break when it is changed. Name another account in "
            "'service_user', or turn 'manage_account' off to run the agent as this one as it is.",
        )
    ]


def _cannot_be_made(wanted: Wanted) -> list[Problem]:
    reason = None
    if not any(shutil.which(program, path=_DIRECTORIES) for program in _MAKERS):
        reason = f"there is no {' or '.join(_MAKERS)} on this host"
    elif not os.access(USERS, os.W_OK):
        reason = f"user number {os.geteuid()} may not change {USERS}"
    if reason is None:
        return []
    return [
        Problem(
            "account_missing",
            f"The account {wanted.user} cannot be made: {reason}. Accounts come from a directory or an image here, "
            "probably, or the tasks do not run as root. Make the account there and turn 'manage_account' off, or use "
            "'become'.",
        )
    ]


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
