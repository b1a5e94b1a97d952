"""Splitting follows .NET, not any shell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tentacle_agent.services.script.arguments import command_line, split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("   \t ", []),
        ("one two", ["one", "two"]),
        ("one\ttwo", ["one", "two"]),
        ("  one   two  ", ["one", "two"]),
        ("one\ntwo", ["one\ntwo"]),
        ("one\u00a0two", ["one\u00a0two"]),
        ('"one two" three', ["one two", "three"]),
        ('a"b c"d', ["ab cd"]),
        ('""', [""]),
        ('"" ""', ["", ""]),
        ('"a""b"', ['a"b']),
        ('""a', ["a"]),
        ('"never closed here', ["never closed here"]),
        ("back\\slash", ["back\\slash"]),
        ("end\\", ["end\\"]),
        ("two\\\\slashes", ["two\\\\slashes"]),
        ('say \\"hi\\"', ["say", '"hi"']),
        ('\\\\"a b"', ["\\a b"]),
        ('\\\\\\"a b', ['\\"a', "b"]),
        ("'a b'", ["'a", "b'"]),
        ("$HOME `id` ; & |", ["$HOME", "`id`", ";", "&", "|"]),
    ],
)
def test_splits_like_dotnet(text: str, words: list[str]) -> None:
    assert split(text) == words


def test_joins_arguments_before_splitting() -> None:
    assert command_line("/work/Bootstrap.sh", ("a", "b c", '"d e"')) == ["/work/Bootstrap.sh", "a", "b", "c", "d e"]


def test_an_argument_can_be_opened_in_one_and_closed_in_the_next() -> None:
    assert command_line("s", ('"a', 'b"')) == ["s", "a b"]


@pytest.mark.parametrize("arguments", [None, (), ("",), (None,), (None, "", None)])
def test_nothing_stays_nothing(arguments: tuple[str, ...] | None) -> None:
    assert command_line("s", arguments) == ["s"]


def test_the_path_of_the_script_is_not_split() -> None:
    assert command_line("/a b/it's \"here\"\\", ("x",)) == ["/a b/it's \"here\"\\", "x"]


@given(st.lists(st.text(alphabet=st.characters(exclude_characters='"\\ \t', exclude_categories=["Cs"]), min_size=1)))
def test_words_without_special_characters_come_back(words: list[str]) -> None:
    assert split(" ".join(words)) == words


@given(st.text(alphabet='ab "\\\t'))
def test_never_fails_and_never_invents_characters(text: str) -> None:
    assert sum(map(len, split(text))) <= len(text)
