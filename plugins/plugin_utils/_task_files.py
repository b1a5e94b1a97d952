# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which agent a task means when it does not say so, and where files on the controller are.

This module is **private** to the collection.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible.plugins.action import ActionBase


def with_host(arguments: dict[str, Any], action: ActionBase, task_vars: dict[str, Any]) -> dict[str, Any]:
    """The arguments with ``host`` filled in: the host that the task is for, also where it is delegated."""
    if arguments.get("host"):
        return dict(arguments)
    host = task_vars.get("ansible_host") or task_vars.get("inventory_hostname")
    return {**arguments, "host": action._templar.template(host) if host else None}


def is_local(action: ActionBase) -> bool:
    """Whether the module can read the controller's files by itself: it runs here, as the same user."""
    return action._connection.transport == "local" and not action._connection.become


def deliver(action: ActionBase, path: str, name: str) -> str:
    """Make a file of the controller readable for the module; returns its path there. AnsibleError if there is none."""
    found = action._find_needle("files", path)
    if is_local(action):
        return found
    if not action._connection._shell.tmpdir:
        action._make_tmp_path()
    directory = action._connection._shell.tmpdir
    target = action._connection._shell.join_path(directory, name)
    action._transfer_file(found, target)
    action._fixup_perms2((directory, target))
    return target


def read_text(action: ActionBase, path: str) -> str:
    """The text of a file of the controller, looked for as ``copy`` and ``script`` do."""
    with open(action._find_needle("files", path), encoding="utf-8") as file:
        return file.read()


def base_name(path: str) -> str:
    return os.path.basename(path.rstrip("/"))
