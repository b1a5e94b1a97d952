# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

import pytest

from module_utils import _directories
from module_utils._directories import Entry
from module_utils._instance.errors import StorageError

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives directories away")


def mode(path: pathlib.Path) -> int:
    return path.stat().st_mode & 0o777


def test_makes_what_is_missing_and_is_then_content(tmp_path: pathlib.Path) -> None:
    entry = Entry(str(tmp_path / "a" / "b" / "c"), 0o750)
    before = os.umask(0o077)
    try:
        assert _directories.differs(entry)
        assert _directories.settle(entry)
    finally:
        os.umask(before)
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o755, 0o755, 0o750]
    assert not _directories.differs(entry)
    assert not _directories.settle(entry)
    assert _directories.show(entry.path) == _directories.show_wanted(entry)


def test_leaves_what_is_not_wanted(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir(mode=0o711)
    assert not _directories.settle(Entry(str(tmp_path / "a")))
    assert mode(tmp_path / "a") == 0o711


def test_an_unknown_account_is_shown_by_name_and_refused(tmp_path: pathlib.Path) -> None:
    entry = Entry(str(tmp_path / "a"), 0o750, "nobody-by-this-name")
    assert _directories.show_wanted(entry)["owner"] == "nobody-by-this-name"
    with pytest.raises(StorageError, match="nobody-by-this-name"):
        _directories.settle(entry)


def test_a_file_in_the_way_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(StorageError, match=str(tmp_path / "a")):
        _directories.settle(Entry(str(tmp_path / "a" / "b")))


@AS_ROOT
def test_gives_away(tmp_path: pathlib.Path) -> None:
    entry = Entry(str(tmp_path / "a"), 0o750, "65534", "65534")
    assert _directories.settle(entry)
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == (65534, 65534)
    assert not _directories.settle(entry)


@AS_ROOT
@pytest.mark.parametrize("below", ["", "/Applications"])
def test_follows_roots_links_and_nobody_elses(tmp_path: pathlib.Path, below: str) -> None:
    (tmp_path / "target").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    entry = Entry(f"{link}{below}", 0o750, "65534")
    assert _directories.settle(entry)
    os.chown(tmp_path / "target", 0, 0)
    os.lchown(link, 65534, 65534)
    with pytest.raises(StorageError, match="is a link made by user number 65534"):
        _directories.settle(entry)
    assert (tmp_path / "target").stat().st_uid == 0


def test_a_parent_that_somebody_else_makes_meanwhile(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several hosts of an inventory may be one machine, and their tasks run at once."""
    real = os.mkdir

    def mkdir(path: str, *mode: int) -> None:
        real(path, *mode)
        if path.endswith("shared"):
            raise FileExistsError(17, "File exists", path)

    monkeypatch.setattr(os, "mkdir", mkdir)
    assert _directories.settle(Entry(str(tmp_path / "shared" / "own" / "programs")))
    assert (tmp_path / "shared" / "own" / "programs").is_dir()
