# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process apart from this machine: its own user, mount, network and process namespaces, without root.

Everything that is started in there ends with it, whatever happens: the kernel kills a process namespace with its first
process. Nothing that is done in there to networks, mounts or firewalls is seen outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from typing import Any

NEWNS, NEWUSER, NEWPID, NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_MS_REC, _MS_PRIVATE, _MS_BIND = 0x4000, 0x40000, 0x1000
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave the given namespaces for new ones. Raises OSError."""
    _check(_libc.unshare(flags), "unshare")


def enter(descriptor: int) -> None:
    """Let this thread, and what it starts, live in another network namespace. Raises OSError."""
    _check(_libc.setns(descriptor, NEWNET), "setns")


def mount(source: str, target: str, kind: str = "", options: str = "", flags: int = 0) -> None:
    """Mount as mount(2) does. Raises OSError."""
    arguments = (source.encode(), target.encode(), kind.encode() or None, flags, options.encode() or None)
    _check(_libc.mount(*arguments), f"mount {target}")


def bind(source: pathlib.Path, target: pathlib.Path) -> None:
    """Let a file appear in another's place."""
    mount(str(source), str(target), flags=_MS_BIND)


def unavailable() -> str | None:
    """Why this machine makes no such namespaces, or None if it does."""
    child = os.fork()
    if child == 0:
        try:
            unshare(NEWUSER | NEWNS | NEWNET | NEWPID)
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 1)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f"user namespaces are off here ({os.strerror(number)})" if number else None


class Apart:
    """A function running apart; its result comes back as JSON through a file. Not for programs with threads."""

    def __init__(self, function: Callable[[], Any], scratch: pathlib.Path) -> None:
        descriptor, name = tempfile.mkstemp(dir=scratch, suffix=".json")
        os.close(descriptor)
        self._answer = pathlib.Path(name)
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._child(function)

    def result(self) -> Any:
        """What the function returned, behind its end. RuntimeError with its traceback if it failed."""
        text = self._answer.read_text(encoding="utf-8")
        if not text:
            raise RuntimeError("it was ended before it had an answer")
        answer = json.loads(text)
        if "failure" in answer:
            raise RuntimeError(answer["failure"])
        return answer["result"]

    def end(self) -> None:
        """End it with everything that runs in there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def _child(self, function: Callable[[], Any]) -> None:
        status = 1
        try:
            _leave()
            _die_with_parent()
            first = os.fork()
            if first == 0:
                _die_with_parent()
                mount("proc", "/proc", "proc")
                self._run(function)
                os._exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        except BaseException:
            self._answer.write_text(json.dumps({"failure": traceback.format_exc()}), encoding="utf-8")
        finally:
            os._exit(status & 0xFF)

    def _run(self, function: Callable[[], Any]) -> None:
        try:
            answer = {"result": function()}
        except BaseException:
            answer = {"failure": traceback.format_exc()}
        self._answer.write_text(json.dumps(answer), encoding="utf-8")


def _leave() -> None:
    """Into new namespaces, as root of nothing but them."""
    user, group = os.geteuid(), os.getegid()
    unshare(NEWUSER | NEWNS | NEWNET | NEWPID)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        pathlib.Path("/proc/self", name).write_text(text, encoding="ascii")
    mount("none", "/", flags=_MS_REC | _MS_PRIVATE)


def _die_with_parent() -> None:
    _check(_libc.prctl(_DEATH_SIGNAL, signal.SIGKILL), "prctl")


def _check(outcome: int, what: str) -> None:
    if outcome < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class Network:
    """One host's network namespace. `with network: ...` lets what is opened or started inside live there."""

    def __init__(self) -> None:
        here = _of_this_thread()
        unshare(NEWNET)
        self.descriptor = _of_this_thread()
        _return(here)
        self._left = threading.local()

    @property
    def path(self) -> str:
        """Where `ip link set ... netns` finds it."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def __enter__(self) -> Network:
        self._left.networks = [*getattr(self._left, "networks", ()), _of_this_thread()]
        enter(self.descriptor)
        return self

    def __exit__(self, *_unused: object) -> None:
        _return(self._left.networks.pop())


def _of_this_thread() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _return(descriptor: int) -> None:
    enter(descriptor)
    os.close(descriptor)
