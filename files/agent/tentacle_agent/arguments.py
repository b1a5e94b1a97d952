# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Command-line options as the original reads them (docs/protocol/tentacle-services.md §5.1).

An option is written ``--name=value``, ``--name value``, ``--name:value``, with ``-`` or ``/`` instead of ``--`` as one
likes, and in any case of letters. A flag is ``--name``; ``--name-`` takes it back. One-letter flags may be bundled
behind one dash. ``--`` ends the options. What fits no option is handed back, in order, for others to judge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from module_utils._halibut.values import value

_NAME_COLUMN = 29
_LINE_WIDTH = 49


class UsageError(Exception):
    """The command line cannot be understood or asks for something impossible; str() is the sentence for the user."""


@value(frozen=True)
class Option:
    """One option: its spellings, whether it takes a value, what it says in the help."""

    names: tuple[str, ...]
    description: str
    takes_value: bool = False
    hidden: bool = False
    sensitive: bool = False

    @property
    def key(self) -> str:
        """Under which name the values are found: the first spelling longer than a letter."""
        return next((name for name in self.names if len(name) > 1), self.names[0])


def option(prototype: str, description: str, *, hidden: bool = False, sensitive: bool = False) -> Option:
    """An option from the original's notation: ``e|export-file=`` has two spellings and takes a value."""
    spellings = prototype.split("|")
    takes_value = any(name.endswith("=") for name in spellings)
    return Option(tuple(name.rstrip("=") for name in spellings), description, takes_value, hidden, sensitive)


INSTANCE_OPTIONS = (
    option("instance=", "Name of the instance to use"),
    option("config=", "Configuration file to use"),
)
FORMAT_OPTION = option("format=", "The format of the output (text,json). Defaults to text.")
FORMATS = ("text", "json")


class Values:
    """What was given, in the order of the command line; options are named by ``Option.key``."""

    def __init__(self, given: Iterable[tuple[str, str]] = ()) -> None:
        self.given = list(given)

    def has(self, name: str) -> bool:
        """Whether the flag or option was given (and, for a flag, not taken back)."""
        values = self.all(name)
        return bool(values) and values[-1] != "-"

    def get(self, name: str) -> str | None:
        """The last value of an option that was not blank; None when there was none."""
        values = [value for value in self.all(name) if value.strip()]
        return values[-1] if values else None

    def all(self, name: str) -> list[str]:
        """Every value of an option, in order."""
        return [value for given, value in self.given if given == name]

    def required(self, name: str, sentence: str) -> str:
        """The value of an option that has to be there. Raises UsageError with ``sentence``."""
        value = self.get(name)
        if value is None:
            raise UsageError(sentence)
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number. Raises UsageError."""
        text = self.get(name)
        if text is None:
            return default
        try:
            return int(text)
        except ValueError:
            raise UsageError(f"--{name} has to be a whole number, not '{text}'.") from None

    def format(self) -> str:
        """The value of ``--format``: text or json. Raises UsageError for any other, in the original's words."""
        text = self.get("format") or FORMATS[0]
        if text.lower() not in FORMATS:
            raise UsageError(f"The format '{text}' is not supported. Try {' or '.join(FORMATS)}.")
        return text.lower()


def parse(options: Sequence[Option], arguments: Sequence[str]) -> tuple[Values, list[str]]:
    """Read ``options`` from ``arguments``; returns their values and what is left. Raises UsageError."""
    by_name = {name.lower(): known for known in options for name in known.names}
    values = Values()
    rest: list[str] = []
    waiting: Option | None = None
    for position, argument in enumerate(arguments):
        if waiting is not None:
            values.given.append((waiting.key, argument))
            waiting = None
            continue
        if argument == "--":
            rest.extend(arguments[position + 1 :])
            break
        flag, name, text = _split(argument)
        known = by_name.get(name.lower())
        if known and known.takes_value:
            if text is None:
                waiting = known
            else:
                values.given.append((known.key, text))
        elif known:
            values.given.append((known.key, "+"))
        elif text is not None or not _read_flags(flag, name, by_name, values):
            rest.append(argument)
    if waiting is not None:
        raise UsageError(f"Missing required value for option '--{waiting.key}'.")
    return values, rest


def _split(argument: str) -> tuple[str, str, str | None]:
    """What an option consists of: dashes or slash, name, and value or None; no name where it is no option."""
    flag = next((flag for flag in ("--", "-", "/") if argument.startswith(flag)), "")
    text = argument[len(flag):] if flag else ""
    for position, letter in enumerate(text):
        if letter in ":=":
            return flag, text[:position], text[position + 1:]
    return flag, text, None


def _read_flags(flag: str, name: str, by_name: dict[str, Option], values: Values) -> bool:
    """``--name+`` and ``--name-``, and one-letter flags bundled behind one dash; False when it is neither."""
    known = by_name.get(name[:-1].lower()) if name[-1:] in ("+", "-") else None
    if known and not known.takes_value:
        values.given.append((known.key, name[-1]))
        return True
    if flag != "-" or len(name) < 2:
        return False
    bundle = [by_name.get(letter.lower()) for letter in name]
    if any(known is None or known.takes_value for known in bundle):
        return False
    values.given.extend((known.key, "+") for known in bundle if known)
    return True


def sensitive_values(options: Sequence[Option], values: Values) -> list[str]:
    """Everything given that must not appear in a log."""
    return [value for known in options if known.sensitive for value in values.all(known.key) if value]


def describe(options: Sequence[Option]) -> str:
    """The lines of the help for the options that are not hidden."""
    return "".join(_describe_one(known) for known in options if not known.hidden)


def _describe_one(known: Option) -> str:
    short = [name for name in known.names if len(name) == 1]
    spellings = [f"-{name}" for name in short] + [f"--{name}" for name in known.names if len(name) > 1]
    head = ("  " if short else "      ") + ", ".join(spellings) + ("=VALUE" if known.takes_value else "")
    first, *others = _wrap(known.description) or [""]
    head = head.ljust(_NAME_COLUMN) if len(head) < _NAME_COLUMN else head + "\n" + " " * _NAME_COLUMN
    return "".join(f"{line}\n" for line in (head + first, *(" " * (_NAME_COLUMN + 2) + line for line in others)))


def _wrap(text: str) -> list[str]:
    """Words put into lines; the blank at which a line breaks stays at its end, as the original leaves it there."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= _LINE_WIDTH:
            lines.append(line)
            line = ""
        line += word + " "
    return [*lines, line.rstrip()] if line else lines
