# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""How the words of a command line for bash come about: joined by the sender's rules, split by .NET's.

The server sends a list of arguments, but the original joins it with spaces, unquoted, and leaves the splitting to .NET.
An argument with a space in it is therefore several words unless its sender put quotes around it. No shell ever sees
the text (docs/protocol/tentacle-services.md §2.8).
"""

from __future__ import annotations

from collections.abc import Sequence

_BLANKS = " \t"


def command_line(script: str, arguments: Sequence[str | None] | None) -> list[str]:
    """The words that follow ``/bin/bash``: the path of the script as it is, then the arguments joined and split.

    A missing list is an empty one, and a null in it is an empty word of the join, as in .NET.
    """
    return [script, *split(" ".join(argument or "" for argument in arguments or ()))]


def split(text: str) -> list[str]:
    """Split a command line by .NET's rules (docs/protocol/tentacle-services.md §2.8).

    Spaces and tabs separate, other white space does not. Double quotes group and vanish; inside them a doubled quote
    is one quote. Backslashes are themselves, except before a quote: each pair there is one backslash, and an odd one
    makes the quote an ordinary character. A quote that is never closed reaches to the end.
    """
    words: list[str] = []
    position, end = 0, len(text)
    while True:
        while position < end and text[position] in _BLANKS:
            position += 1
        if position == end:
            return words
        word, position = _word(text, position)
        words.append(word)


def _word(text: str, position: int) -> tuple[str, int]:
    """The word that begins at ``position``, and where it ends."""
    parts: list[str] = []
    quoted, end = False, len(text)
    while position < end:
        character = text[position]
        if character == "\\":
            part, position = _backslashes(text, position)
            parts.append(part)
        elif character == '"':
            if quoted and text[position + 1 : position + 2] == '"':
                parts.append('"')
                position += 1
            else:
                quoted = not quoted
            position += 1
        elif character in _BLANKS and not quoted:
            break
        else:
            parts.append(character)
            position += 1
    return "".join(parts), position


def _backslashes(text: str, position: int) -> tuple[str, int]:
    """What a run of backslashes stands for, together with the quote that the last one may escape."""
    start = position
    while text[position : position + 1] == "\\":
        position += 1
    count = position - start
    if text[position : position + 1] != '"':
        return "\\" * count, position
    if count % 2:
        return "\\" * (count // 2) + '"', position + 1
    return "\\" * (count // 2), position
