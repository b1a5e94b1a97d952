"""Options as the original reads them."""

from __future__ import annotations

import pytest

from tentacle_agent import arguments
from tentacle_agent.arguments import UsageError, Values, option

OPTIONS = (
    option("home=|homedir=", "Home directory"),
    option("port=", "Port"),
    option("b|if-blank", "Only if there is none"),
    option("r|really", "Really"),
    option("e|export-file=", "A file"),
    option("pw=", "Password", sensitive=True),
    option("secret-flag", "Not shown", hidden=True),
)


def _parse(*words: str) -> tuple[list[tuple[str, str]], list[str]]:
    values, rest = arguments.parse(OPTIONS, words)
    return values.given, rest


@pytest.mark.parametrize(
    "words",
    [
        ("--home=/x",),
        ("--home", "/x"),
        ("--home:/x",),
        ("-home=/x",),
        ("-home", "/x"),
        ("/home:/x",),
        ("/home=/x",),
        ("/HOME", "/x"),
        ("--HomeDir=/x",),
    ],
)
def test_every_spelling_of_a_value(words: tuple[str, ...]) -> None:
    assert _parse(*words) == ([("home", "/x")], [])


@pytest.mark.parametrize(
    "words", [("--if-blank",), ("-b",), ("/b",), ("--b",), ("-B",), ("--if-blank+",), ("-If-Blank",)]
)
def test_every_spelling_of_a_flag(words: tuple[str, ...]) -> None:
    assert _parse(*words) == ([("if-blank", "+")], [])


def test_flags_can_be_bundled_and_taken_back() -> None:
    assert _parse("-br") == ([("if-blank", "+"), ("really", "+")], [])
    values, _unused = arguments.parse(OPTIONS, ["-b", "--if-blank-"])
    assert not values.has("if-blank")
    assert _parse("-be") == ([], ["-be"])  # a value cannot be bundled


def test_a_value_may_look_like_an_option_or_be_empty() -> None:
    assert _parse("--home", "--port") == ([("home", "--port")], [])
    assert _parse("--home=", "--port=a=b:c") == ([("home", ""), ("port", "a=b:c")], [])


def test_the_order_of_the_command_line_is_kept() -> None:
    given, _unused = _parse("--port=1", "--home=/a", "--port=2")
    assert given == [("port", "1"), ("home", "/a"), ("port", "2")]


def test_what_is_no_option_is_handed_back() -> None:
    assert _parse("word", "--other=1", "/tmp/file", "-", "--", "--home=/x") == (
        [],
        ["word", "--other=1", "/tmp/file", "-", "--home=/x"],
    )


def test_a_missing_value_is_named() -> None:
    with pytest.raises(UsageError, match="Missing required value for option '--export-file'"):
        _parse("-e")


def test_values_are_asked_for_by_name() -> None:
    values = Values([("port", "1"), ("port", " "), ("port", "22"), ("b", "-")])
    assert values.get("port") == "22"
    assert values.all("port") == ["1", " ", "22"]
    assert values.number("port", 5) == 22
    assert values.number("other", 5) == 5
    assert (values.has("b"), values.has("port"), values.has("other")) == (False, True, False)
    with pytest.raises(UsageError, match="say it"):
        values.required("other", "say it")
    with pytest.raises(UsageError, match="whole number, not 'x'"):
        Values([("port", "x")]).number("port", 5)


def test_formats() -> None:
    assert Values().format() == "text"
    assert Values([("format", "JSON")]).format() == "json"
    with pytest.raises(UsageError, match=r"^The format 'xml' is not supported\. Try text or json\.$"):
        Values([("format", "xml")]).format()


def test_secrets_are_known() -> None:
    values, _unused = arguments.parse(OPTIONS, ["--pw=hidden", "--home=/x"])
    assert arguments.sensitive_values(OPTIONS, values) == ["hidden"]


def test_the_help_has_the_original_s_columns() -> None:
    text = arguments.describe((*OPTIONS[:1], OPTIONS[2], OPTIONS[6], arguments.FORMAT_OPTION))
    assert text.splitlines() == [
        "      --home, --homedir=VALUE",
        "                             Home directory",
        "  -b, --if-blank             Only if there is none",
        "      --format=VALUE         The format of the output (text,json). Defaults ",
        "                               to text.",
    ]
