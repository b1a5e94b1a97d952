"""`IScriptServiceV2`: what an end of the agent, or a full disk, leaves."""

from __future__ import annotations

import json
import os
import pathlib
import time

import pytest

from module_utils._instance.errors import StorageError
from tentacle_agent.services.script.running_script import LaunchSettings
from tentacle_agent.services.script.script_state import ScriptState, StateFile

from .conftest import Caller, ServiceFailed, has_line, output


def test_a_finished_result_survives(caller: Caller) -> None:
    answer = caller.start("t", "echo x; exit 5")
    after = Caller(caller.home)
    for status in (after.status("T"), after.start("t", "echo other")):
        assert (status.state, status.exit_code, status.logs) == (2, 5, answer.logs)
    after.complete("t")
    assert os.listdir(caller.work) == []


def test_a_running_script_reads_unknown_and_its_child_lives(caller: Caller, tmp_path: pathlib.Path) -> None:
    caller.start("t", f"echo begun; sleep 0.8; echo x >{tmp_path}/proof", wait=None)
    caller.until("t", has_line("begun"))
    after = Caller(caller.home)
    for status in (after.start("t", "echo again"), after.status("t"), after.cancel("t")):
        assert (status.state, status.exit_code) == (2, -46)
        assert output(status) == ["begun"]
    document = json.loads((caller.work / "t" / "scriptstate.json").read_text())
    assert (document["State"], document["ExitCode"], document["RanToCompletion"]) == (2, -46, False)
    assert after.start("u", "true", isolation=1).exit_code == 0
    caller.until("t")
    assert (tmp_path / "proof").exists()


def waiting_script(caller: Caller) -> None:
    """Leave a ticket as an agent leaves it that was killed while the script waited for the mutex."""
    workspace = caller.services.store.create("t")
    workspace.write_script("echo stored $1")
    settings = LaunchSettings("ServerTasks-5", True, "m", 60.0, ("arg",))
    StateFile(workspace.state_path).create(ScriptState.pending(settings.to_document()))


def test_a_waiting_script_reads_unknown_when_asked_about(caller: Caller) -> None:
    waiting_script(caller)
    assert caller.status("t").exit_code == -46
    assert caller.start("t", "echo sent").exit_code == -46


def test_a_waiting_script_runs_as_stored_when_started_first(caller: Caller) -> None:
    waiting_script(caller)
    answer = caller.start("t", "echo sent", arguments=("other",))
    assert (answer.exit_code, output(answer)) == (0, ["stored arg"])
    assert "isolation mutex m with FullIsolation in ServerTasks-5" in (answer.logs[1].text or "")


def test_a_waiting_script_of_an_earlier_boot_is_prepared_anew(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting_script(caller)
    monkeypatch.setattr("tentacle_agent.services.script.script_state._boot", lambda: "another boot")
    assert output(caller.start("t", "echo sent")) == ["sent"]


def test_an_unreadable_state_never_runs_the_script_again(caller: Caller) -> None:
    workspace = caller.services.store.create("t")
    pathlib.Path(workspace.state_path).write_text("{")
    assert caller.start("t", "echo x").exit_code == -46


def test_stop_waits_and_then_leaves_scripts_alone(caller: Caller) -> None:
    caller.start("t", "sleep 0.5", wait=None)
    assert caller.services.stop(10) == 0
    caller.start("u", "sleep 60", wait=None)
    before = time.monotonic()
    assert caller.services.stop(0.2) == 1
    assert time.monotonic() - before < 3
    assert [script.workspace.ticket for script in caller.services.running()] == ["u"]


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No state file can be replaced any more."""
    def refuse(path: str, *_unused: object) -> None:
        raise StorageError(f"The file {path} could not be written: No space left on device.")

    monkeypatch.setattr("tentacle_agent.services.script.script_state.files.write_atomically", refuse)


def test_a_state_that_cannot_be_saved_is_told_and_never_lets_the_script_run_twice(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch)
    answer = caller.start("t", "echo x >>../count; exit 5")
    assert (answer.state, answer.exit_code) == (2, 5)
    assert [text for text in output(answer) if "exception occurred saving the ScriptState" in (text or "")]
    monkeypatch.undo()
    assert Caller(caller.home).start("t", "echo x >>../count").exit_code == -46
    assert (caller.work / "count").read_text() == "x\n"


def test_after_a_restart_on_a_full_disk_a_script_that_ran_reads_as_unknown(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.start("ran", "echo seen; sleep 60", wait=None)
    caller.until("ran", has_line("seen"))
    caller.start("waits", "true", wait=None, isolation=1)
    restarted = Caller(caller.home)
    full_disk(monkeypatch)
    answer = restarted.status("ran")
    assert (answer.state, answer.exit_code) == (2, -46)
    assert "seen" in output(answer)
    # What waits would still run after it was told -46, if that is not on the disk.
    with pytest.raises(ServiceFailed, match="No space left"):
        restarted.status("waits")


def test_a_script_whose_start_cannot_be_recorded_is_not_started(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: StateFile) -> None:
        raise OSError(30, "Read-only file system")

    full_disk(monkeypatch)
    monkeypatch.setattr(StateFile, "spoil", refuse)
    answer = caller.start("t", "echo x >>../count")
    assert (answer.state, answer.exit_code) == (2, -41)
    assert not (caller.work / "count").exists()
