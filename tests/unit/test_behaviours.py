# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of behaviours in `tests/README.md`: no line of the original's is missing, and every named test exists."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "protocol" / "tentacle-services.md"
UTILS = TESTS / "unit" / "plugins" / "module_utils"
FOLDERS = {
    "e2e": TESTS / "e2e", "agent": TESTS / "unit" / "agent", "script": TESTS / "unit" / "agent" / "services" / "script",
    "core": UTILS / "_halibut", "client": UTILS / "_client", "instance": UTILS / "_instance",
}
ROW = re.compile(r"^\| (?P<number>[0-9.]+) \| (?P<behaviour>[^|]+) \| (?P<test>[^|]+) \|$", re.MULTILINE)
NAME = re.compile(r"`(?P<folder>\w+)/(?P<file>test_\w+\.py)::(?P<name>[\w:]+)`")
ROWS = [(match["number"], match["test"]) for match in ROW.finditer((TESTS / "README.md").read_text(encoding="utf-8"))]


def wanted_numbers() -> list[str]:
    """The numbers of §10's rows, and one for each point of §14, in order."""
    text = PAGE.read_text(encoding="utf-8")
    tenth, fourteenth = text.index("\n## 10."), text.index("\n## 14.")
    rows = re.findall(r"^\| ([0-9]+) \|", text[tenth:text.index("\n## 11.")], re.MULTILINE)
    points = re.findall(r"^\* ", text[fourteenth:], re.MULTILINE)
    return [*rows, *(f"14.{number}" for number in range(1, len(points) + 1))]


def names_in(path: pathlib.Path) -> set[str]:
    """What a file defines: functions, classes, and functions of classes as `Class::function`."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def test_every_behaviour_has_its_row() -> None:
    assert [number for number, _unused in ROWS] == wanted_numbers()


@pytest.mark.parametrize(("number", "test"), ROWS)
def test_every_row_names_tests_that_exist_or_a_reason(number: str, test: str) -> None:
    named = list(NAME.finditer(test))
    assert named or test.startswith("not "), "neither a test nor a reason"
    assert test.count("::") - sum(match["name"].count("::") for match in named) == len(named), "a name in another form"
    for match in named:
        path = FOLDERS[match["folder"]] / match["file"]
        assert match["name"] in names_in(path), f"{path} has no {match['name']}"
