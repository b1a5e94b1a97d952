# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home on a disk that is full: sentences, nothing half-written, and an agent that goes on when there is room again.

The disk is a small file system in memory that only the agent sees; its log lies elsewhere. An agent wants to see 551 MB
free before it starts a script; that much is not filled here, so the agents of these tests ask for less.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
from agent_process import AgentProcess
from script_client import Scripts, lines
from wire_client import WireClient

MOUNT = 'mount -t tmpfs -o size=24m,mode=755 disk "$1" && ln -s ../logs "$1/Logs" && shift && exec "$@"'
LESS_RESERVE = ("import sys; from tentacle_agent import workspace; "
                "workspace.WorkspaceStore.__init__.__defaults__ = (1 << 20,); "
                "from tentacle_agent.__main__ import main; sys.exit(main())")


def can_mount() -> bool:
    """Whether a process here may have a mount of its own."""
    return bool(shutil.which("unshare")) and subprocess.run(
        ["unshare", "-Urm", "true"], check=False, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not can_mount() and not os.environ.get("CI"), reason="needs namespaces (unshare -Urm)")


class Disk:
    """The agent's disk, seen through its process."""

    def __init__(self, agent: AgentProcess) -> None:
        self.path = pathlib.Path(f"/proc/{agent.pid}/root{agent.home}")
        self._filling = self.path / "filling"

    def fill(self, leave: int = 0) -> None:
        """Take all room but so many bytes."""
        room = os.statvfs(self.path)
        with open(self._filling, "ab") as file:
            file.write(b"\0" * max(room.f_bavail * room.f_frsize - leave, 0))

    def clear(self) -> None:
        self._filling.unlink()


@pytest.fixture
def full(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient], tmp_path: pathlib.Path
) -> tuple[AgentProcess, Disk, Scripts]:
    home = tmp_path / "agent0" / "agent" / "home"
    home.mkdir(parents=True)
    (home.parent / "logs").mkdir()
    (home / "Logs").symlink_to("../logs")  # the log lies elsewhere, so that it can be read from here
    agent = start_agent(
        python="unshare", program=("-Urm", "sh", "-c", MOUNT, "sh", str(home), sys.executable, "-c", LESS_RESERVE))
    return agent, Disk(agent), Scripts(connect(agent))


def test_uploads_are_refused_with_a_sentence_and_leave_nothing(full: tuple[AgentProcess, Disk, Scripts]) -> None:
    _agent, disk, scripts = full
    assert scripts.client.upload("Files/old", b"old").error is None
    disk.fill(leave=1 << 20)
    for path in ("Files/old", "Files/new"):
        response = scripts.client.upload(path, b"x" * 200_000)
        assert response.error is not None
        assert "There is not enough space for" in (response.error.message or "")
    assert (disk.path / "Files" / "old").read_bytes() == b"old"
    assert [path.name for path in (disk.path / "Files").iterdir()] == ["old"]
    disk.clear()
    assert scripts.client.upload("Files/new", b"x" * 200_000).error is None


def test_starts_are_refused_with_a_sentence_and_can_be_repeated(full: tuple[AgentProcess, Disk, Scripts]) -> None:
    _agent, disk, scripts = full
    assert scripts.start("before", "true").exit_code == 0
    disk.fill()
    with pytest.raises(AssertionError, match="There is too little room for a script"):
        scripts.start("t", "echo never")
    assert scripts.status("t").exit_code == -45
    assert scripts.status("before").exit_code == 0
    disk.clear()
    assert lines(scripts.start("t", "echo now")) == ["now"]


def test_a_script_that_fills_the_disk_with_its_log_ends_and_is_told_honestly(
    full: tuple[AgentProcess, Disk, Scripts]
) -> None:
    agent, _disk, scripts = full
    done = scripts.start("t", "yes 'a line of some length' | head -n 2000000; exit 3")
    assert (done.state, done.exit_code) == (2, -41)
    kept = lines(done)
    assert kept
    # Whether there was room for a line about the state, too, depends on where the log ended.
    others = set(kept) - {"a line of some length"}
    assert all(line.startswith("Warning: An exception occurred saving the ScriptState: ") for line in others), others
    assert scripts.status("t").logs == done.logs
    agent.wait_for_log("The log of script .* cannot be written")
    scripts.complete("t")
    assert lines(scripts.start("next", "echo fine")) == ["fine"]


def test_no_script_runs_twice_when_its_start_could_not_be_recorded(full: tuple[AgentProcess, Disk, Scripts]) -> None:
    _agent, disk, scripts = full
    scripts.start("a", "sleep 60", wait=None, isolation=1)
    scripts.until("a", lambda status: bool(status.state == 1))
    scripts.start("b", f"echo ran >>{disk.path.parent}/count; exit 5", wait=None)
    disk.fill()
    scripts.cancel("a")
    first = scripts.until("b")
    disk.clear()
    again = scripts.start("b", f"echo ran >>{disk.path.parent}/count")
    assert (again.state, again.exit_code) == (first.state, first.exit_code)
    assert scripts.until("a").exit_code == -1
    assert lines(scripts.start("next", "echo fine")) == ["fine"]
