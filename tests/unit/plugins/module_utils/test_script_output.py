# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A script's log, sorted for a module's result."""

from __future__ import annotations

from module_utils._client.scripts import Outcome
from module_utils._halibut.bson import Date
from module_utils._halibut.contracts import ProcessOutput
from module_utils._script_output import complaint, sort

LOG = [
    (0, "##octopus[stdout-verbose]"), (0, "Acquiring isolation mutex"), (0, "##octopus[stdout-default]"),
    (2, "Starting"), (0, "one"), (1, "two"), (0, "##octopus[setVariable name='YQ==' value='Yg==']"),
    (0, "##octopus[stdout-wait]"), (0, "waits"), (1, "three"), (0, "##octopus[stdout-highlight]"), (0, "four"),
    (0, "##octopus[stderr-ignore]"), (1, "five")]  # fmt: skip


def outcome(code: int, timed_out: bool = False) -> Outcome:
    return Outcome("T", code, timed_out, 1.0, ())


def test_sorts_and_hides_what_only_steers_a_display() -> None:
    sorter = sort(ProcessOutput(source, Date(1_700_000_000_123), text) for source, text in LOG)
    result = sorter.result(outcome(0))
    assert result["stdout_lines"] == ["one", "##octopus[setVariable name='YQ==' value='Yg==']", "four"]
    assert result["stderr_lines"] == ["two", "three"]
    assert [line["source"] for line in result["output"]] == [
        "verbose", "debug", "stdout", "stderr", "stdout", "wait", "stderr", "stdout", "verbose"]  # fmt: skip
    assert result["output"][0]["occurred"] == "2023-11-14T22:13:20.123Z"


def test_keys_are_the_same_without_a_run() -> None:
    assert set(sort(()).result(None)) == set(sort(()).result(outcome(0)))
    assert sort(()).result(None)["rc"] is None


def test_complaints() -> None:
    assert complaint(outcome(0), [0], None) is None
    assert complaint(outcome(3), [0, 3], None) is None
    assert "exit code 3; expected was 0" in (complaint(outcome(3), [0], None) or "")
    assert "agent was restarted" in (complaint(outcome(-46), [0], None) or "")
    assert "after 9 s" in (complaint(outcome(0, True), [0], 9) or "")
