from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from module_utils._halibut.timespan import TimeSpan

TEXTS = [
    ("00:00:00", 0),
    ("00:01:00", 600_000_000),
    ("00:00:05", 50_000_000),
    ("1.00:00:00", 864_000_000_000),
    ("24.20:31:23.6470000", 21_474_836_470_000),
    ("-1.01:00:00", -900_000_000_000),
    ("00:00:00.0000001", 1),
    ("10675199.02:48:05.4775807", 2**63 - 1),
    ("-10675199.02:48:05.4775808", -(2**63)),
]


@pytest.mark.parametrize(("text", "ticks"), TEXTS)
def test_format_and_parse(text, ticks):
    assert TimeSpan.parse(text) == TimeSpan(ticks)
    assert TimeSpan(ticks).format() == text


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("1:2:3", 37_230_000_000),
        (" 00:01:00 ", 600_000_000),
        ("01:30", 54_000_000_000),
        ("2", 1_728_000_000_000),
        ("-2", -1_728_000_000_000),
        ("00:00:01.5", 15_000_000),
    ],
)
def test_other_spellings(text, ticks):
    assert TimeSpan.parse(text).ticks == ticks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "24:00:00",
        "00:60:00",
        "00:00:60",
        "00:00:00.12345678",
        "99999999.00:00:00",
        "99999999",
        "+1",
        "1.",
        "1:2:3:4:5",
        "00:00",
        "\u0660\u0661:00:00",
    ],
)
def test_what_is_no_time_span(text):
    if text == "00:00":
        assert TimeSpan.parse(text).ticks == 0
        return
    with pytest.raises(ValueError, match="is no time span"):
        TimeSpan.parse(text)


def test_seconds():
    assert TimeSpan.from_seconds(5) == TimeSpan(50_000_000)
    assert TimeSpan.from_seconds(0.25) == TimeSpan(2_500_000)
    assert TimeSpan.from_seconds(2**70).ticks == 2**63 - 1
    assert TimeSpan.from_seconds(-1e300).ticks <= -(2**63) + 2048
    assert TimeSpan(15_000_000).total_seconds == 1.5


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_duration_survives(ticks):
    assert TimeSpan.parse(TimeSpan(ticks).format()).ticks == ticks
