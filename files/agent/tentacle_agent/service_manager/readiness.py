# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Waiting until a started agent listens, by what it writes to its own log.

The log is the one sign that is the same whoever started the agent (docs/protocol/tentacle-services.md §5.7).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

LOG_NAME = os.path.join("Logs", "OctopusTentacle.txt")
START_SECONDS = 60.0  # A busy machine takes seconds to load Python; whoever takes longer hangs.
_SIGNS = (b"Agent listening on", b"Agent will not listen on any TCP ports")
_PAUSE = 0.05
_TAIL_BYTES = 8192


class LogWatch:
    """Looks at what is added to an instance's log from now on."""

    def __init__(self, home_directory: str) -> None:
        self.path = os.path.join(home_directory, LOG_NAME)
        self._seen = self._identity()

    def _identity(self) -> tuple[int, int]:
        """Which file it is, and how long; another file or a shorter one is read from its beginning."""
        try:
            present = os.stat(self.path)
        except OSError:
            return 0, 0
        return present.st_ino, present.st_size

    def added(self) -> bytes:
        """What was written since this object was made."""
        number, size = self._identity()
        start = self._seen[1] if number == self._seen[0] and size >= self._seen[1] else 0
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                return file.read()
        except OSError:
            return b""

    def wait_until_listening(self, is_alive: Callable[[], bool], seconds: float = START_SECONDS) -> bool:
        """True once the agent says that it listens; False when it ended or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            alive = is_alive()
            if any(sign in self.added() for sign in _SIGNS):
                return alive
            if not alive or time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)

    def last_lines(self, count: int = 10) -> str:
        """The newest of the added lines, for an error message; an empty text when there are none."""
        return last_lines(self.added(), count)


def last_lines(data: bytes, count: int = 10) -> str:
    """The last lines of ``data``, indented, each on its own line."""
    lines = data[-_TAIL_BYTES:].decode("utf-8", "replace").splitlines()
    return "".join(f"\n  {line}" for line in lines[-count:] if line.strip())


def read_tail(path: str) -> bytes:
    """The end of a file; nothing when there is none."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        return file.read()
    return b""
