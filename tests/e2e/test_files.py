# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files up and down through a live agent (docs/protocol/tentacle-services.md §3, §14)."""

from __future__ import annotations

import hashlib
import os
import pathlib
import stat
import threading
import time
from collections.abc import Callable

import pytest
from agent_process import AgentProcess
from wire_client import WireClient

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import DataStream
from module_utils._halibut.messages import Response

Connect = Callable[..., WireClient]
TARGET_INVOCATION = (
    "System.Reflection.TargetInvocationException: Exception has been thrown by the target of an invocation."
)


def leftovers(directory: pathlib.Path) -> list[str]:
    """Files that an upload may have left behind."""
    return [str(path) for path in directory.rglob("*.part")]


def assert_service_error(response: Response, part: str) -> None:
    """A failure that clients do not retry."""
    assert response.result is None
    assert response.error is not None
    assert part in (response.error.message or "")
    assert (response.error.details or "").startswith(TARGET_INVOCATION)
    assert response.error.type_name is None


def test_upload_makes_directories_hashes_and_reports(agent: AgentProcess, connect: Connect) -> None:
    content = os.urandom(300_000)
    client = connect(agent)
    result = client.upload("Files\\Deep\\näme with blanks.bin", content).result
    target = agent.home / "Files" / "Deep" / "näme with blanks.bin"
    assert result.full_path == str(target)
    assert result.hash == hashlib.sha1(content).hexdigest()
    assert result.length == len(content)
    assert target.read_bytes() == content
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~current_umask()
    assert leftovers(agent.home) == []


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_empty_file_goes_up_and_down(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent)
    assert client.upload("Files/empty", b"").result.length == 0
    assert client.download("Files/empty") == b""


@pytest.mark.parametrize("size", [1, 16383, 16384, 16385, 262144, 5_000_001])
def test_content_survives_both_ways(agent: AgentProcess, connect: Connect, size: int) -> None:
    content = os.urandom(size)
    client = connect(agent)
    assert client.upload(f"Files/size-{size}", content).result.length == size
    assert client.download(f"Files/size-{size}") == content
    assert client.capabilities().error is None


def test_absolute_path_and_parent_directories_are_allowed(
    agent: AgentProcess, connect: Connect, tmp_path: pathlib.Path
) -> None:
    client = connect(agent)
    assert client.upload(f"{tmp_path}/x/../y/file", b"one").result.full_path == f"{tmp_path}/y/file"
    assert (tmp_path / "y" / "file").read_bytes() == b"one"


def test_upload_replaces_files_and_links_but_not_what_a_link_names(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent)
    kept = agent.home / "kept"
    kept.write_bytes(b"kept")
    link = agent.home / "link"
    link.symlink_to(kept)
    assert client.upload("link", b"new").error is None
    assert client.upload("link", b"newer").error is None
    assert not link.is_symlink()
    assert link.read_bytes() == b"newer"
    assert kept.read_bytes() == b"kept"


def test_null_upload_changes_nothing(agent: AgentProcess, connect: Connect) -> None:
    result = connect(agent).call("IFileTransferService", "UploadFile", "Files/null", None).result
    assert (result.full_path, result.hash, result.length) == (str(agent.home / "Files" / "null"), None, 0)
    assert not (agent.home / "Files" / "null").exists()


@pytest.mark.parametrize("path", ["", ".", "Logs", "Logs/OctopusTentacle.txt/below", "/proc/below/file", "nul\0byte"])
def test_upload_to_an_impossible_place_fails_and_the_connection_stays(
    agent: AgentProcess, connect: Connect, path: str
) -> None:
    client = connect(agent)
    assert_service_error(client.upload(path, b"x" * 100_000), "")
    assert client.capabilities().error is None
    assert leftovers(agent.home) == []


def test_null_path_is_a_null_reference(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent)
    stream = DataStream(Guid(os.urandom(16)), 3)
    for response in (client.call("IFileTransferService", "DownloadFile", None),
                     client.call("IFileTransferService", "UploadFile", None, stream, payloads={stream.id: b"abc"})):
        assert_service_error(response, "Object reference not set to an instance of an object.")


@pytest.mark.parametrize("path", ["missing", "missing/below", "Logs", "", "/"])
def test_download_of_what_is_no_file_gives_null(agent: AgentProcess, connect: Connect, path: str) -> None:
    assert connect(agent).download(path) is None


@pytest.mark.parametrize("path", ["/proc/version", "/dev/zero"])
def test_download_of_unknown_length_fails_and_the_connection_stays(
    agent: AgentProcess, connect: Connect, path: str
) -> None:
    client = connect(agent)
    assert_service_error(client.call("IFileTransferService", "DownloadFile", path), "length is not known")
    assert client.capabilities().error is None


