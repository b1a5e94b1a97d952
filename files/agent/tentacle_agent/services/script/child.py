# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The bash of a script, as a child of this process or one that an earlier process of the agent has started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from .process_tree import kill_tree

if TYPE_CHECKING:
    import subprocess

SHELL = "/bin/bash"
UNKNOWN = -1
"""The exit code of a bash that was killed together with what should have told its exit code."""

_TELLING = """exec {kept}>&2 2>/dev/null; SHLVL=$((SHLVL-1)); %s "$@" 2>&$kept {kept}>&- %d>&-
code=$?; echo $code >&%d; exit $code"""


class LaunchError(Exception):
    """Bash could not be started; the text says why."""


class Child:
    """A bash that this process has started."""

    def __init__(self, process: subprocess.Popen[bytes], told: int | None = None) -> None:
        self._process = process
        self._told = told
        self.pid = process.pid
        assert process.stdout is not None
        assert process.stderr is not None
        self.stdout, self.stderr = process.stdout.fileno(), process.stderr.fileno()

    @classmethod
    def start(cls, words: Sequence[str], directory: str, environment: Mapping[str, str], telling: bool) -> Child:
        """Start bash with these words in that directory. Raises LaunchError.

        ``telling`` puts a second bash around it, which writes its exit code into a pipe: only a parent can ask the
        system for that, and whoever adopts the script is none.
        """
        import subprocess  # with what it brings, a fortieth of an agent's start

        pipe: tuple[int, ...] = ()
        command = [SHELL, *words]
        try:
            if telling:
                pipe = os.pipe()
                # POSIX mode keeps the outer bash from reading what BASH_ENV names.
                command = [SHELL, "--posix", "-c", _TELLING % (SHELL, pipe[1], pipe[1]), *command]
            process = subprocess.Popen(
                command, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=directory, env=environment,
                restore_signals=True, close_fds=True, pass_fds=pipe[1:],
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            for descriptor in pipe[:1]:
                os.close(descriptor)
            raise LaunchError(str(error)) from error
        finally:
            for descriptor in pipe[1:]:
                os.close(descriptor)
        return cls(process, pipe[0] if pipe else None)

    def descriptors(self) -> dict[str, int]:
        """Copies of what another process needs to adopt this one, to be closed; empty where it cannot be adopted."""
        watched = self.watch() if self._told is not None else None
        if watched is None or self._told is None:
            return {}
        return {"out": os.dup(self.stdout), "err": os.dup(self.stderr), "exit": os.dup(self._told), "pid": watched}

    def poll(self) -> int | None:
        """The exit code, 128 and the signal's number if one ended it; None while it runs."""
        code = self._process.poll()
        return None if code is None else self._as_bash_says(code)

    def wait(self) -> int:
        """Wait for the end; the exit code as `poll` has it."""
        return self._as_bash_says(self._process.wait())

    @staticmethod
    def _as_bash_says(code: int) -> int:
        return code if code >= 0 else 128 - code

    def watch(self) -> int | None:
        """A descriptor that becomes readable when bash exits, where Python and kernel have such; to be closed."""
        opener: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
        if opener is None or self._process.returncode is not None:
            return None
        try:
            return opener(self.pid)
        except OSError:
            return None

    def kill(self) -> None:
        """End it with everything below it, if it still runs."""
        if self._process.poll() is None:
            kill_tree(self.pid)
            self._process.wait()

    def close(self) -> None:
        """Close the pipes."""
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        if self._told is not None:
            os.close(self._told)


class AdoptedChild(Child):
    """A bash of an earlier process of the agent, known by descriptors alone: its number may have passed to another."""

    def __init__(self, descriptors: Mapping[str, int]) -> None:
        self.stdout, self.stderr = descriptors["out"], descriptors["err"]
        self._exit, self._pidfd = descriptors["exit"], descriptors["pid"]
        self._code: int | None = None
        self.pid = number_of(self._pidfd)

    def poll(self) -> int | None:
        return self._read_code() if self._has_ended(0) else None

    def wait(self) -> int:
        self._has_ended(None)
        return self._read_code()

    def _has_ended(self, milliseconds: int | None) -> bool:
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        return bool(poller.poll(milliseconds))

    def _read_code(self) -> int:
        if self._code is None:
            os.set_blocking(self._exit, False)
            told = b""
            with contextlib.suppress(OSError):
                told = os.read(self._exit, 16).strip()
            self._code = int(told) if told.isdigit() else UNKNOWN
        return self._code

    def watch(self) -> int | None:
        return os.dup(self._pidfd)

    def kill(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGSTOP)  # stopped, it keeps its number
                kill_tree(self.pid)
            self.wait()

    def close(self) -> None:
        for descriptor in (self.stdout, self.stderr, self._exit, self._pidfd):
            os.close(descriptor)


def number_of(pidfd: int) -> int:
    """The number of the process that a descriptor stands for; -1 when it has ended."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("Pid:")), -1)
