# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a module says while it works: lines in a file that the action plugin reads and prints on the controller."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any, Callable

from ._script_output import Line

PATH_VARIABLE = "_TENTACLE_PROGRESS"  # set by the action plugin for this run of the module only
INTERVAL_SECONDS = 0.5  # shortest time between two reports of progress


def progress_path() -> str | None:
    """Where the action plugin wants to read reports; None where nobody does."""
    return os.environ.get(PATH_VARIABLE)


class Reporter:
    """Appends one JSON object for each line. Without a path, or where it cannot be written, nothing is reported.

    `clean` takes secrets out of every text before it is written.
    """

    def __init__(self, path: str | None, clean: Callable[[str], str]) -> None:
        self._clean = clean
        self._last = 0.0
        self._file: int | None = None
        if path:
            with contextlib.suppress(OSError):
                self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)

    def line(self, line: Line | None) -> None:
        """A line of a script's log; None is none."""
        if line is not None:
            self._write({"source": line.source, "text": self._clean(line.text)})

    def bytes_sent(self, what: str) -> Callable[[int, int], None]:
        """A function for `Client.upload` that reports how much of `what` has arrived, not too often."""

        def progress(done: int, total: int) -> None:
            now = time.monotonic()
            if done < total and now - self._last < INTERVAL_SECONDS:
                return
            self._last = now
            self._write({"source": "progress", "text": f"{what}: {_amount(done)} of {_amount(total)} sent"})

        return progress

    def say(self, text: str) -> None:
        """One sentence about what is done next."""
        self._write({"source": "progress", "text": self._clean(text)})

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, event: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, (json.dumps(event) + "\n").encode("utf-8"))
        except OSError:  # a full disk must not stop the work
            self.close()


def _amount(count: int) -> str:
    return f"{count} bytes" if count < 100_000 else f"{count / 1_000_000:.1f} MB"
