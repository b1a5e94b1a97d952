"""Freezing and killing a tree that does not want to be caught."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time

import pytest

from tentacle_agent.services.script import process_tree


def gone(pid: int) -> bool:
    """A killed process needs a moment on a busy machine."""
    limit = time.monotonic() + 5
    while process_tree._status(pid)[0] not in "ZX" and time.monotonic() < limit:
        time.sleep(0.01)
    return process_tree._status(pid)[0] in "ZX"


def test_children_are_found_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = subprocess.Popen(["/bin/bash", "-c", "sleep 60 & sleep 60 & echo; wait"], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        parent.stdout.readline()
        found = process_tree.children(parent.pid)
        assert len(found) == 2
        assert {process_tree._status(pid)[1] for pid in found} == {parent.pid}
        real_open = open

        def without_children(path: object, *arguments: object) -> object:
            if str(path).endswith("/children"):
                raise FileNotFoundError(path)
            return real_open(path, *arguments)  # type: ignore[call-overload]

        monkeypatch.setattr("builtins.open", without_children)
        assert sorted(process_tree.children(parent.pid)) == sorted(found)
    finally:
        monkeypatch.undo()
        process_tree.kill_tree(parent.pid)
        parent.wait()
        parent.stdout.close()
    assert all(gone(pid) for pid in found)
    assert process_tree.children(parent.pid) == []


def test_a_tree_that_grows_while_it_is_killed(tmp_path: pathlib.Path) -> None:
    marker = f"7{os.getpid()}.25"
    body = f"while :; do setsid sleep {marker} & (sleep {marker} & wait) & sleep 0.002; done"
    (tmp_path / "grow.sh").write_text(body)
    parent = subprocess.Popen(["/bin/bash", str(tmp_path / "grow.sh")])
    time.sleep(0.5)
    assert process_tree.kill_tree(parent.pid) > 3
    assert parent.wait() == -signal.SIGKILL
    time.sleep(0.1)
    command = ["pgrep", "-f", f"^sleep {marker}"]
    left = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    try:
        assert left == []
    finally:
        for pid in map(int, left):
            os.kill(pid, signal.SIGKILL)


def test_a_process_that_has_ended_but_was_not_reaped() -> None:
    child = subprocess.Popen(["/bin/true"])
    assert gone(child.pid)
    assert process_tree.kill_tree(child.pid) <= 1
    assert child.wait() == 0
