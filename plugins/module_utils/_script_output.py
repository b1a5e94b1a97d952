# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A script's log as a module returns it: sorted into sources, without the lines that only steer a server's display.

Scripts and the agent itself switch how a server shows what follows with lines such as `##octopus[stdout-verbose]`
(docs/protocol/tentacle-services.md §9.4). What is marked verbose, the agent's notes about its isolation mutex for
instance, is no output of the script. All other service messages are left as they are.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ._client.scripts import MEANINGS, Outcome
from ._halibut.contracts import SOURCE_DEBUG, SOURCE_STDERR, SOURCE_STDOUT, ProcessOutput

STDOUT, STDERR, VERBOSE, WAIT, DEBUG = "stdout", "stderr", "verbose", "wait", "debug"
_SOURCES = {SOURCE_STDOUT: STDOUT, SOURCE_STDERR: STDERR, SOURCE_DEBUG: DEBUG}
_MODE = re.compile(r"##octopus\[(stdout|stderr)-([a-z]+)\]\s*")
_HIDDEN = {"verbose": VERBOSE, "ignore": VERBOSE, "wait": WAIT}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Line(NamedTuple):
    """One line: `source` is stdout, stderr, verbose, wait (for another script) or debug (the agent's own notes)."""

    source: str
    text: str
    occurred: str


@dataclass
class Sorter:
    """Takes a script's log line by line, in order."""

    lines: list[Line] = field(default_factory=list)
    _modes: dict[str, str] = field(default_factory=dict)

    def take(self, output: ProcessOutput) -> Line | None:
        """The line as it is to be shown; None where it only steers the display."""
        text = output.text or ""
        mode = _MODE.fullmatch(text)
        if mode:
            self._modes[mode[1]] = mode[2]
            return None
        source = _SOURCES.get(output.source, DEBUG)
        line = Line(_HIDDEN.get(self._modes.get(source, ""), source), text, _iso(output.occurred))
        self.lines.append(line)
        return line

    def result(self, outcome: Outcome | None) -> dict[str, Any]:
        """What a module returns about a script; the same keys where none was run."""
        stdout, stderr = self.texts(STDOUT), self.texts(STDERR)
        return {
            "rc": outcome.exit_code if outcome else None,
            "stdout": "\n".join(stdout),
            "stdout_lines": stdout,
            "stderr": "\n".join(stderr),
            "stderr_lines": stderr,
            "output": [line._asdict() for line in self.lines],
            "ticket": outcome.ticket if outcome else None,
            "timed_out": outcome.timed_out if outcome else False,
            "seconds": round(outcome.seconds, 3) if outcome else 0.0,
        }

    def texts(self, source: str) -> list[str]:
        return [line.text for line in self.lines if line.source == source]


def sort(output: Iterable[ProcessOutput]) -> Sorter:
    """All of a script's log at once."""
    sorter = Sorter()
    for line in output:
        sorter.take(line)
    return sorter


def meaning(code: int) -> str:
    """Why a script ended with a code that is not its own; an empty text for its own."""
    return MEANINGS.get(code, "")


def complaint(outcome: Outcome, expected: list[int], limit: int | None) -> str | None:
    """Why a script that was run is no success; None if it is."""
    if outcome.timed_out:
        return f"The script was cancelled, because it had not ended after {limit} s."
    if outcome.exit_code in expected:
        return None
    why = meaning(outcome.exit_code)
    codes = ", ".join(str(code) for code in expected)
    ended = f"exit code {outcome.exit_code}" + (f" ({why})" if why else "")
    return f"The script ended with {ended}; expected was {codes}. Read its output."


def _iso(milliseconds: int) -> str:
    try:
        moment = _EPOCH + datetime.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return ""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
