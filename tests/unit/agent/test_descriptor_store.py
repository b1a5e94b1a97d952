# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said to the service manager about descriptors, and what is believed about inherited ones."""

from __future__ import annotations

import os
import pathlib
import socket
from collections.abc import Iterator

import pytest

from tentacle_agent import descriptor_store
from tentacle_agent.descriptor_store import DescriptorStore, inherited


@pytest.fixture
def listening(tmp_path: pathlib.Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def test_keeping_sends_a_copy_with_its_name(listening: socket.socket) -> None:
    store = DescriptorStore({"NOTIFY_SOCKET": listening.getsockname()})
    assert store.available
    read, write = os.pipe()
    try:
        assert store.keep("script-1-out", read)
        data, (copy,), _flags, _address = socket.recv_fds(listening, 4096, 4)
        assert data == b"FDSTORE=1\nFDNAME=script-1-out\nFDPOLL=0"
        os.write(write, b"x")
        assert os.read(copy, 1) == b"x"
        os.close(copy)
    finally:
        os.close(read)
        os.close(write)


def test_dropping_names_it_and_closes_what_was_inherited(listening: socket.socket) -> None:
    store = DescriptorStore({"NOTIFY_SOCKET": listening.getsockname()})
    store._inherited["a"] = descriptor = os.open("/dev/null", os.O_RDONLY)
    store.drop("a")
    assert listening.recv(4096) == b"FDSTOREREMOVE=1\nFDNAME=a"
    assert store.names() == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_without_a_manager_nothing_is_kept_and_a_dead_one_is_told_in_the_log(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not DescriptorStore({}).available
    assert not DescriptorStore({}).keep("a", 0)
    assert not DescriptorStore({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).keep("a", 0)
    assert not DescriptorStore({"NOTIFY_SOCKET": f"@{tmp_path.name}"}).keep("a", 0)
    assert caplog.text.count("could not be asked") == 2


def test_inherited_descriptors_have_names_and_are_passed_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (os.open("/dev/null", os.O_RDONLY) for _unused in range(2))
    monkeypatch.setattr(descriptor_store, "FIRST", first)
    try:
        assert second == first + 1
        os.set_inheritable(first, True)
        found = inherited({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"})
        assert found == {"a": first, "b": second}
        assert not os.get_inheritable(first)
        assert inherited({"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}) == {}
        assert inherited({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"}) == {}
    finally:
        os.close(first)
        os.close(second)
