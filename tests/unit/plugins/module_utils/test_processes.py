# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import sys

import pytest

from module_utils import _processes

CONFIG = "/etc/tentacle-agent/tentacle/tentacle.json"
PROGRAMS = "/opt/tentacle-agent/0.1.0+9f86d081884c"
AGENT = ["/usr/bin/python3", "-I", PROGRAMS, "run", f"--config={CONFIG}", "--noninteractive"]
LINE = "  0: {address}:{port:04X} {other}:0000 {state} 00000000:00000000 00:00000000 00000000 {user} 0 {inode} 1 0 100"


class FakeProc:
    """A ``/proc`` with some processes and listening sockets."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.lines: dict[str, list[str]] = {"tcp": ["head"], "tcp6": ["head"]}
        (path / "net").mkdir()

    def add(self, pid: int, words: list[str], *inodes: int) -> FakeProc:
        (self.path / str(pid) / "fd").mkdir(parents=True)
        (self.path / str(pid) / "cmdline").write_bytes("\0".join([*words, ""]).encode())
        for number, inode in enumerate(inodes):
            (self.path / str(pid) / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
        return self

    def listen(self, table: str, address: str, port: int, inode: int, state: str = "0A") -> FakeProc:
        other = "0" * len(address)
        line = LINE.format(address=address, port=port, other=other, state=state, user=os.getuid(), inode=inode)
        self.lines[table].append(line)
        (self.path / "net" / table).write_text("\n".join(self.lines[table]) + "\n")
        return self


@pytest.fixture
def proc(tmp_path: pathlib.Path) -> FakeProc:
    return FakeProc(tmp_path)


pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the tables here are of a little-endian kernel")


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (AGENT, True),
        (["python3", "/x/tentacle-agent.pyz", "agent", "--config", CONFIG], True),
        (["python3", "/x", "run", "--instance=tentacle"], True),
        (["python3", "/x", "run", "-instance", "TENTACLE"], True),
        (["python3", "/x", "run", "/instance:Tentacle"], True),
        (["python3", "/x", "run", "--instance=Other"], False),
        (["python3", "/x", "run", "--instance=Tentacle", "--config=/elsewhere"], False),
        (["python3", "/x", "run", f"--config={CONFIG}.bak"], False),
        (["python3", "/x", "configure", f"--config={CONFIG}"], False),
        (["vi", CONFIG], False),
        ([], False),
    ],
)
def test_knows_an_agent_by_its_command_line(words: list[str], runs: bool) -> None:
    assert _processes.runs_instance(words, CONFIG, "Tentacle") is runs


def test_finds_the_agent_with_its_ports(proc: FakeProc) -> None:
    proc.add(11, ["sh"]).add(12, AGENT, 500, 501)
    proc.listen("tcp", "0100007F", 10933, 500).listen("tcp6", "0" * 32, 10934, 501)
    found = _processes.agent_of(CONFIG, "Tentacle", str(proc.path))
    assert found is not None
    assert (found.pid, found.directory, found.ports) == (12, PROGRAMS, [10933, 10934])
    assert _processes.agent_of("/other", None, str(proc.path)) is None


def test_names_the_holder(proc: FakeProc) -> None:
    proc.add(12, ["nginx", "-g", "daemon off;"], 500).listen("tcp", "0100007F", 443, 500)
    proc.listen("tcp", "0100007F", 443, 999, state="01")
    holders = _processes.holders(443, proc=str(proc.path))
    assert [(holder.address, holder.pid, holder.command) for holder in holders] == [
        ("127.0.0.1", 12, "nginx -g daemon off;")
    ]
    assert _processes.holders(444, proc=str(proc.path)) == []


def test_a_command_is_one_line_of_bearable_length(proc: FakeProc) -> None:
    proc.add(12, ["python3", "-c", "import time\n  time.sleep(1)\n" + "#" * 300], 500)
    proc.listen("tcp", "0100007F", 443, 500)
    command = _processes.holders(443, proc=str(proc.path))[0].command or ""
    assert command.startswith("python3 -c import time time.sleep(1) ###")
    assert command.endswith("# ...")
    assert len(command) == 200


def test_a_process_that_may_not_be_seen_has_a_user_only(proc: FakeProc) -> None:
    proc.listen("tcp", "00000000", 443, 500)
    holder = _processes.holders(443, proc=str(proc.path))[0]
    assert (holder.pid, holder.command) == (None, None)
    assert holder.user


@pytest.mark.parametrize(
    ("table", "address", "wanted", "blocks"),
    [
        ("tcp", "0100007F", "127.0.0.1", True),
        ("tcp", "0100007F", "127.0.0.2", False),
        ("tcp", "0100007F", None, True),
        ("tcp", "00000000", "127.0.0.2", True),
        ("tcp6", "0" * 32, "127.0.0.2", True),
        ("tcp6", "0" * 24 + "01000000", "::1", True),
        ("tcp6", "0" * 24 + "01000000", "127.0.0.1", False),
        ("tcp", "0100007F", "::1", False),
    ],
)
def test_only_an_address_in_the_way_counts(
    proc: FakeProc, table: str, address: str, wanted: str | None, blocks: bool
) -> None:
    proc.listen(table, address, 10933, 500)
    assert bool(_processes.holders(10933, wanted, str(proc.path))) is blocks


def test_a_system_without_tables_holds_nothing(tmp_path: pathlib.Path) -> None:
    assert _processes.holders(1, proc=str(tmp_path / "none")) == []
    assert _processes.agent_of(CONFIG, "Tentacle", str(tmp_path / "none")) is None
