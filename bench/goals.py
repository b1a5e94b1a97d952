# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we want to reach, beyond the floors of rows.py. A goal that is missed is named, and fails nothing."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Cells = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]  # peer -> row -> one cell a round
WHEELS_SUFFIX = "-wheels"


class Missing(Exception):
    """A figure was not measured, so nothing can be said."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """The medians of one peer of ours, and those of the reference."""

    cells: Cells
    peer: str
    reference: str | None

    def ours(self, row: str, name: str = "value") -> float:
        """Our median. Raises Missing."""
        return _median(self.cells, self.peer, row, name)

    def theirs(self, row: str, name: str = "value") -> float:
        """The reference's median. Raises Missing."""
        return _median(self.cells, self.reference or "", row, name)

    def ratio(self, row: str, name: str = "value") -> float:
        """Ours over theirs. Raises Missing."""
        return self.ours(row, name) / self.theirs(row, name)

    def of_bound(self) -> float:
        """Our upload over the fastest that can be: the reference's bytes and the hash, one after the other."""
        return self.ours("upload") * (1 / self.theirs("upload") + 1 / self.theirs("sha1"))

    def most_memory(self) -> float:
        """MB that an idle agent may have: wheels bring an OpenSSL of their own."""
        return 38 if self.peer.endswith(WHEELS_SUFFIX) else 32


@dataclasses.dataclass(frozen=True)
class Goal:
    """``figure`` is compared with ``limit``; ``most`` where less is better."""

    text: str
    limit: float
    figure: Callable[[Figures], float]
    most: bool = False

    def judge(self, figures: Figures) -> tuple[bool, float] | None:
        """Whether it is reached, and the figure; None where that was not measured."""
        try:
            figure = self.figure(figures)
        except Missing:
            return None
        return (figure <= self.limit if self.most else figure >= self.limit), figure


GOALS: Mapping[str, Sequence[Goal]] = {
    "connect-1": [Goal("≥ 0.90 x nginx", 0.9, lambda figures: figures.ratio("connect-1"))],
    "connect-50": [Goal("≥ 0.90 x nginx", 0.9, lambda figures: figures.ratio("connect-50"))],
    "call-1": [Goal("≥ 0.80 x nginx", 0.8, lambda figures: figures.ratio("call-1"))],
    "call-50": [Goal("CPU ≤ 3 x nginx", 3, lambda figures: figures.ratio("call-50", "cpu_ms"), most=True)],
    "upload": [Goal("≥ 0.90 x bound of nginx and SHA-1", 0.9, lambda figures: figures.of_bound())],
    "download": [Goal("≥ 1.00 x nginx", 1, lambda figures: figures.ratio("download"))],
    "small": [
        Goal("≤ 3 x a small RPC", 3, lambda figures: figures.ours("call-1") / figures.ours("small"), most=True),
    ],
    "call-upload": [Goal("p99 ≤ 20 ms", 20, lambda figures: figures.ours("call-upload"), most=True)],
    "rss-idle": [
        Goal("≤ 32 MB, wheels 38", 1, lambda figures: figures.ours("rss-idle") / figures.most_memory(), most=True),
    ],
    "kb-connection": [Goal("≤ 95 KB", 95, lambda figures: figures.ours("kb-connection"), most=True)],
    "start": [Goal("≤ 6 x nginx", 6, lambda figures: figures.ratio("start"), most=True)],
    "script-1": [
        Goal("≥ 100/s", 100, lambda figures: figures.ours("script-1")),
        Goal("CPU ≤ 6 ms", 6, lambda figures: figures.ours("script-1", "cpu_ms"), most=True),
    ],
    "script-10": [
        Goal("≥ 1.5 x one at a time", 1.5, lambda figures: figures.ours("script-10") / figures.ours("script-1")),
    ],
    "script-200": [Goal("no error", 0, lambda figures: figures.ours("script-200"))],
}


def missed(cells: Cells, peer: str, reference: str | None) -> list[str]:
    """A sentence for each goal that was measured and not reached."""
    figures = Figures(cells, peer, reference)
    found = []
    for row, goals in GOALS.items():
        for goal in goals:
            judged = goal.judge(figures)
            if judged is not None and not judged[0]:
                found.append(f"{peer} misses a goal, {row} {goal.text}: {judged[1]:.3g}")
    return found


def words(cells: Cells, peer: str, reference: str | None, row: str) -> tuple[str, str]:
    """The goals of a row in words, and how far they are reached: nothing, "ok", or "missed" with the figures."""
    figures, goals = Figures(cells, peer, reference), GOALS.get(row, ())
    judged = [result for result in (goal.judge(figures) for goal in goals) if result is not None]
    short = [f"{figure:.3g}" for reached, figure in judged if not reached]
    verdict = "" if len(judged) < len(goals) or not goals else f"missed: {', '.join(short)}" if short else "ok"
    return "; ".join(goal.text for goal in goals), verdict


def _median(cells: Cells, peer: str, row: str, name: str) -> float:
    of_row = cells.get(peer, {}).get(row, [])
    if not of_row or any(name not in cell for cell in of_row):
        raise Missing
    return float(statistics.median(cell[name] for cell in of_row))
