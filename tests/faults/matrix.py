# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was made against what was said: a line for each fault, and the confusion matrix."""

from __future__ import annotations

import collections
import dataclasses
import textwrap
from collections.abc import Sequence
from typing import Any

NOTHING = "(no answer)"


@dataclasses.dataclass
class Outcome:
    """One fault that was made, or could not be. `wrong` holds a sentence for each thing that is not as it must be."""

    name: str
    expected: str
    reported: str | None = None
    side: str | None = None
    seconds: float = 0.0
    evidence: str = ""
    wrong: list[str] = dataclasses.field(default_factory=list)
    skipped: str | None = None
    result: dict[str, Any] | None = None

    @property
    def word(self) -> str:
        """skipped, wrong or right."""
        return "skipped" if self.skipped else "wrong" if self.wrong else "right"

    def lines(self) -> str:
        """For people: what was expected, what was said, and why."""
        if self.skipped:
            return f"skipped  {self.name}: {self.skipped}"
        said = f"{self.reported or NOTHING} ({self.side or 'no side'})"
        head = f"{self.word:8} {self.name}: expected {self.expected}, reported {said}, {self.seconds:.1f} s"
        return "\n".join([head, *_indented(self.evidence), *(f"         WRONG: {text}" for text in self.wrong)])


def _indented(text: str) -> list[str]:
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, 112)]
    return [" " * 9 + line for line in lines]


def table(outcomes: Sequence[Outcome]) -> str:
    """Rows are what was made, columns what was said; a dot is a zero. Diagonal when all is right."""
    counts = collections.Counter((one.expected, one.reported or NOTHING) for one in outcomes if not one.skipped)
    rows = sorted({made for made, _said in counts})
    columns = rows + sorted({said for _made, said in counts} - set(rows))
    width = max((len(word) for word in [*rows, "made"]), default=4)
    letters = [str(number) for number in range(1, len(columns) + 1)]
    lines = [" " * (width + 5) + "".join(f"{letter:>4}" for letter in letters) + "   reported"]
    for number, made in enumerate(rows, 1):
        cells = "".join(f"{counts[made, said] or '.':>4}" for said in columns)
        lines.append(f"{made:{width}} {number:3} {cells}")
    lines += [f"{said:{width}} {len(rows) + place:3} {'':{4 * len(columns)}}   reported, but never made"
              for place, said in enumerate(columns[len(rows):], 1)]  # fmt: skip
    return "\n".join(["made", *lines])


def closing(outcomes: Sequence[Outcome]) -> str:
    """The last line: how many there were of each kind."""
    counts = collections.Counter(one.word for one in outcomes)
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    diagonal = all(one.expected == one.reported for one in outcomes if not one.skipped)
    shape = "diagonal" if diagonal else "NOT diagonal"
    return f"{counts['right']} faults named right, {counts['wrong']} wrong{skipped}; the matrix is {shape}"
