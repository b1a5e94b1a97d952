"""Bytes of a script become lines by .NET's rules, whatever pieces they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tentacle_agent.services.script.decoder import LineDecoder


def decode(*pieces: bytes, limit: int = 1 << 20) -> list[str]:
    decoder = LineDecoder(limit)
    lines = [line for piece in pieces for line in decoder.feed(piece)]
    return lines + decoder.finish()


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo\rthree", ["one", "two", "three"]),
        (b"no end", ["no end"]),
        (b"\n", [""]),
        (b"\r\n\r\n", ["", ""]),
        (b"\n\r", ["", ""]),
        (b"a\x0bb\x0cc\x1cd\xe2\x80\xa8e\xc2\x85f", ["a\x0bb\x0cc\x1cd\u2028e\x85f"]),
        (b"\xef\xbb\xbfmark\n", ["\ufeffmark"]),
        (b"nul\x00esc\x1b[31m\n", ["nul\x00esc\x1b[31m"]),
        (b"a\xff\xfeb\n", ["a\ufffd\ufffdb"]),
        (b"\xe2\x82\n", ["\ufffd", ]),
        (b"\xf0\x9f\x98", ["\ufffd"]),
        (b"\xed\xa0\x80", ["\ufffd\ufffd\ufffd"]),
        (b"\xc0\xaf", ["\ufffd\ufffd"]),
        (b"\xf4\x90\x80\x80", ["\ufffd\ufffd\ufffd\ufffd"]),
        ("größe ☃ 🐙 日本".encode(), ["größe ☃ 🐙 日本"]),
    ],
)
def test_lines_and_replacements(data: bytes, lines: list[str]) -> None:
    assert decode(data) == lines
    assert decode(*(bytes([byte]) for byte in data)) == lines


def test_a_carriage_return_ends_its_line_at_once() -> None:
    decoder = LineDecoder()
    assert decoder.feed(b"10%\r") == ["10%"]
    assert decoder.feed(b"20%\r") == ["20%"]
    assert decoder.feed(b"\ndone\n") == ["done"]


def test_a_line_of_a_megabyte_stays_one_line() -> None:
    data = b"x" * (1 << 20) + b"\n"
    pieces = [data[start : start + 65536] for start in range(0, len(data), 65536)]
    assert decode(*pieces, limit=8 << 20) == ["x" * (1 << 20)]


def test_an_endless_line_comes_in_pieces_and_is_not_held() -> None:
    decoder = LineDecoder(limit=1000)
    lines = [line for _unused in range(100) for line in decoder.feed(b"y" * 300)]
    assert max(map(len, lines)) <= 1300
    assert "".join(lines + decoder.finish()) == "y" * 30000


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_cutting_changes_nothing(data: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[start:end] for start, end in zip(places, places[1:])]
    assert decode(*pieces) == decode(data)


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=8))
def test_text_comes_back(lines: list[str]) -> None:
    assert decode("".join(line + "\n" for line in lines).encode()) == lines