def test_download_of_a_pipe_does_not_hang(agent: AgentProcess, connect: Connect) -> None:
    os.mkfifo(agent.home / "pipe")
    assert_service_error(connect(agent).call("IFileTransferService", "DownloadFile", "pipe"), "length is not known")


def test_download_of_a_growing_file_has_the_promised_length(agent: AgentProcess, connect: Connect) -> None:
    path = agent.home / "growing.log"
    path.write_bytes(b"x" * 1000)
    stop = threading.Event()

    def grow() -> None:
        with open(path, "ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"y" * 4096)
                time.sleep(0.002)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        client = connect(agent)
        for _unused in range(20):
            content = client.download("growing.log")
            assert content is not None
            assert content[:1000] == b"x" * 1000
    finally:
        stop.set()
        writer.join()


def test_eight_uploads_to_one_path_end_with_one_whole_file(agent: AgentProcess, connect: Connect) -> None:
    contents = [bytes([number]) * 2_000_000 for number in range(8)]
    clients = [connect(agent) for _unused in contents]
    problems: list[object] = []

    def send(client: WireClient, content: bytes) -> None:
        response = client.upload("Files/contended", content)
        if response.error or response.result.hash != hashlib.sha1(content).hexdigest():
            problems.append(response)

    threads = [threading.Thread(target=send, args=pair) for pair in zip(clients, contents)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert (agent.home / "Files" / "contended").read_bytes() in contents
    assert leftovers(agent.home) == []


def test_upload_that_is_cut_leaves_nothing(agent: AgentProcess, connect: Connect) -> None:
    (agent.home / "Files").mkdir(exist_ok=True)
    (agent.home / "Files" / "old").write_bytes(b"old")
    before = agent.descriptors()
    for path in ("Files/new", "Files/old"):
        client = connect(agent)
        client.capabilities()
        client.next()
        start_upload(client, path, 10_000_000)
        client.send(b"z" * 3_000_000)
        client.reset()
    agent.wait_for_log("disconnected|broken off|broke the protocol")
    limit = time.monotonic() + 10
    while agent.descriptors() > before and time.monotonic() < limit:
        time.sleep(0.05)
    assert agent.descriptors() <= before
    assert not (agent.home / "Files" / "new").exists()
    assert (agent.home / "Files" / "old").read_bytes() == b"old"
    assert leftovers(agent.home) == []
    assert any("IFileTransferService.UploadFile" in line and "failed: the connection ended" in line
               for line in agent.audit())


def test_upload_that_is_cut_by_the_death_of_the_agent_leaves_nothing(
    start_agent: Callable[..., AgentProcess], connect: Connect
) -> None:
    process = start_agent()
    client = connect(process)
    client.capabilities()
    client.next()
    start_upload(client, "file", 10_000_000)
    client.send(b"z" * 3_000_000)
    time.sleep(0.3)
    process.kill()
    assert sorted(path.name for path in process.home.iterdir() if path.is_file()) == ["livez.heartbeat"]


def start_upload(client: WireClient, path: str, length: int) -> None:
    """Send an upload's request and its stream's header."""
    from module_utils._halibut.connection import Connection
    from module_utils._halibut.messages import Request

    core = client._core
    assert isinstance(core, Connection)
    core.send(Request("id", Guid(os.urandom(16)), "IFileTransferService", "UploadFile",
                      (path, DataStream(Guid(os.urandom(16)), length))))
    client._write()


def test_a_full_disk_is_told_before_the_bytes_come(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent)
    client.capabilities()
    client.next()
    start_upload(client, "huge", 1 << 39)
    client.send(b"z" * 100_000)
    client.reset()
    assert not (agent.home / "huge").exists()
    assert connect(agent).capabilities().error is None


def test_large_files_pass_through_little_memory(agent: AgentProcess, connect: Connect) -> None:
    client = connect(agent)
    client.capabilities()
    before = agent.resident_kib()
    content = os.urandom(1 << 20) * 60
    assert client.upload("Files/large", content).result.hash == hashlib.sha1(content).hexdigest()
    assert client.download("Files/large") == content
    assert agent.resident_kib() - before < 16 * 1024
    (agent.home / "Files" / "large").unlink()


def test_small_uploads_do_not_wait_for_delayed_acknowledgements(agent: AgentProcess, connect: Connect) -> None:
    """A .NET client leaves Nagle's algorithm on: each of its five writes would wait 40 ms (§10 of the wire's page)."""
    client = connect(agent, nagle=True)
    client.capabilities()
    start = time.monotonic()
    for number in range(20):
        assert client.upload(f"Files/small-{number % 3}", b"x" * 2048).error is None
    assert time.monotonic() - start < 20 * 0.035
