"""Secret values do not reach a log, however they are written or overlap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tentacle_agent.masking import MASK, Masker, password_variants


@pytest.mark.parametrize(
    ("values", "text", "masked"),
    [
        ([], "nothing to hide", "nothing to hide"),
        (["secret"], "a secret and a secret", f"a {MASK} and a {MASK}"),
        (["abc"], "abc is too short", "abc is too short"),
        (["secret", "secret-longer"], "x secret-longer x", f"x {MASK} x"),
        (["abcd", "cdef"], "-abcdef-", f"-{MASK}-"),
        (["abab"], "ababab", MASK),
        (["abcd"], "abcdabcd", MASK + MASK),
        (["Secret"], "secret", "secret"),
        (["a.c*"], "a.c* abbc", f"{MASK} abbc"),
    ],
)
def test_masks(values: list[str], text: str, masked: str) -> None:
    assert Masker(values).mask(text) == masked


def test_a_value_of_several_lines_is_hidden_line_by_line() -> None:
    masker = Masker(["first line\r\nsecond line\nend"])
    assert masker.mask_lines(["first line", "-second line-", "end"]) == [MASK, f"-{MASK}-", "end"]


def test_a_password_is_hidden_in_urls_as_well() -> None:
    variants = password_variants("p@ss wörd/1")
    assert {"p@ss wörd/1", "p%40ss%20w%C3%B6rd%2F1", "p%40ss%20w%c3%b6rd%2f1", "p%40ss+w%C3%B6rd%2F1"} <= variants


@given(st.lists(st.text("ab", min_size=4, max_size=6), max_size=4), st.text("ab", max_size=30))
def test_no_value_is_left(values: list[str], text: str) -> None:
    masked = Masker(values).mask(text)
    assert not any(value in piece for value in values for piece in masked.split(MASK))
