# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workspaces that nobody completes (docs/protocol/tentacle-services.md §7.1)."""

from __future__ import annotations

import logging
import os
import pathlib
import time

import pytest

from module_utils._halibut.contracts import ScriptStatusRequest, StartScriptCommand
from tentacle_agent.services.script import workspace_cleaner
from tentacle_agent.services.script.workspace_cleaner import AGE, PAUSE, WorkspaceCleaner, seconds_of

from .conftest import Caller

DAY = 24 * 3600


def make(caller: Caller, ticket: str, age: float, *names: str) -> pathlib.Path:
    """A workspace as an earlier agent left it; its files are so many seconds old."""
    path = caller.work / ticket
    path.mkdir(parents=True)
    for name in names:
        (path / name).write_text("x")
        os.utime(path / name, (time.time() - age,) * 2)
    return path


@pytest.fixture
def cleaner(caller: Caller) -> WorkspaceCleaner:
    return WorkspaceCleaner(caller.services, {})


@pytest.mark.parametrize("names", [("Output.log",), ("Bootstrap.sh",), ("Output.log", "Bootstrap.sh")])
def test_old_workspaces_are_deleted_by_their_log_or_their_script(
    caller: Caller, cleaner: WorkspaceCleaner, names: tuple[str, ...]
) -> None:
    old = make(caller, "old", DAY + 60, *names)
    young = make(caller, "young", DAY - 60, *names)
    assert cleaner.sweep() == 1
    assert (old.exists(), young.exists()) == (False, True)


def test_the_log_decides_where_there_is_one(caller: Caller, cleaner: WorkspaceCleaner) -> None:
    path = make(caller, "t", DAY + 60, "Bootstrap.sh")
    (path / "Output.log").write_text("x")
    assert cleaner.sweep() == 0
    assert path.exists()


def test_directories_that_are_no_workspaces_stay(caller: Caller, cleaner: WorkspaceCleaner) -> None:
    other = make(caller, "other", DAY + 60, "notes.txt")
    (caller.work / "file").write_text("x")
    assert cleaner.sweep() == 0
    assert other.exists()


def test_running_and_waiting_scripts_of_both_versions_stay(caller: Caller, cleaner: WorkspaceCleaner) -> None:
    caller.start("running", "sleep 60", wait=None, isolation=1)
    caller.until("running", lambda status: status.state == 1)
    caller.start("waiting", "true", wait=None, isolation=1)
    first = caller.call("IScriptService", "StartScript", StartScriptCommand("sleep 60", mutex_name="other"))
    for path in caller.work.iterdir():
        for file in path.iterdir():
            os.utime(file, (1, 1))
    assert cleaner.sweep() == 0
    assert len(list(caller.work.iterdir())) == 3
    caller.call("IScriptService", "GetStatus", ScriptStatusRequest(first))


def test_a_finished_script_that_nobody_completed_goes_and_its_ticket_runs_anew(
    caller: Caller, cleaner: WorkspaceCleaner
) -> None:
    caller.start("t", "echo first")
    os.utime(caller.work / "t" / "Output.log", (1, 1))
    assert cleaner.sweep() == 1
    assert caller.status("t").exit_code == -45
    assert [line.text for line in caller.start("t", "echo second").logs if line.source == 0][3:] == ["second"]


def test_a_finished_script_that_is_young_is_still_known(caller: Caller, cleaner: WorkspaceCleaner) -> None:
    caller.start("t", "exit 7")
    assert cleaner.sweep() == 0
    assert caller.status("t").exit_code == 7


def test_failures_are_warnings_and_the_sweep_goes_on(
    caller: Caller, cleaner: WorkspaceCleaner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        make(caller, name, DAY + 60, "Output.log")
    monkeypatch.setattr("tentacle_agent.workspace._DELETE_PAUSE", 0)
    monkeypatch.setattr("shutil.rmtree", lambda path, **keywords: None)
    with caplog.at_level(logging.WARNING):
        assert cleaner.sweep() == 0
    assert caplog.text.count("could not be removed whole") == 2


def test_it_sweeps_at_once_and_then_after_the_pause(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    cleaner = WorkspaceCleaner(caller.services, {PAUSE: "00:00:10", AGE: "00:01:00"})

    def look(now: float) -> list[str]:
        cleaner.look(now)
        assert cleaner._sweeper is not None
        cleaner._sweeper.join()
        return [path.name for path in caller.work.iterdir()]

    with caplog.at_level(logging.INFO):
        make(caller, "a", 120, "Output.log")
        make(caller, "b", 120, "Bootstrap.sh")
        assert look(100.0) == []
        make(caller, "c", 120, "Output.log")
        assert look(109.0) == ["c"]
        assert look(110.5) == []
    assert "Deleted 2 workspaces." in caplog.text
    assert "Deleted 1 workspace." in caplog.text


def test_a_sweep_that_fails_is_told(
    cleaner: WorkspaceCleaner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cleaner, "sweep", lambda: 1 // 0)
    cleaner._sweep_and_tell()
    assert "could not be cleaned" in caplog.text


@pytest.mark.parametrize(("text", "seconds"), [("02:00:00", 7200), ("1.00:00:00", DAY), ("00:00:00.5000000", 0.5)])
def test_the_originals_variables_change_the_times(text: str, seconds: float) -> None:
    assert seconds_of(AGE, {AGE: text}) == seconds


@pytest.mark.parametrize("text", ["soon", "", "-01:00:00", "00:00:00"])
def test_a_time_that_is_none_leaves_the_default(text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert seconds_of(PAUSE, {PAUSE: text}) == 7200
    assert workspace_cleaner.PAUSE in caplog.text
