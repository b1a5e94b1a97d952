# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what a module reports while it runs.

This module is **private** to the collection.

A module of ours gets the path of a file in its environment and appends a JSON object for each line
(``module_utils/_reporter.py``). How the file is read depends on where the module runs:

* on the controller itself: a thread follows the file while Ansible runs the module;
* elsewhere: the module runs as an asynchronous job, and the file is read again and again over the same connection, as
  the same user. No second connection is opened, and nothing of the connection is used by two threads.

The module's result is the same in both cases, and the same as without this. Nothing is printed for tasks with
``no_log``. A file that cannot be made or read only costs the live output.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ansible_collections.listening.tentacle.plugins.module_utils._reporter import PATH_VARIABLE

if TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

POLL_SECONDS = 0.2
REMOTE_POLL_SECONDS = 1.0
JOB_SECONDS = 7 * 86400  # upper limit of an asynchronous job; the module has time limits of its own

Show = Callable[[dict[str, Any]], None]


def execute(action: ActionBase, module: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
    """Run a module of ours on the task's host and print what it reports. Returns its result."""
    task = action._task
    if task.async_val or task.no_log or task.check_mode:
        return execute_silently(action, module, arguments, task_vars)
    show = _printer(action, task_vars)
    if _runs_here(action):
        return _execute_here(action, module, arguments, task_vars, show)
    return _execute_there(action, module, arguments, task_vars, show)


def execute_silently(
    action: ActionBase, module: str, arguments: dict[str, Any], task_vars: dict[str, Any]
) -> dict[str, Any]:
    """Run a module of ours on the task's host and print nothing. Returns its result."""
    wrap = bool(action._task.async_val) and not action._connection.has_native_async
    return action._execute_module(module_name=module, module_args=arguments, task_vars=task_vars, wrap_async=wrap)


def _printer(action: ActionBase, task_vars: dict[str, Any]) -> Show:
    host = task_vars.get("inventory_hostname") or "localhost"

    def show(event: dict[str, Any]) -> None:
        source = str(event.get("source"))
        mark = {"stderr": "!", "debug": ".", "verbose": ".", "progress": ">", "wait": ">"}.get(source, "|")
        if mark != "." or action._display.verbosity > 0:
            action._display.display(f"  {host} {mark} {printable(str(event.get('text', '')))}")

    return show


def printable(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return "".join(char if char.isprintable() or char == "\t" else "?" for char in text.rstrip("\r\n"))


class Lines:
    """Cuts bytes that come in pieces into reports; what is no report is left out."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                self._show(event)


def _execute(
    action: ActionBase,
    module: str,
    arguments: dict[str, Any],
    task_vars: dict[str, Any],
    path: str,
    *,
    wrap_async: bool = False,
) -> dict[str, Any]:
    """Run the module with the path of its reports in its environment."""
    environment = action._task.environment
    environment.append({PATH_VARIABLE: path})
    try:
        return action._execute_module(
            module_name=module, module_args=arguments, task_vars=task_vars, wrap_async=wrap_async
        )
    finally:
        environment.pop()


# On the controller


def _runs_here(action: ActionBase) -> bool:
    """Whether the module runs on the controller, as a user who can write a file of ours."""
    become = action._connection.become
    user = become.get_option("become_user", playcontext=action._play_context) if become else None
    return action._connection.transport == "local" and user in (None, "root")


def _execute_here(
    action: ActionBase, module: str, arguments: dict[str, Any], task_vars: dict[str, Any], show: Show
) -> dict[str, Any]:
    directory = tempfile.mkdtemp(prefix="tentacle-")
    path = os.path.join(directory, "progress")
    finished = threading.Event()
    try:
        with open(path, "xb"):
            pass
        follower = threading.Thread(target=_follow, args=(path, finished, Lines(show)), daemon=True)
        follower.start()
        try:
            return _execute(action, module, arguments, task_vars, path)
        finally:
            finished.set()
            follower.join()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _follow(path: str, finished: threading.Event, lines: Lines) -> None:
    with open(path, "rb") as file:
        while True:
            last = finished.wait(POLL_SECONDS)
            lines.feed(file.read())
            if last:
                return


# Elsewhere


def _execute_there(
    action: ActionBase, module: str, arguments: dict[str, Any], task_vars: dict[str, Any], show: Show
) -> dict[str, Any]:
    made = action._low_level_execute_command('umask 077 && d=$(mktemp -d) && : > "$d/progress" && echo "$d"')
    directory = str(made.get("stdout", "")).strip().splitlines()[-1:] if made.get("rc") == 0 else []
    if not directory:
        return action._execute_module(module_name=module, module_args=arguments, task_vars=task_vars)
    path = directory[0] + "/progress"
    try:
        job = _start_job(action, module, arguments, task_vars, path)
        if "ansible_job_id" not in job:
            return job  # it could not be started: the result says why
        return _await_job(action, job, path, task_vars, Lines(show))
    finally:
        action._low_level_execute_command(f"rm -rf {shlex.quote(directory[0])}")


def _start_job(
    action: ActionBase, module: str, arguments: dict[str, Any], task_vars: dict[str, Any], path: str
) -> dict[str, Any]:
    before = action._task.async_val
    action._task.async_val = JOB_SECONDS
    try:
        return _execute(action, module, arguments, task_vars, path, wrap_async=True)
    finally:
        action._task.async_val = before


def _await_job(
    action: ActionBase, job: dict[str, Any], path: str, task_vars: dict[str, Any], lines: Lines
) -> dict[str, Any]:
    question = {"jid": job["ansible_job_id"], "_async_dir": os.path.dirname(job["results_file"])}
    offset = 0
    while True:
        time.sleep(REMOTE_POLL_SECONDS)
        over = _is_over(action, job["results_file"])
        offset += _read_on(action, path, offset, lines)
        if over:
            break
    result = action._execute_module(
        module_name="ansible.legacy.async_status", module_args=question, task_vars=task_vars
    )
    action._execute_module(
        module_name="ansible.legacy.async_status", module_args={**question, "mode": "cleanup"}, task_vars=task_vars
    )
    for key in ("ansible_job_id", "results_file", "started", "finished", "erased", "ansible_async_watchdog_pid"):
        result.pop(key, None)
    return result


def _is_over(action: ActionBase, results_file: str) -> bool:
    """Whether the job has written its result: until then its file says that it was started."""
    seen = action._low_level_execute_command(f"head -c 4096 {shlex.quote(results_file)}")
    text = str(seen.get("stdout", ""))
    return seen.get("rc") != 0 or ('"started"' not in text and bool(text.strip()))


def _read_on(action: ActionBase, path: str, offset: int, lines: Lines) -> int:
    """Read what came behind `offset`; the number of bytes."""
    seen = action._low_level_execute_command(f"tail -c +{offset + 1} {shlex.quote(path)}")
    data = str(seen.get("stdout", "")).encode("utf-8", "surrogateescape") if seen.get("rc") == 0 else b""
    whole = data[: data.rfind(b"\n") + 1]
    lines.feed(whole)
    return len(whole)
