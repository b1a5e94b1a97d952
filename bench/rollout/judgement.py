# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From runs to tables: medians with their spread, ratios, goals reached or missed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopback import FleetRun

Cells = dict[str, dict[str, Any]]  # first and second -> seconds, cpu (the controller's), hosts_cpu, changed, tasks
Round = dict[str, Cells]  # floor, role, peer -> cells
RUNS = (("first", "first run, fresh hosts"), ("second", "second run, nothing to change"))
GOALS = (("floor", 2.0), ("peer", 0.7))  # the role's seconds over theirs, at most
_GROWTH = 1.1  # a host more in a large fleet may cost so much of one more in a small fleet: what runs differ by anyway


def of_rounds(said: Sequence[str], rounds: Sequence[Round]) -> tuple[str, bool]:
    """The table of the booted hosts, and whether every goal that could be judged is reached."""
    names = [name for name in ("role", "floor", "peer") if all(name in cells for cells in rounds)]
    goals = [(name, most) for name, most in GOALS if name in names and "role" in names]
    head = ["run, seconds", *names, *(f"role / {name}, at most {most:g}" for name, most in goals)]
    lines, reached = [*_head(head)], True
    for run, title in RUNS:
        shown = [_spread([cells[name][run]["seconds"] for cells in rounds]) for name in names]
        for name, most in goals:
            ratio = _median(rounds, "role", run, "seconds") / _median(rounds, name, run, "seconds")
            reached = reached and ratio <= most
            shown.append(f"{ratio:.2f} {'ok' if ratio <= most else 'missed'}")
        lines.append(_line([title, *shown]))
    lines += ["", *_head(["CPU, controller + hosts, seconds", *names, *(f"role / {name}" for name, _most in goals)])]
    for run, title in RUNS:
        parts = {name: [_median(rounds, name, run, part) for part in ("cpu", "hosts_cpu")] for name in names}
        ratios = [f"{sum(parts['role']) / sum(parts[name]):.2f}" for name, _most in goals]
        lines.append(_line([title, *(f"{one:.1f} + {other:.1f}" for one, other in parts.values()), *ratios]))
    return "\n".join([*(f"- {line}" for line in (*said, f"{len(rounds)} rounds")), "", *lines]), reached


def of_fleets(said: Sequence[str], runs: Sequence[FleetRun]) -> tuple[str, bool]:
    """The table of fleets, and whether a host costs no more in the largest than it does in the smaller ones."""
    lines = _head(["hosts", "first run", "a host", "second run", "a host", "controller's memory, main process / all"])
    for run in runs:
        each = [f"{part.seconds / run.size:.2f} s" for part in (run.first, run.second)]
        memory = f"{run.memory.main:.0f} / {run.memory.all:.0f} MB"
        seconds = [f"{part.seconds:.0f} s" for part in (run.first, run.second)]
        lines.append(_line([f"{run.size}", seconds[0], each[0], seconds[1], each[1], memory]))
    reached = True
    for name in ("first", "second"):
        marginal = [_marginal(less, more, name) for less, more in zip(runs, runs[1:])]
        if len(marginal) > 1:
            growth = marginal[-1] / marginal[-2]
            reached = reached and growth <= _GROWTH
            word = "ok" if growth <= _GROWTH else "missed"
            between = ", ".join(
                f"{cost:.2f} s from {less.size} to {more.size}" for cost, less, more in zip(marginal, runs, runs[1:])
            )
            lines += ["", f"One host more, {name} run: {between}: {growth:.2f} x, at most {_GROWTH:g}: {word}"]
    return "\n".join([*(f"- {line}" for line in said), "", *lines]), reached


def _marginal(less: FleetRun, more: FleetRun, name: str) -> float:
    """Seconds that a host of the larger fleet takes beyond the smaller one: free of what every run takes once."""
    seconds: float = getattr(more, name).seconds - getattr(less, name).seconds
    return seconds / (more.size - less.size)


def _median(rounds: Sequence[Round], name: str, run: str, figure: str) -> float:
    return float(statistics.median(cells[name][run][figure] for cells in rounds))


def _spread(values: Sequence[float]) -> str:
    return f"**{statistics.median(values):.1f}** ({min(values):.1f}-{max(values):.1f})"


def _head(fields: Sequence[str]) -> list[str]:
    return [_line(fields), _line(["---"] * len(fields))]


def _line(fields: Sequence[str]) -> str:
    return "| " + " | ".join(fields) + " |"
