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
from collections.abc import Callable, Mapping

from module_utils._halibut.contracts import SOURCE_STDERR, SOURCE_STDOUT

from .cancellation import Cancellation
from .child import Child
from .decoder import LineDecoder

CANCELLED = -1
READ_SIZE = 64 * 1024  # what a pipe holds on Linux
_LEFTOVER_READS = 16  # A survivor may write for ever; a pipe holds at most 1 MiB from before the cancellation.
_EXIT_POLL = 50  # milliseconds between two looks at a process on kernels that cannot be asked to wait for it (< 5.3)

Receive = Callable[[int, list[str]], None]


class HandedOver(Exception):
    """The script goes on for another process of the agent; ``rests`` holds the beginning of a line by its source."""

    def __init__(self, rests: Mapping[int, bytes]) -> None:
        super().__init__("the script was handed over")
        self.rests = rests


class ScriptProcess:
    """A bash and what it writes. Use: ``run`` in one thread until it returns the exit code.

    ``rests`` are what `HandedOver` brought from the process that has listened before.
    """

    def __init__(self, child: Child, receive: Receive, cancellation: Cancellation,
                 rests: Mapping[int, bytes] | None = None) -> None:
        self._child = child
        self._receive = receive
        self._cancellation = cancellation
        self._wake_read, self._wake_write = os.pipe()
        self._handing_over = False
        self._poller = select.poll()
        self._streams: dict[int, tuple[int, LineDecoder]] = {}
        for source, descriptor in ((SOURCE_STDOUT, child.stdout), (SOURCE_STDERR, child.stderr)):
            decoder = LineDecoder()
            decoder.feed((rests or {}).get(source, b""))
            self._streams[descriptor] = (source, decoder)
            self._poller.register(descriptor, select.POLLIN)
        self._poller.register(self._wake_read, select.POLLIN)

    def run(self) -> int:
        """Listen until the script is over; return its exit code, 128 and the signal's number if one killed it, or -1.

        Raises HandedOver after `hand_over`. Whatever ``receive`` raises passes through, after the tree was killed; that
        is not expected.
        """
        self._cancellation.watch(self._wake)
        try:
            if self._listen() and self._exited():
                return self._child.wait()
            if self._handing_over and not self._cancellation.requested:
                rests = {source: decoder.rest() for source, decoder in self._streams.values()}
                raise HandedOver(rests)
            self._end()
            return CANCELLED
        except HandedOver:
            raise
        except BaseException:
            self._child.kill()
            raise
        finally:
            self._cancellation.watch(None)
            self._close()

    def hand_over(self) -> None:
        """Stop listening and leave the script as it is."""
        self._handing_over = True
        with contextlib.suppress(OSError):  # it has just ended
            self._wake()

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
        watched = self._child.watch()
        if watched is not None:
            self._poller.register(watched, select.POLLIN)
        timeout = None if watched is not None else _EXIT_POLL
        try:
            while self._child.poll() is None:
                for descriptor, _unused in self._poller.poll(timeout):
                    if descriptor == self._wake_read:
                        return self._child.poll() is not None
            return True
        finally:
            if watched is not None:
                self._poller.unregister(watched)
                os.close(watched)

    def _end(self) -> None:
        """Kill what is left of the script, and read what had been written by then."""
        self._child.kill()
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

    def _close(self) -> None:
        self._child.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
