# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One run of bash: started, listened to until its output ends, or killed with everything below it.

The script is over when bash has exited and nobody holds its standard output or standard error any more; a child that
keeps one of them open keeps the script running. Only a cancellation ends that wait: it kills the tree of a bash that
is still there, leaves alone what has outlived it, and reports -1 (docs/protocol/tentacle-services.md §2.9, §2.10).

Standard input is the agent's own, which under a service manager is at its end. Signals that Python ignores are given
their ordinary meaning back, and no descriptor of the agent but those three is passed on.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from module_utils._halibut.contracts import SOURCE_STDERR, SOURCE_STDOUT

from .cancellation import Cancellation
from .decoder import LineDecoder
from .process_tree import kill_tree

if TYPE_CHECKING:
    import subprocess

SHELL = "/bin/bash"
CANCELLED = -1
READ_SIZE = 64 * 1024  # what a pipe holds on Linux
_LEFTOVER_READS = 16  # A survivor may write for ever; a pipe holds at most 1 MiB from before the cancellation.
_EXIT_POLL = 50  # milliseconds between two looks at a process on kernels that cannot be asked to wait for it (< 5.3)

Receive = Callable[[int, list[str]], None]


class LaunchError(Exception):
    """Bash could not be started; the text says why."""


class ScriptProcess:
    """A running bash. Use: ``start``, then ``run`` in the same thread until it returns the exit code."""

    def __init__(self, process: subprocess.Popen[bytes], wake: tuple[int, int],
                 receive: Receive, cancellation: Cancellation) -> None:
        self._process = process
        self._receive = receive
        self._cancellation = cancellation
        self._wake_read, self._wake_write = wake
        self._poller = select.poll()
        self._streams: dict[int, tuple[int, LineDecoder]] = {}
        for source, pipe in ((SOURCE_STDOUT, process.stdout), (SOURCE_STDERR, process.stderr)):
            if pipe is not None:
                self._streams[pipe.fileno()] = (source, LineDecoder())
                self._poller.register(pipe, select.POLLIN)
        self._poller.register(self._wake_read, select.POLLIN)

    @classmethod
    def start(cls, words: Sequence[str], directory: str, environment: Mapping[str, str],
              receive: Receive, cancellation: Cancellation) -> ScriptProcess:
        """Start bash with these words in that directory; its lines go to ``receive(source, lines)``.

        Raises LaunchError. After calling this, call ``run``.
        """
        import subprocess  # with what it brings, a fortieth of an agent's start

        wake: tuple[int, ...] = ()
        try:
            wake = read, write = os.pipe()
            process = subprocess.Popen(
                [SHELL, *words], bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=directory,
                env=environment, restore_signals=True, close_fds=True,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            for descriptor in wake:
                os.close(descriptor)
            raise LaunchError(str(error)) from error
        return cls(process, (read, write), receive, cancellation)

    def run(self) -> int:
        """Listen until the script is over; return its exit code, 128 and the signal's number if one killed it, or -1.

        Whatever ``receive`` raises passes through, after the tree was killed; that is not expected.
        """
        self._cancellation.watch(self._wake)
        try:
            if self._listen() and self._exited():
                code = self._process.wait()
                return code if code >= 0 else 128 - code
            self._end()
            return CANCELLED
        except BaseException:
            self._kill()
            raise
        finally:
            self._cancellation.watch(None)
            self._close()

    def _wake(self) -> None:
        os.write(self._wake_write, b"!")

    def _listen(self) -> bool:
        """Pass lines on until both streams have ended (True) or the script is cancelled (False)."""
        while self._streams:
            for descriptor, _unused in self._poller.poll():
                if descriptor == self._wake_read:
                    return False
                self._read(descriptor)
        return True

    def _read(self, descriptor: int) -> None:
        source, decoder = self._streams[descriptor]
        data = os.read(descriptor, READ_SIZE)
        if data:
            lines = decoder.feed(data)
        else:
            self._poller.unregister(descriptor)
            del self._streams[descriptor]
            lines = decoder.finish()
        if lines:
            self._receive(source, lines)

    def _exited(self) -> bool:
        """Wait until bash has exited (True) or the script is cancelled (False)."""
        watched = self._watch_exit()
        timeout = None if watched is not None else _EXIT_POLL
        try:
            while self._process.poll() is None:
                for descriptor, _unused in self._poller.poll(timeout):
                    if descriptor == self._wake_read:
                        return self._process.poll() is not None
            return True
        finally:
            if watched is not None:
                self._poller.unregister(watched)
                os.close(watched)

    def _watch_exit(self) -> int | None:
        """A descriptor that becomes readable when bash exits, where Python and kernel have such."""
        opener: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
        if opener is None or self._process.returncode is not None:
            return None
        try:
            descriptor = opener(self._process.pid)
        except OSError:
            return None
        self._poller.register(descriptor, select.POLLIN)
        return descriptor

    def _end(self) -> None:
        """Kill what is left of the script, and read what had been written by then."""
        self._kill()
        for descriptor in list(self._streams):
            os.set_blocking(descriptor, False)
            with contextlib.suppress(BlockingIOError):
                for _unused in range(_LEFTOVER_READS):
                    if descriptor not in self._streams:
                        break
                    self._read(descriptor)
            if descriptor in self._streams:
                source, decoder = self._streams.pop(descriptor)
                lines = decoder.finish()
                if lines:
                    self._receive(source, lines)

    def _kill(self) -> None:
        if self._process.poll() is None:
            kill_tree(self._process.pid)
            self._process.wait()

    def _close(self) -> None:
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
