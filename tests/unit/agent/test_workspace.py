"""Workspaces: private, found under any spelling, and nothing leads out of them."""

from __future__ import annotations

import os
import pathlib
import shutil
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tentacle_agent import workspace
from tentacle_agent.workspace import WorkspaceError, WorkspaceStore, check_ticket, file_parts, fold


@pytest.fixture
def store(tmp_path: pathlib.Path) -> WorkspaceStore:
    return WorkspaceStore(str(tmp_path), reserve=0)


def incoming(store: WorkspaceStore, text: str = "content") -> str:
    path = store.incoming_path()
    pathlib.Path(path).write_text(text)
    return path


@pytest.mark.parametrize("ticket", ["abcDEF012", "vector-v2-quick", "20261123011603-2-1", "größe", "a..b", "x" * 255])
def test_ordinary_tickets(ticket: str) -> None:
    assert check_ticket(ticket) == ticket


@pytest.mark.parametrize(
    "ticket",
    [None, "", ".", "..", "../x", "a/b", "/etc", "a\\b", "nul\0", ".incoming-1", ".hidden", "x" * 256, "ü" * 128],
)
def test_tickets_that_are_no_names(ticket: str | None, store: WorkspaceStore, tmp_path: pathlib.Path) -> None:
    with pytest.raises(WorkspaceError, match="TaskId"):
        store.create(ticket)
    with pytest.raises(WorkspaceError, match="TaskId"):
        store.find(ticket)
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_is_private(store: WorkspaceStore) -> None:
    path = store.create("t").path
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    os.chmod(path, 0o755)
    assert stat.S_IMODE(os.stat(store.create("t").path).st_mode) == 0o700


def test_looking_changes_nothing(store: WorkspaceStore, tmp_path: pathlib.Path) -> None:
    assert store.find("t").path == str(tmp_path / "Work" / "t")
    assert list(tmp_path.iterdir()) == []


def test_a_ticket_is_found_under_any_spelling(store: WorkspaceStore, tmp_path: pathlib.Path) -> None:
    made = store.create("MixedCase")
    for later in (store, WorkspaceStore(str(tmp_path), reserve=0)):
        found = later.find("mIXEDcASE")
        assert (found.path, found.ticket) == (made.path, "mIXEDcASE")
        assert later.create("MIXEDCASE").path == made.path
    store.delete(made)
    assert store.create("mixedcase").path == str(tmp_path / "Work" / "mixedcase")


def test_folding_is_by_character() -> None:
    assert fold("abc-1Z") == "ABC-1Z"
    assert fold("straße") == "STRAßE"
    assert fold("É") == fold("é")


def test_something_else_in_the_place_of_a_workspace(store: WorkspaceStore) -> None:
    store.create("other")
    pathlib.Path(store.find("t").path).symlink_to("/")
    with pytest.raises(WorkspaceError, match="no directory"):
        store.create("t")


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: pathlib.Path) -> None:
    store = WorkspaceStore(str(tmp_path), reserve=1 << 62)
    with pytest.raises(WorkspaceError, match=r"too little room.*MB free"):
        store.create("t")
    assert os.listdir(store.directory) == []


def test_a_script_is_written_with_unix_lines(store: WorkspaceStore) -> None:
    made = store.create("t")
    made.write_script("one\r\ntwo\rthree\nü")
    assert pathlib.Path(made.bootstrap_path).read_bytes() == "one\ntwo\rthree\nü".encode()
    assert stat.S_IMODE(os.stat(made.bootstrap_path).st_mode) == 0o600


def test_files_are_placed_also_in_directories_and_over_others(store: WorkspaceStore) -> None:
    made = store.create("t")
    made.place("a.txt", incoming(store, "old"))
    made.place("a.txt", incoming(store, "new"))
    made.place("deep/er/größe ☃.txt", incoming(store))
    assert (pathlib.Path(made.path) / "a.txt").read_text() == "new"
    assert (pathlib.Path(made.path) / "deep/er/größe ☃.txt").read_text() == "content"


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/passwd", "", ".", "..", "a/..", "dir/", "nul\0", "Output.log", "./scriptstate.json"],
)
def test_names_that_lead_out_are_refused(name: str, store: WorkspaceStore) -> None:
    made = store.create("t")
    with pytest.raises(WorkspaceError, match="Name"):
        made.place(name, incoming(store))
    assert os.listdir(made.path) == []


def test_links_do_not_lead_out_either(store: WorkspaceStore, tmp_path: pathlib.Path) -> None:
    made = store.create("t")
    (tmp_path / "outside").mkdir()
    os.symlink(tmp_path / "outside", os.path.join(made.path, "link"))
    with pytest.raises(WorkspaceError, match="link"):
        made.place("link/x", incoming(store))
    os.symlink("/etc/hostname", os.path.join(made.path, "name"))
    made.place("name", incoming(store))
    assert (pathlib.Path(made.path) / "name").read_text() == "content"
    assert not os.path.islink(os.path.join(made.path, "name"))


@given(st.text(alphabet=st.sampled_from("ab./\\\0 ü~"), max_size=12))
def test_whatever_the_name_it_stays_inside(name: str) -> None:
    try:
        parts = file_parts(name)
    except WorkspaceError:
        return
    path = os.path.normpath(os.path.join("/w", *parts))
    assert path.startswith("/w/")
    assert path == os.path.join("/w", *parts)


@given(st.text(max_size=40))
def test_whatever_the_ticket_it_is_one_name(ticket: str) -> None:
    try:
        check_ticket(ticket)
    except WorkspaceError:
        return
    assert os.path.dirname(os.path.normpath(os.path.join("/w", ticket))) == "/w"


def test_deleting_is_thorough_and_silent(store: WorkspaceStore) -> None:
    made = store.create("t")
    locked = pathlib.Path(made.path) / "locked"
    (locked / "inner").mkdir(parents=True)
    (locked / "inner" / "file").write_text("x")
    (locked / "inner" / "file").chmod(0o400)
    (locked / "inner").chmod(0o500)
    locked.chmod(0o500)
    store.delete(made)
    assert not os.path.lexists(made.path)
    store.delete(made)


def test_what_cannot_be_deleted_is_tried_three_times(store: WorkspaceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made, tries, pauses = store.create("t"), [], []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_unused: tries.append(path))
    monkeypatch.setattr(workspace.time, "sleep", pauses.append)
    store.delete(made)
    assert (len(tries), pauses) == (4, [0.1, 0.1])


def test_leftovers_of_a_killed_agent_are_removed(store: WorkspaceStore) -> None:
    store.create("t")
    incoming(store)
    incoming(store)
    assert store.remove_incoming() == 2
    assert os.listdir(store.directory) == ["t"]
    assert store.remove_incoming() == 0
