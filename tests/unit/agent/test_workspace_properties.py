# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever names a server sends, nothing is written outside the workspace."""

from __future__ import annotations

import os
import pathlib
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from tentacle_agent.workspace import WorkspaceError, WorkspaceStore

PARTS = st.sampled_from(
    ["..", ".", "", "a", "b", "link", "up", "Output.log", "scriptstate.json", "\\..", "nul\0", "ü ☃"])
NAMES = st.lists(PARTS, max_size=6).map("/".join) | st.text(max_size=12) | st.just("x" * 300)
TICKETS = NAMES | st.text(min_size=250, max_size=260)


def tree(root: pathlib.Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _folders, names in os.walk(root)
        for name in names
    }


@settings(deadline=None, max_examples=300)
@given(NAMES)
def test_files_of_a_script_stay_in_its_workspace(name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        store = WorkspaceStore(directory, reserve=0)
        workspace = store.create("ticket")
        (root / "outside").mkdir()
        os.symlink(root / "outside", os.path.join(workspace.path, "link"))
        os.symlink("..", os.path.join(workspace.path, "up"))
        incoming = pathlib.Path(store.incoming_path())
        incoming.write_text("content")
        before = tree(root)
        try:
            workspace.place(name, str(incoming))
        except (WorkspaceError, OSError):
            assert tree(root) == before
            return
        (new,) = tree(root) - before
        assert os.path.realpath(root / new).startswith(os.path.realpath(workspace.path) + os.sep)
        assert os.path.basename(new) not in ("Output.log", "scriptstate.json") or os.path.dirname(new) != "Work/ticket"


@settings(deadline=None, max_examples=300)
@given(TICKETS)
def test_workspaces_are_direct_children_of_their_directory(ticket: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = WorkspaceStore(directory, reserve=0)
        try:
            workspace = store.create(ticket)
        except (WorkspaceError, OSError):
            assert [path.name for path in pathlib.Path(directory).rglob("*")] in ([], ["Work"])
            return
        assert os.path.dirname(workspace.path) == os.path.join(directory, "Work")
        assert os.listdir(os.path.join(directory, "Work")) == [os.path.basename(workspace.path)]
