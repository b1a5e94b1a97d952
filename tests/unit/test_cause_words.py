# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every word that any part of the collection gives as a cause is on the closed list, and the list is complete."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

from module_utils._verify.causes import CAUSES, DOCUMENTATION_ONLY, SIDES

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACES = (ROOT / "plugins", ROOT / "files" / "agent", ROOT / "demo")
# Calls whose argument of that number is a cause.
CALLS = {"ClientError": 0, "ProxyError": 0, "find": 0, "_failure": 0, "_supersede": 1, "InstallationError": 1}


def texts(node: ast.AST | None) -> Iterator[str]:
    """Every constant text that an expression can give."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, (ast.Tuple, ast.List)):
        for element in node.elts:
            yield from texts(element)


def words(tree: ast.AST) -> Iterator[str]:
    """Every cause that a file names: as an argument, as a key of a result, as a default."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in CALLS and len(node.args) > CALLS[name]:
                yield from texts(node.args[CALLS[name]])
            for keyword in node.keywords:
                if keyword.arg in ("cause", "also"):
                    yield from texts(keyword.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values):
                if isinstance(key, ast.Constant) and key.value == "cause":
                    yield from texts(value)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("default_cause", "also"):
            yield from texts(node.value)


def found() -> dict[str, set[str]]:
    by_word: dict[str, set[str]] = {}
    for place in PLACES:
        for path in place.rglob("*.py"):
            for word in words(ast.parse(path.read_text(encoding="utf-8"))):
                if word:
                    by_word.setdefault(word, set()).add(path.relative_to(ROOT).as_posix())
    return by_word


def test_every_word_is_on_the_list() -> None:
    strangers = {word: places for word, places in found().items() if word not in CAUSES}
    assert not strangers
    assert len(found()) > 40  # the search still finds what there is


def test_words_of_documentation_are_never_a_cause() -> None:
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ClientError":
                assert not DOCUMENTATION_ONLY & set(texts(node.args[0])), path


def test_each_entry_is_whole() -> None:
    for word, entry in CAUSES.items():
        assert word == entry.word
        assert entry.side in (*SIDES, None), word
        for text in (entry.summary, entry.remedy, entry.sign):
            assert text[0].isupper() or text.startswith(("ss ", "df ", "systemctl ", "show-", "openssl ")), text
            assert text.endswith("."), text
