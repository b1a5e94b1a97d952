# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that arrive, and the service around them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import stat
import tempfile
from collections.abc import Iterator

import pytest

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import DataStream, UploadResult
from module_utils._halibut.messages import Request
from tentacle_agent.dispatch import Context, Download, Peer, ServiceError
from tentacle_agent.services import incoming_file
from tentacle_agent.services.file_transfer import FileTransferService, explain
from tentacle_agent.services.incoming_file import IncomingFile

CONTENT = b"content"


@pytest.fixture(params=["nameless", "named"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to receive a file: with and without a name of its own."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return str(request.param)


@pytest.mark.usefixtures("way")
class TestIncomingFile:
    def test_nothing_is_there_before_and_everything_after(self, tmp_path: pathlib.Path) -> None:
        target = tmp_path / "a" / "b"
        file = IncomingFile(str(target), len(CONTENT))
        file.write(CONTENT[:3])
        file.write(memoryview(CONTENT)[3:])
        assert not target.exists()
        assert file.commit() == hashlib.sha1(CONTENT).hexdigest()
        assert target.read_bytes() == CONTENT
        assert os.listdir(tmp_path / "a") == ["b"]

    def test_an_existing_file_is_replaced_whole_with_a_fresh_mode(self, tmp_path: pathlib.Path) -> None:
        target = tmp_path / "x"
        target.write_bytes(b"old")
        target.chmod(0o600)
        file = IncomingFile(str(target), 3)
        file.write(b"new")
        assert target.read_bytes() == b"old"
        file.commit()
        assert target.read_bytes() == b"new"
        mask = os.umask(0)
        os.umask(mask)
        assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask

    def test_discarding_leaves_nothing(self, tmp_path: pathlib.Path) -> None:
        file = IncomingFile(str(tmp_path / "x"), 100_000)
        file.write(b"half")
        file.discard()
        file.discard()
        assert os.listdir(tmp_path) == []

    def test_a_directory_in_the_way_is_refused(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(IsADirectoryError):
            IncomingFile(str(tmp_path), 1)

    def test_a_name_of_255_bytes(self, tmp_path: pathlib.Path) -> None:
        file = IncomingFile(str(tmp_path / ("ä" * 127)), 1)
        file.write(b"x")
        file.commit()
        assert (tmp_path / ("ä" * 127)).read_bytes() == b"x"

    def test_no_descriptor_stays_open(self, tmp_path: pathlib.Path) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for number in range(3):
            file = IncomingFile(str(tmp_path / str(number)), 1)
            file.write(b"x")
            file.commit()
        with pytest.raises(OSError, match="space"):
            IncomingFile(str(tmp_path / "huge"), 1 << 50)
        assert len(os.listdir("/proc/self/fd")) == before
        assert len(os.listdir(tmp_path)) == 3


def test_short_writes_are_continued(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(incoming_file.os, "write", lambda file, data: real(file, bytes(data)[:2]))
    file = IncomingFile(str(tmp_path / "x"), 7)
    file.write(CONTENT)
    file.commit()
    assert (tmp_path / "x").read_bytes() == CONTENT


# The service


@pytest.fixture
def service(tmp_path: pathlib.Path) -> FileTransferService:
    return FileTransferService(str(tmp_path))


def context() -> Context:
    return Context(Peer("127.0.0.1", "A" * 40, "C1"), Request("id", Guid(bytes(16)), "x", "y"), {})


@pytest.mark.parametrize(("given", "wanted"), [
    ("a", "{home}/a"), ("a\\b\\c.txt", "{home}/a/b/c.txt"), ("./a//b/../c", "{home}/a/c"), ("/abs/x", "/abs/x"),
    ("//abs", "/abs"), ("\\abs", "/abs"), ("..", "{parent}"), ("", "{home}"), ("a/", "{home}/a"),
    ("C:\\x", "{home}/C:/x"),
])
def test_paths_are_resolved_as_the_original_does(
    service: FileTransferService, tmp_path: pathlib.Path, given: str, wanted: str
) -> None:
    assert service.resolve(given) == wanted.format(home=tmp_path, parent=tmp_path.parent)


def test_an_upload_through_the_service(service: FileTransferService, tmp_path: pathlib.Path) -> None:
    stream, call = DataStream(Guid(os.urandom(16)), 7), context()
    file = service.open_stream(call, stream, ("x", stream))
    call.streams[stream.id] = file
    file.write(CONTENT)
    file.close()
    wanted = UploadResult(str(tmp_path / "x"), hashlib.sha1(CONTENT).hexdigest(), 7)
    assert service.upload_file(call, "x", stream) == wanted
    assert call.streams == {}


def test_what_a_killed_agent_had_not_finished_is_removed(service: FileTransferService, tmp_path: pathlib.Path) -> None:
    service.remove_unfinished()  # there is no directory yet
    files = tmp_path / "Files"
    files.mkdir()
    for name in (".tentacle-00ff.part", "package.zip", ".tentacle-keep", "x.part"):
        (files / name).write_bytes(CONTENT)
    (files / ".tentacle-directory.part").mkdir()
    service.remove_unfinished()
    assert sorted(path.name for path in files.iterdir()) == [
        ".tentacle-directory.part", ".tentacle-keep", "package.zip", "x.part"
    ]


def test_a_null_upload_and_null_paths(service: FileTransferService, tmp_path: pathlib.Path) -> None:
    assert service.upload_file(context(), "x", None) == UploadResult(str(tmp_path / "x"), None, 0)
    with pytest.raises(ServiceError, match="Object reference not set"):
        service.upload_file(context(), None, None)
    with pytest.raises(ServiceError, match="Object reference not set"):
        service.download_file(context(), None)


def test_downloads(service: FileTransferService, tmp_path: pathlib.Path) -> None:
    (tmp_path / "x").write_bytes(CONTENT)
    result = service.download_file(context(), "x")
    assert isinstance(result, Download)
    assert result.stream.length == 7
    assert result.file.read() == CONTENT
    result.file.close()
    assert service.download_file(context(), "missing") is None
    assert service.download_file(context(), ".") is None


@contextlib.contextmanager
def not_root() -> Iterator[None]:
    """Root may read everything, so it becomes somebody else for a while."""
    account = os.geteuid()
    os.seteuid(account or 65534)
    try:
        yield
    finally:
        os.seteuid(account)


def test_a_file_that_may_not_be_read_is_denied() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        (pathlib.Path(home) / "x").touch(mode=0)
        with not_root(), pytest.raises(ServiceError, match="is denied"):
            FileTransferService(home).download_file(context(), "x")


@pytest.mark.parametrize(("number", "part", "kind"), [
    (errno.EACCES, "Access to the path '/x' is denied.", "System.UnauthorizedAccessException"),
    (errno.EISDIR, "Access to the path '/x' is denied.", "System.UnauthorizedAccessException"),
    (errno.ENOSPC, "There is not enough space for '/x': 5 bytes", "System.IO.IOException"),
    (errno.ENOENT, "Could not find a part of the path '/x'.", "System.IO.DirectoryNotFoundException"),
    (errno.ENOTDIR, "Not a directory : '/x'", "System.IO.IOException"),
])
def test_failures_are_worded_for_servers(number: int, part: str, kind: str) -> None:
    error = explain(OSError(number, os.strerror(number)), "/x", 5)
    assert part in str(error)
    assert error.type_name == kind
