# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How bench/rollout judges what it measured: ratios of medians, and what one host more costs."""

from __future__ import annotations

import importlib.util
import pathlib
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

JUDGEMENT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "rollout" / "judgement.py"


@pytest.fixture(scope="module")
def judgement() -> ModuleType:
    specification = importlib.util.spec_from_file_location("rollout_judgement", JUDGEMENT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def rounds(**ways: tuple[float, ...]) -> list[dict[str, Any]]:
    """A round for each figure; both runs take the same."""
    return [
        {
            name: {run: {"seconds": times[number], "cpu": 1.0, "hosts_cpu": 2.0} for run in ("first", "second")}
            for name, times in ways.items()
        }
        for number in range(len(next(iter(ways.values()))))
    ]


@pytest.mark.parametrize(
    ("role", "floor", "peer", "reached", "words"),
    [
        ((10, 10, 10), (5, 5, 5), (15, 15, 15), True, ("2.00 ok", "0.67 ok")),
        ((10, 99, 10), (5, 5, 1), (15, 15, 15), True, ("2.00 ok", "0.67 ok")),
        ((10.2, 10.2, 10.2), (5, 5, 5), (15, 15, 15), False, ("2.04 missed", "0.68 ok")),
        ((10, 10, 10), (5, 5, 5), (14, 14, 14), False, ("2.00 ok", "0.71 missed")),
    ],
)
def test_goals_are_ratios_of_medians(
    judgement: ModuleType, role: Any, floor: Any, peer: Any, reached: bool, words: tuple[str, str]
) -> None:
    text, verdict = judgement.of_rounds([], rounds(role=role, floor=floor, peer=peer))
    assert verdict is reached
    assert all(text.count(word) == 2 for word in words)


def test_what_was_not_measured_is_not_judged(judgement: ModuleType) -> None:
    text, verdict = judgement.of_rounds([], rounds(role=(9,), floor=(5,)))
    assert verdict
    assert "peer" not in text


def fleet(size: int, seconds: float) -> Any:
    part = SimpleNamespace(seconds=seconds)
    return SimpleNamespace(size=size, first=part, second=part, memory=SimpleNamespace(main=100, all=200))


@pytest.mark.parametrize(("largest", "reached"), [(500, True), (534, True), (600, False)])
def test_a_host_more_may_not_cost_more_in_a_large_fleet(judgement: ModuleType, largest: float, reached: bool) -> None:
    """From 10 to 30 hosts each one takes 5 s, free of the 20 s that every run takes once."""
    text, verdict = judgement.of_fleets([], [fleet(10, 70), fleet(30, 170), fleet(100, 20 + largest)])
    assert verdict is reached
    assert "5.00 s from 10 to 30" in text
    assert text.count("ok" if reached else "missed") == 2
