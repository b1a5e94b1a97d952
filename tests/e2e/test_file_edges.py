# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, sizes and places at the edge of what files can be (docs/protocol/tentacle-services.md §3)."""

from __future__ import annotations

import hashlib
import os
import pathlib
import stat
import struct
import subprocess
import sys
from collections.abc import Callable

import pytest
from agent_process import AgentProcess
from wire_client import WireClient

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import DataStream
from module_utils._halibut.messages import Request

Connect = Callable[..., WireClient]
GIB = 1 << 30


@pytest.mark.parametrize("name", [
    "with space and  two", "größe ☃ 文件", "quote'\"$(touch x)`", "-rf", "new\nline", "*", "~", "%s", "Größe.nupkg",
    "n" * 255, "a\\b"])
def test_names_of_any_kind_go_up_and_down(agent: AgentProcess, connect: Connect, name: str) -> None:
    client = connect(agent)
    content = name.encode() * 100
    result = client.upload(f"Files/odd/{name}", content).result
    expected = agent.home / "Files" / "odd" / name.replace("\\", "/")
    assert (result.full_path, result.hash, result.length) == (
        str(expected), hashlib.sha1(content).hexdigest(), len(content))
    assert expected.read_bytes() == content
    assert client.download(f"Files\\odd\\{name}") == content


def test_a_name_that_is_too_long_is_refused_and_the_connection_stays(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent)
    for name in ("n" * 256, "d/" * 3000 + "f"):
        response = client.upload(f"Files/{name}", b"x" * 100_000)
        assert response.error is not None
        assert "too long" in (response.error.message or "")
        assert client.download(f"Files/{name}") is None
        assert client.capabilities().error is None


def test_a_replaced_file_gets_a_new_files_mode_and_open_readers_keep_the_old_one(
    agent: AgentProcess, connect: Connect
) -> None:
    client = connect(agent)
    path = agent.home / "mode"
    path.write_bytes(b"old")
    path.chmod(0o4755)
    with open(path, "rb") as reader:
        assert client.upload("mode", b"new content").error is None
        assert reader.read() == b"old"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert client.upload("mode", b"x").result.length == 1
    assert path.read_bytes() == b"x"


def test_links_are_followed_by_downloads_and_in_the_path_of_uploads(
    agent: AgentProcess, connect: Connect, tmp_path: pathlib.Path
) -> None:
    client = connect(agent)
    (agent.home / "elsewhere").symlink_to(tmp_path)
    (agent.home / "dangling").symlink_to(tmp_path / "missing")
    (agent.home / "loop").symlink_to("loop")
    assert client.upload("elsewhere/file", b"through a link").error is None
    assert (tmp_path / "file").read_bytes() == b"through a link"
    (agent.home / "to-file").symlink_to(tmp_path / "file")
    assert client.download("to-file") == b"through a link"
    assert client.download("dangling") is None
    assert client.download("loop") is None
    assert client.upload("dangling", b"real").error is None
    assert not (agent.home / "dangling").is_symlink()
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("place", ["/proc/file", "/sys/file", "/dev/null/file"])
def test_places_that_cannot_be_written(agent: AgentProcess, connect: Connect, place: str) -> None:
    client = connect(agent)
    response = client.upload(place, b"x" * 200_000)
    assert response.error is not None
    assert place in (response.error.message or "")
    assert client.capabilities().error is None


def test_an_account_without_rights_is_told_the_path(
    start_agent: Callable[..., AgentProcess], connect: Connect, tmp_path: pathlib.Path
) -> None:
    """The agent gives up root's rights over files, where it has them; directories then bind it as anybody."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "secret").write_text("x")
    (closed / "secret").chmod(0)
    closed.chmod(0o555)
    program = ("-m", "tentacle_agent")
    python = sys.executable
    if os.geteuid() == 0:
        dropped = "-dac_override,-dac_read_search"
        if subprocess.run(["setpriv", f"--bounding-set={dropped}", "true"], check=False).returncode:
            pytest.skip("setpriv cannot drop rights here")
        python, program = "setpriv", (f"--bounding-set={dropped}", f"--inh-caps={dropped}", sys.executable, *program)
    client = connect(start_agent(python=python, program=program))
    denied = f"Access to the path '{closed}/{{}}' is denied."
    for response, name in (
        (client.upload(f"{closed}/new", b"x" * 100_000), "new"),
        (client.call("IFileTransferService", "DownloadFile", f"{closed}/secret"), "secret"),
    ):
        assert response.error is not None
        assert response.error.message == denied.format(name)
        assert "UnauthorizedAccessException" in (response.error.details or "")
    assert client.capabilities().error is None


@pytest.mark.huge
def test_a_file_beyond_4_gib_comes_down_through_little_memory(agent: AgentProcess, connect: Connect) -> None:
    """The answer is counted, not decoded: a message below 2 KB, the header of the stream, its bytes, their number."""
    size = 4 * GIB + 12345
    with open(agent.home / "sparse", "wb") as file:
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    client = connect(agent)
    core = client._ready()
    before, most, received, last = agent.resident_kib(), 0, 0, b""
    core.send(Request("1", Guid(os.urandom(16)), "IFileTransferService", "DownloadFile", ("sparse",)))
    client._write()
    buffer = memoryview(bytearray(1 << 18))
    while not last.endswith(b"end" + struct.pack("<q", size)):
        count = client.sock.recv_into(buffer)
        assert count, received
        if received >> 28 != (received + count) >> 28:
            most = max(most, agent.resident_kib())
        received += count
        last = (last + bytes(buffer[max(count - 16, 0) : count]))[-16:]
    (agent.home / "sparse").unlink()
    assert 0 < received - size < 2048
    assert most - before < 8 * 1024


@pytest.mark.huge
def test_a_file_beyond_4_gib_goes_up_through_little_memory(agent: AgentProcess, connect: Connect) -> None:
    size, block = 4 * GIB + 12345, os.urandom(1 << 20)
    client = connect(agent)
    client._ready()
    digest = hashlib.sha1()
    before, most, sent = agent.resident_kib(), 0, 0
    client.begin("IFileTransferService", "UploadFile", "Files/huge", DataStream(Guid(os.urandom(16)), size))
    while sent < size:
        piece = block[: size - sent]
        client.fill(piece, end=sent + len(piece) == size)
        client.sent.clear()
        digest.update(piece)
        sent += len(piece)
        if sent % (GIB // 4) < len(piece):
            most = max(most, agent.resident_kib())
    result = client.answer().result
    target = agent.home / "Files" / "huge"
    stored = target.stat().st_size
    target.unlink()
    assert (result.length, result.hash, stored) == (size, digest.hexdigest(), size)
    assert most - before < 8 * 1024
