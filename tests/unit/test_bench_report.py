# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How bench/ judges what it measured: medians, ratios, floors."""

from __future__ import annotations

import importlib
import pathlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
NAMES = ("report", "goals", "rows", "peers", "workplace", "processes")


@pytest.fixture(scope="module")
def report() -> Iterator[ModuleType]:
    """bench/report.py, imported as the runner imports it and forgotten again: its neighbours have common names."""
    sys.path.insert(0, str(BENCH))
    try:
        yield importlib.import_module("report")
    finally:
        sys.path.remove(str(BENCH))
        for name in NAMES:
            sys.modules.pop(name, None)


def row(report: ModuleType, key: str) -> Any:
    return next(row for row in report.ROWS if row.key == key)


def cells(*values: float) -> list[dict[str, Any]]:
    return [{"value": value} for value in values]


@pytest.mark.parametrize(("ours", "word"), [((60, 80, 90), "ok"), ((10, 66, 1000), "ok"), ((60, 65, 500), "below")])
def test_a_floor_is_a_ratio_of_medians(report: ModuleType, ours: tuple[float, ...], word: str) -> None:
    measured = {"agent": {"call-1": cells(*ours)}, "nginx": {"call-1": cells(100, 100, 100)}}
    assert report.verdict(measured, "agent", "nginx", row(report, "call-1")) == word


@pytest.mark.parametrize(("key", "value", "word"), [
    ("start", 5.0, "ok"), ("start", 6.0, "below"),
])  # fmt: skip
def test_less_is_better_for_times(report: ModuleType, key: str, value: float, word: str) -> None:
    measured = {"agent": {key: cells(value)}, "nginx": {key: cells(1)}}
    assert report.verdict(measured, "agent", "nginx", row(report, key)) == word


@pytest.mark.parametrize(("key", "value", "word"), [
    ("rss-idle", 32, "ok"), ("rss-idle", 32.1, "below"), ("cpu-idle", 0.0, "ok"), ("cpu-idle", 0.1, "below"),
])  # fmt: skip
def test_memory_and_idle_cpu_are_judged_without_nginx(report: ModuleType, key: str, value: float, word: str) -> None:
    assert report.verdict({"agent": {key: cells(value)}}, "agent", None, row(report, key)) == word


def test_an_error_is_no_figure(report: ModuleType) -> None:
    measured = {"agent": {"call-1": [{"value": 1000}, {"error": "no answer"}]}, "nginx": {"call-1": cells(1, 1)}}
    assert report.verdict(measured, "agent", "nginx", row(report, "call-1")) == "failed"
    assert report.failures(measured) == ["agent, call-1, round 2: no answer"]


def test_a_busy_load_generator_is_named(report: ModuleType) -> None:
    measured = {"nginx": {"call-50": [{"value": 1, "load_cpu_percent": 97}]}}
    assert report.busy(measured) == ["nginx, call-50: the load generator used 97 % of its core"]


def test_the_table_has_a_line_for_each_measured_row(report: ModuleType) -> None:
    measured = {"agent": {"call-1": cells(80, 90), "script-1": cells(5)}, "nginx": {"call-1": cells(100)}}
    lines = report.main_table(measured, "agent", "nginx").splitlines()
    assert len(lines) == 4
    assert "**85** (80-90)" in lines[2]
    assert lines[2].endswith("| 0.85 | ≥ 0.66 | ok | ≥ 0.80 x nginx | ok |")
    assert lines[3].endswith("|  |  |  | ≥ 100/s; CPU ≤ 6 ms |  |")


def test_a_goal_beyond_the_floor_is_named_when_it_is_missed(report: ModuleType) -> None:
    measured = {"agent": {"call-1": cells(70), "upload": cells(400)},
                "nginx": {"call-1": cells(100), "upload": cells(800), "sha1": cells(1600)}}
    assert report.verdict(measured, "agent", "nginx", row(report, "call-1")) == "ok"
    assert report.goals.words(measured, "agent", "nginx", "call-1") == ("≥ 0.80 x nginx", "missed: 0.7")
    assert report.goals.missed(measured, "agent", "nginx") == [
        "agent misses a goal, call-1 ≥ 0.80 x nginx: 0.7",
        "agent misses a goal, upload ≥ 0.90 x bound of nginx and SHA-1: 0.75",
    ]


def test_goals_compare_rows_costs_and_memory(report: ModuleType) -> None:
    words = report.goals.words
    measured = {"agent": {"call-50": [{"value": 1, "cpu_ms": 0.3}], "call-1": cells(300), "small": cells(100)},
                "agent-wheels": {"rss-idle": cells(37)}, "nginx": {"call-50": [{"value": 9, "cpu_ms": 0.1}]}}
    assert words(measured, "agent", "nginx", "call-50")[1] == "ok"
    assert words(measured, "agent", "nginx", "small")[1] == "ok"
    assert words(measured, "agent-wheels", "nginx", "rss-idle")[1] == "ok"
    assert words({"agent": measured["agent-wheels"]}, "agent", "nginx", "rss-idle")[1].startswith("missed")


def test_every_goal_belongs_to_a_row(report: ModuleType) -> None:
    assert set(report.goals.GOALS) <= {row.key for row in report.ROWS}


def test_what_was_not_measured_misses_no_goal(report: ModuleType) -> None:
    measured = {"agent": {"start": [{"error": "no answer"}]}, "nginx": {"start": cells(1)}}
    assert report.goals.missed(measured, "agent", "nginx") == []
    assert report.goals.words(measured, "agent", "nginx", "start")[1] == ""
