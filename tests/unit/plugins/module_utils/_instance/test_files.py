"""Files are whole at every instant, and keep who may read them."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import stat

import pytest

from module_utils._instance import files
from module_utils._instance.errors import StorageError


def _mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_its_mode_whatever_the_umask(tmp_path: pathlib.Path) -> None:
    before = os.umask(0o077)
    try:
        files.write_atomically(str(tmp_path / "plain"), b"x")
        files.write_atomically(str(tmp_path / "secret"), b"x", 0o640)
    finally:
        os.umask(before)
    assert _mode(tmp_path / "plain") == 0o644
    assert _mode(tmp_path / "secret") == 0o640


def test_a_file_that_is_there_keeps_its_mode(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o604)
    files.write_atomically(str(path), b"new")
    assert (path.read_bytes(), _mode(path)) == (b"new", 0o604)


def test_a_link_stays_a_link(tmp_path: pathlib.Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    files.write_atomically(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StorageError, match="No space left on device"):
        files.write_atomically(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_file_is_flushed_before_it_gets_its_name_and_the_directory_after(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(source: str, target: str) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    files.write_atomically(str(tmp_path / "file"), b"x")
    assert steps == ["file", "rename", "directory"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_and_group_of_a_file_that_is_there_stay(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 12, 34)
    files.write_atomically(str(path), b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12, 34)
    files.write_atomically(str(path), b"new", group=56)
    assert (path.stat().st_uid, path.stat().st_gid) == (12, 56)


def test_missing_and_too_large_files_are_refused_with_a_sentence(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StorageError, match="could not be read: No such file") as caught:
        files.read(str(tmp_path / "none"))
    assert caught.value.cause == "file_missing"
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(StorageError, match="larger than 10 bytes"):
        files.read(str(tmp_path / "large"), 10)


def test_unknown_accounts_are_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StorageError, match="no user 'nobody-knows'"):
        files.write_atomically(str(tmp_path / "file"), b"", owner="nobody-knows")
    with pytest.raises(StorageError, match="no group 'nobody-knows'"):
        files.write_atomically(str(tmp_path / "file"), b"", group="nobody-knows")
    assert files.user_number("root") == 0
    assert files.group_number("17") == 17
    assert files.user_number(None) == -1


def test_directories_say_whether_they_were_changed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a" / "b"
    assert files.make_directory(str(path), 0o750) is True
    assert files.make_directory(str(path), 0o750) is False
    assert files.make_directory(str(path), 0o700) is True
    assert _mode(path) == 0o700
    assert files.adjust(str(path), 0o700) is False


def _hold(directory: str, held: object, release: object) -> None:
    with files.lock(directory):
        held.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def test_a_lock_is_held_against_other_processes_and_leaves_nothing(tmp_path: pathlib.Path) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path), held, release))
    holder.start()
    try:
        assert held.wait(30)
        with pytest.raises(StorageError, match="Another process") as caught, files.lock(str(tmp_path), 0.2):
            pass
        assert caught.value.cause == "locked"
        release.set()
        with files.lock(str(tmp_path), 30):
            assert os.listdir(tmp_path) == []
    finally:
        release.set()
        holder.join(30)


def test_what_is_no_ordinary_file_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        before = os.stat(path)
        with pytest.raises(StorageError, match="a device, a pipe or a directory"):
            files.write_atomically(str(path), b"x")
        assert os.stat(path).st_ino == before.st_ino
    assert os.listdir(tmp_path) == ["pipe"]


def test_what_a_killed_writer_left_behind_goes_with_the_next_write(tmp_path: pathlib.Path) -> None:
    old, young, foreign = (tmp_path / name for name in (".x.pem.0a.new", ".x.pem.0b.new", ".y.pem.0c.new"))
    for path in (old, young, foreign):
        path.write_bytes(b"half a key")
    for path in (old, foreign):
        os.utime(path, (1, 1))
    files.write_atomically(str(tmp_path / "x.pem"), b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, foreign.name, "x.pem"]
