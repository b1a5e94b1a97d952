# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the demo that can be tried alone: its package, its ports, its web site, its end.

The demo as a whole is a test of its own (`./dev demo`, part of `./dev test`).
"""

from __future__ import annotations

import importlib.util
import io
import os
import pathlib
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from types import ModuleType

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "demo"
SECONDS = 10


def load(name: str) -> ModuleType:
    """A file of the demo as a module of its own, so that its short name meets no other."""
    specification = importlib.util.spec_from_file_location(f"demo_{name}", DEMO / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


archive = load("archive")
ports = load("ports")


def test_the_package_has_the_same_bytes_each_time() -> None:
    package = archive.build()
    assert package == archive.build()
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        members = {member.name: member for member in tar}
    assert {"deploy.sh", "serve.py", "site/index.html", "site/style.css", "site/beacon.svg"} == set(members)
    assert members["deploy.sh"].mode == 0o755
    assert {member.mtime for member in members.values()} == {0}


def test_the_version_follows_the_content(tmp_path: pathlib.Path) -> None:
    (tmp_path / "page.html").write_text("one")
    first = archive.version(archive.build(tmp_path))
    (tmp_path / "page.html").write_text("two")
    assert archive.version(archive.build(tmp_path)) != first


@pytest.mark.parametrize("address", ["127.0.10.9", "0.0.0.0", "::"])
def test_the_holder_of_a_port_is_named(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as held:
        held.bind((address, 0))
        held.listen()
        port = held.getsockname()[1]
        assert not ports.is_free("127.0.10.9", port)
        assert ports.holder("127.0.10.9", port).endswith(f"(process {os.getpid()})")
        assert ports.choose("127.0.10.9", port) != port
    assert ports.is_free("127.0.10.9", port)


def test_a_port_of_another_address_is_free() -> None:
    with socket.socket() as held:
        held.bind(("127.0.10.9", 0))
        held.listen()
        assert ports.is_free("127.0.10.8", held.getsockname()[1])


def test_the_site_is_deployed_served_and_replaced(tmp_path: pathlib.Path) -> None:
    address, port = "127.0.10.9", ports.choose("127.0.10.9", 18080)
    pid_file = tmp_path / "site" / "site.pid"
    (tmp_path / "site").mkdir()
    pids = []
    try:
        for version in ("1", "2"):
            release = tmp_path / "site" / version
            release.mkdir()
            with tarfile.open(fileobj=io.BytesIO(archive.build())) as tar:
                tar.extractall(release)
            said = deploy(release, address, port, version, tmp_path)
            assert "It answers with" in said
            pids.append(int(pid_file.read_text()))
            page = fetch(f"http://{address}:{port}/")
            assert f"<dd>{version}</dd>" in page
            assert "<dd>web9</dd>" in page
        assert not pathlib.Path(f"/proc/{pids[0]}").exists(), "the server of the version before still runs"
    finally:
        for pid in pids:
            end(pid)


def deploy(release: pathlib.Path, address: str, port: int, version: str, applications: pathlib.Path) -> str:
    command = ["bash", str(release / "deploy.sh"), "web9", address, str(port), version, "abc", sys.executable]
    variables = {**os.environ, "TentacleApplications": str(applications)}
    # The script ends although the server goes on: it holds none of the script's pipes.
    result = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=SECONDS, check=True)
    return result.stdout


def fetch(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=SECONDS) as answer:
        text: str = answer.read().decode()
    return text


def end(pid: int) -> None:
    command_line = pathlib.Path(f"/proc/{pid}/cmdline")
    if command_line.exists() and b"serve.py" in command_line.read_bytes():
        os.kill(pid, 15)
        deadline = time.monotonic() + SECONDS
        while command_line.exists() and time.monotonic() < deadline:
            time.sleep(0.05)


def test_keep_and_stop_exclude_each_other() -> None:
    command = [sys.executable, str(DEMO / "run.py"), "--keep", "--stop"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert result.returncode == 2
    assert "not allowed with" in result.stderr
