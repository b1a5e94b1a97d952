"""The bytes of Output.log: written as the original writes them, counted and cut without parsing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tentacle_agent.services.script import log_format

INSTANT = 1_767_225_600_123_456_789  # 2026-01-01T00:00:00.1234567Z
TEXTS = st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8)


def test_entries_look_like_the_originals() -> None:
    assert log_format.encode(0, ["text"], INSTANT) == b'["stdout","text","2026-01-01T00:00:00.1234567+00:00"]'
    assert log_format.encode(1, ["a", "b"], INSTANT).count(b'["stderr",') == 2
    assert log_format.encode(2, ['q"\\\n\x00ü'], INSTANT).startswith('["debug","q\\"\\\\\\n\\u0000ü",'.encode())


@given(TEXTS)
def test_written_entries_are_read_back(lines: list[str]) -> None:
    data = log_format.encode(1, lines, INSTANT)
    parsed = log_format.parse(data)
    assert [text for _source, _occurred, text in parsed.rows] == lines
    assert {(source, int(occurred)) for source, occurred, _text in parsed.rows} == {(1, 1_767_225_600_123)}
    assert (parsed.length, parsed.corrupt) == (len(data), False)


@given(TEXTS, st.integers(0, 10))
def test_counting_and_skipping_need_no_parsing(lines: list[str], index: int) -> None:
    data = log_format.encode(0, lines, INSTANT)
    assert log_format.count(data) == len(lines)
    rest = data[log_format.offset_of(data, index) :]
    assert [text for _source, _occurred, text in log_format.parse(rest).rows] == lines[index:]


@given(TEXTS, st.data())
def test_a_cut_log_gives_the_whole_entries_and_says_that_it_is_cut(lines: list[str], data: st.DataObject) -> None:
    whole = log_format.encode(0, lines, INSTANT)
    last = log_format.offset_of(whole, len(lines) - 1)
    cut = data.draw(st.integers(last + 1, len(whole) - 1))
    parsed = log_format.parse(whole[:cut])
    assert [text for _source, _occurred, text in parsed.rows] == lines[:-1]
    assert (parsed.length, parsed.corrupt) == (last, True)


def test_last_end_is_where_the_last_certain_entry_ends() -> None:
    data = log_format.encode(0, ["a", "b", "c"], INSTANT)
    assert log_format.last_end(data) == log_format.offset_of(data, 2)
    assert log_format.last_end(data[:-1]) == log_format.offset_of(data, 2)
    assert log_format.last_end(b'["stdout","a') == 0
    assert log_format.count(b"") == 0


@pytest.mark.parametrize(
    ("stamp", "milliseconds"),
    [
        ("2026-01-01T00:00:00.1239999+00:00", 1_767_225_600_123),
        ("2026-01-01T02:00:00.5+02:00", 1_767_225_600_500),
        ("2026-01-01T00:00:00Z", 1_767_225_600_000),
        ("2025-12-31T19:00:00-05:00", 1_767_225_600_000),
    ],
)
def test_times_of_other_writers_are_understood(stamp: str, milliseconds: int) -> None:
    assert log_format.parse(json.dumps(["debug", None, stamp]).encode()).rows == [(2, milliseconds, None)]


def test_white_space_between_entries_is_allowed() -> None:
    data = log_format.encode(0, ["a"], INSTANT) + b" \r\n" + log_format.encode(1, ["b"], INSTANT) + b"\n"
    parsed = log_format.parse(data)
    assert [text for _source, _occurred, text in parsed.rows] == ["a", "b"]
    assert not parsed.corrupt


@pytest.mark.parametrize(
    "junk",
    [b"garbage", b'["stdin","x","2026-01-01T00:00:00+00:00"]', b'["stdout","x","yesterday"]', b'["stdout","x"]',
     b"{}", b"7", b'["stdout",5,"2026-01-01T00:00:00+00:00"]', b"\xff\xfe", b"[" * 100_000],
)
def test_what_is_no_entry_ends_the_reading(junk: bytes) -> None:
    good = log_format.encode(0, ["good"], INSTANT)
    parsed = log_format.parse(good + junk)
    assert [text for _source, _occurred, text in parsed.rows] == ["good"]
    assert (parsed.length, parsed.corrupt) == (len(good), True)
