# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of a module while it runs: written by one side, printed by the other."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from ansible_collections.listening.tentacle.plugins.module_utils._reporter import Reporter
from ansible_collections.listening.tentacle.plugins.module_utils._script_output import Line
from ansible_collections.listening.tentacle.plugins.plugin_utils._progress import Lines, printable


def reports(path: pathlib.Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    Lines(found.append).feed(path.read_bytes())
    return found


def test_reports_arrive_cleaned(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "progress"
    path.touch()
    reporter = Reporter(str(path), lambda text: text.replace("secret", "********"))
    reporter.line(Line("stdout", "the secret\nis out", ""))
    reporter.line(None)
    reporter.say("next")
    progress = reporter.bytes_sent("a.zip")
    progress(1_000_000, 3_000_000)
    progress(2_000_000, 3_000_000)  # too soon after the last one
    progress(3_000_000, 3_000_000)
    reporter.close()
    assert [report["text"] for report in reports(path)] == [
        "the ********\nis out", "next", "a.zip: 1.0 MB of 3.0 MB sent", "a.zip: 3.0 MB of 3.0 MB sent"]  # fmt: skip


def test_nothing_is_reported_where_it_cannot_be(tmp_path: pathlib.Path) -> None:
    for path in (None, str(tmp_path / "missing")):
        reporter = Reporter(path, str)
        reporter.say("x")
        reporter.close()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    Reporter(str(link), str).say("x")
    assert not (tmp_path / "target").exists()


def test_pieces_are_put_together_and_nonsense_left_out() -> None:
    found: list[dict[str, Any]] = []
    lines = Lines(found.append)
    whole = json.dumps({"source": "stdout", "text": "größe"}).encode() + b"\nnonsense\n[1]\n"
    for position in range(len(whole)):
        lines.feed(whole[position : position + 1])
    assert found == [{"source": "stdout", "text": "größe"}]


def test_a_terminal_obeys_nothing() -> None:
    assert printable("a\x1b[31mb\tc\x07\r\n") == "a?[31mb\tc?"
