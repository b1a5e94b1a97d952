"""The state file: readable at every instant, in the original's shape, and never an excuse to run a script twice."""

from __future__ import annotations

import json
import os
import pathlib
import re
import stat

import pytest

from module_utils._instance.errors import StorageError
from tentacle_agent.services.script import script_state
from tentacle_agent.services.script.script_state import ScriptState, StateFile

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00")


@pytest.fixture
def file(tmp_path: pathlib.Path) -> StateFile:
    return StateFile(str(tmp_path / "scriptstate.json"))


def test_the_whole_way_in_the_originals_shape(file: StateFile) -> None:
    assert file.load() is None
    state = ScriptState.pending({"TaskId": "T"})
    file.create(state)
    assert file.load() == state
    file.save(state.running())
    file.save(state.running().complete(7))
    document = json.loads(pathlib.Path(file.path).read_bytes())
    assert list(document) == ["Created", "Started", "Completed", "State", "ExitCode", "RanToCompletion"]
    assert all(TIME.fullmatch(document[name]) for name in ("Created", "Started", "Completed"))
    assert (document["State"], document["ExitCode"], document["RanToCompletion"]) == (2, 7, True)
    assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o600
    assert os.listdir(os.path.dirname(file.path)) == ["scriptstate.json"]


def test_creating_over_another_fails(file: StateFile) -> None:
    file.create(ScriptState.pending({}))
    with pytest.raises(FileExistsError):
        file.create(ScriptState.pending({}))
    assert os.listdir(os.path.dirname(file.path)) == ["scriptstate.json"]


def test_files_of_the_original_are_read(file: StateFile) -> None:
    pathlib.Path(file.path).write_bytes(
        b'\xef\xbb\xbf{"Created":"2022-01-01T00:00:00.0000000+00:00","Started":null,"Completed":null,"State":1,'
        b'"ExitCode":null,"RanToCompletion":null,"More":[]}'
    )
    state = file.load()
    assert state is not None
    assert (state.state, state.exit_code, state.was_waiting) == (1, None, False)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"Created":"x","State":9}', b"\xff", b'"x"'])
def test_a_file_that_makes_no_sense_says_running(file: StateFile, content: bytes) -> None:
    pathlib.Path(file.path).write_bytes(content)
    state = file.load()
    assert state is not None
    assert state.state == 1
    assert not state.can_be_launched


def test_only_a_script_of_this_boot_can_be_launched_as_stored(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.create(ScriptState.pending({}))
    state = file.load()
    assert state is not None
    assert state.was_waiting
    assert state.can_be_launched
    assert not state.running().can_be_launched
    monkeypatch.setattr(script_state, "_boot", lambda: "another")
    assert state.was_waiting
    assert not state.can_be_launched


def test_saving_where_nothing_is_any_more(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StorageError):
        StateFile(str(tmp_path / "gone" / "scriptstate.json")).save(ScriptState.pending({}))
    assert StateFile(str(tmp_path / "gone" / "scriptstate.json")).load() is None


def test_a_spoilt_file_says_running_and_no_file_is_as_good(file: StateFile) -> None:
    file.create(ScriptState.pending({}))
    file.spoil()
    state = file.load()
    assert state is not None
    assert (state.state, state.can_be_launched) == (1, False)
    os.unlink(file.path)
    file.spoil()
    assert file.load() is None


def test_running_is_on_the_disk_with_every_name_on_the_way(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of flushing and renaming; what a disk makes of it is the disk's affair."""
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flush(descriptor: int) -> None:
        steps.append("flush " + os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")).rpartition(".")[2])
        fsync(descriptor)

    def rename(source: str, target: str) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    state = ScriptState.pending({})
    file.create(state)
    assert steps == []
    file.save(state.running())
    workspace = os.path.dirname(file.path)
    names = [os.path.basename(path).rpartition(".")[2] for path in (os.path.dirname(workspace), workspace)]
    assert steps == [f"flush {names[0]}", "flush new", "rename", f"flush {names[1]}"]
    steps.clear()
    file.save(state.running().complete(0))
    assert steps == ["flush new", "rename", f"flush {names[1]}"]
