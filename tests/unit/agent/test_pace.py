"""The interpreter's switch interval follows the rate of calls."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tentacle_agent.pace import CALM, CONNECTION, HURRIED, MANY, SAMPLE, Pace


@pytest.fixture
def pace() -> Iterator[Pace]:
    before = sys.getswitchinterval()
    yield Pace(100.0)
    sys.setswitchinterval(before)


def calls(pace: Pace, since: float, rate: float, count: int = SAMPLE) -> float:
    """That many calls at that rate; returns when the last of them ended."""
    for number in range(1, count + 1):
        pace.call_ended(since + number / rate)
    return since + count / rate


def test_a_thread_that_computes_lets_others_in_soon(pace: Pace) -> None:
    assert sys.getswitchinterval() == pytest.approx(CALM)
    calls(pace, 100.0, MANY * 0.9)
    assert sys.getswitchinterval() == pytest.approx(CALM)


def test_many_small_calls_are_not_interrupted(pace: Pace) -> None:
    calls(pace, 100.0, MANY * 2, SAMPLE - 1)
    assert sys.getswitchinterval() == pytest.approx(CALM)
    calls(pace, 100.0 + SAMPLE / MANY / 2, MANY * 2, 1)
    assert sys.getswitchinterval() == pytest.approx(HURRIED)


def test_slower_calls_end_the_hurry(pace: Pace) -> None:
    now = calls(pace, 100.0, MANY * 2)
    calls(pace, now, MANY / 2)
    assert sys.getswitchinterval() == pytest.approx(CALM)


def test_so_does_silence_and_a_hurry_goes_on_over_a_look(pace: Pace) -> None:
    now = calls(pace, 100.0, MANY * 2)
    pace.look(now + 0.01)
    assert sys.getswitchinterval() == pytest.approx(HURRIED)
    pace.look(now + 1)
    assert sys.getswitchinterval() == pytest.approx(CALM)


def test_a_connection_counts_for_several_calls(pace: Pace) -> None:
    for number in range(SAMPLE // CONNECTION):
        pace.connection_ended(100.0 + number * CONNECTION / MANY / 2)
    assert sys.getswitchinterval() == pytest.approx(HURRIED)
