# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From cells to the tables that people read: medians with their spread, ratios to nginx, ok or below."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import goals
from rows import ROWS, BesideUploadRow, Cell, FreshRow, Row

Cells = Mapping[str, Mapping[str, Sequence[Cell]]]  # peer -> row -> one cell a round
_BUSY_PERCENT = 95


def figure(cells: Cells, peer: str | None, row: Row, name: str = "value") -> float | None:
    """The median of a row's figure, or None where it was not measured in every round."""
    of_row = cells.get(peer or "", {}).get(row.key, [])
    if not of_row or any(name not in cell for cell in of_row):
        return None
    return float(statistics.median(cell[name] for cell in of_row))


def ratio(cells: Cells, peer: str, reference: str | None, row: Row) -> float | None:
    """The peer's median over that of the reference."""
    ours, theirs = figure(cells, peer, row), figure(cells, reference, row)
    return ours / theirs if ours is not None and theirs else None


def verdict(cells: Cells, peer: str, reference: str | None, row: Row) -> str:
    """ "ok", "below", "failed", or nothing where the row has no floor or cannot be compared."""
    if any("error" in cell for cell in cells.get(peer, {}).get(row.key, [])):
        return "failed"
    if row.floor is None:
        return ""
    compared = ratio(cells, peer, reference, row) if row.floor.ratio else figure(cells, peer, row)
    if compared is None:
        return ""
    return "ok" if row.floor.holds(compared) else "below"


def main_table(cells: Cells, ours: str, reference: str | None) -> str:
    """One line a row: every peer, our ratio to the reference, floor and goal, and whether they hold."""
    peers = list(cells)
    lines = [_line(["row", *peers, "ours / nginx", "floor", "", "goal", ""]), _line(["---"] * (len(peers) + 6))]
    for row in ROWS:
        if not any(cells[peer].get(row.key) for peer in peers):
            continue
        compared = ratio(cells, ours, reference, row)
        cells_of_row = [_show(cells[peer].get(row.key, []), row) for peer in peers]
        marks = [f"{compared:.2f}" if compared is not None else "", str(row.floor) if row.floor else ""]
        title = f"{row.title}, {row.unit.lstrip('/')}" if row.unit != "/s" else f"{row.title}, a second"
        judged = [verdict(cells, ours, reference, row), *goals.words(cells, ours, reference, row.key)]
        lines.append(_line([title, *cells_of_row, *marks, *judged]))
    return "\n".join(lines)


def cost_table(cells: Cells) -> str:
    """Server CPU an operation (a file, for the transfers), which depends less on the neighbours than rates do."""
    peers = list(cells)
    lines = [_line(["server CPU, ms an operation", *peers]), _line(["---"] * (len(peers) + 1))]
    for row in ROWS:
        costs = [figure(cells, peer, row, "cpu_ms") for peer in peers]
        if any(cost is not None for cost in costs):
            lines.append(_line([row.title, *("" if cost is None else f"{cost:.3g}" for cost in costs)]))
    return "\n".join(lines)


def ratio_table(cells: Cells, listeners: Sequence[str], reference: str | None) -> str:
    """Every Halibut listener's ratio to the reference, for comparing builds side by side."""
    lines = [_line(["ratio to nginx", *listeners]), _line(["---"] * (len(listeners) + 1))]
    for row in ROWS:
        ratios = [ratio(cells, peer, reference, row) for peer in listeners]
        if any(value is not None for value in ratios):
            marks = [verdict(cells, peer, reference, row) for peer in listeners]
            shown = [f"{value:.2f} {mark}".strip() if value else mark for value, mark in zip(ratios, marks)]
            lines.append(_line([row.title, *shown]))
    return "\n".join(lines)


def failures(cells: Cells) -> list[str]:
    """A sentence for every cell that has an error instead of a figure."""
    return [
        f"{peer}, {key}, round {number}: {cell['error']}"
        for peer, of_peer in cells.items()
        for key, of_row in of_peer.items()
        for number, cell in enumerate(of_row, 1)
        if "error" in cell
    ]


def busy(cells: Cells) -> list[str]:
    """A sentence for every row in which the load generator had no time left, so that the rate may be its own."""
    found = []
    for peer in cells:
        for row in ROWS:
            percent = figure(cells, peer, row, "load_cpu_percent")
            if percent is not None and percent >= _BUSY_PERCENT:
                found.append(f"{peer}, {row.key}: the load generator used {percent:.0f} % of its core")
    return found


def _show(of_row: Sequence[Cell], row: Row) -> str:
    values = [cell["value"] for cell in of_row if "value" in cell]
    if not values:
        return "failed" if of_row else ""
    middle, low, high = statistics.median(values), min(values), max(values)
    text = f"**{middle:,.{row.digits}f}**"
    spread = f" ({low:,.{row.digits}f}-{high:,.{row.digits}f})" if len(values) > 1 else ""
    p50 = [cell["p50_ms"] for cell in of_row if "p50_ms" in cell]
    typical = f" {statistics.median(p50):.2f} ms" if p50 and not isinstance(row, FreshRow) and row.unit == "/s" else ""
    if isinstance(row, BesideUploadRow):
        typical = f" half {statistics.median(cell['middle'] for cell in of_row if 'middle' in cell):.2f} ms"
    return text + spread + typical


def _line(fields: Sequence[str]) -> str:
    return "| " + " | ".join(fields) + " |"
