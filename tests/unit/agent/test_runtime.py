# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small parts of the runtime and of the listener; whole agents are tested end to end."""

from __future__ import annotations

import errno
import os
import pathlib
import platform
import resource
import socket
import subprocess
import sys

import pytest

from module_utils._instance.errors import InstanceError
from tentacle_agent import listener, runtime
from tentacle_agent.arguments import Values
from tentacle_agent.commands import Context, find


def test_the_verb_has_both_names() -> None:
    for name in ("agent", "run", "RUN"):
        command = find(name)
        assert command is not None
        assert command.NAME == "agent"


def test_running_without_an_instance_is_a_sentence(tmp_path: pathlib.Path) -> None:
    command = find("run")
    assert command is not None
    with pytest.raises(InstanceError, match="There is no configuration file"):
        command.execute(Values([("config", str(tmp_path / "none.json"))]), Context())


def test_a_stamp_changes_with_the_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x"
    assert runtime.stamp(str(path)) is None
    path.write_text("1")
    first = runtime.stamp(str(path))
    (tmp_path / "y").write_text("2")
    (tmp_path / "y").replace(path)
    assert runtime.stamp(str(path)) != first


def test_a_sign_of_life_is_left_and_its_failure_does_not_matter(tmp_path: pathlib.Path) -> None:
    runtime.touch(str(tmp_path / "beat"))
    os.utime(tmp_path / "beat", (1, 1))
    runtime.touch(str(tmp_path / "beat"))
    assert (tmp_path / "beat").stat().st_mtime > 1
    runtime.touch(str(tmp_path / "none" / "beat"))


def test_the_limit_of_descriptors_is_raised_but_not_above_what_is_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        runtime.raise_descriptor_limit()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert hard == before[1]
        assert soft == (runtime.DESCRIPTORS if hard == resource.RLIM_INFINITY else min(runtime.DESCRIPTORS, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives threads pools of their own")
def test_threads_do_not_get_pools_of_memory_of_their_own() -> None:
    program = """
import hashlib, sys, threading
from tentacle_agent import runtime
if sys.argv[1] == "shared":
    runtime.share_one_arena()
gate = threading.Barrier(9)
def take():
    hashlib.sha512(b"x").hexdigest()  # memory of the C library, not of Python's own allocator
    kept = bytes(100_000)
    gate.wait()
    gate.wait()
for _unused in range(8):
    threading.Thread(target=take).start()
gate.wait()
with open("/proc/self/maps", encoding="ascii") as maps:
    print(sum(int(line.partition("-")[0], 16) % (64 << 20) == 0 for line in maps))
gate.wait()
"""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def pools(how: str) -> int:
        command = [sys.executable, "-c", program, how]
        return int(subprocess.run(command, env=variables, capture_output=True, check=True, text=True).stdout)

    assert pools("shared") < pools("default")


def test_addresses_are_written_as_people_do() -> None:
    assert listener.plain_address("::ffff:10.0.0.1") == "10.0.0.1"
    assert listener.plain_address("fe80::1") == "fe80::1"


def test_binding_all_addresses_takes_both_families() -> None:
    with listener.bind(None, 0) as sock:
        port = sock.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        if sock.family == socket.AF_INET6:
            socket.create_connection(("::1", port), timeout=5).close()
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_binding_tells_what_is_wrong() -> None:
    with listener.bind("127.0.0.1", 0) as sock:
        with pytest.raises(OSError, match="in use") as caught:
            listener.bind("127.0.0.1", sock.getsockname()[1])
        assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError, match="assign"):
        listener.bind("192.0.2.1", 0)
