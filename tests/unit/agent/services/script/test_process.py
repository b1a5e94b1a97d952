"""Real bash processes: their output, their ends, and ending them."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from tentacle_agent.services.script import process
from tentacle_agent.services.script.cancellation import Cancellation
from tentacle_agent.services.script.child import Child, LaunchError
from tentacle_agent.services.script.process import ScriptProcess


class Run:
    """One script in a thread; as `telling` says, with a second bash around it."""

    def __init__(self, directory: pathlib.Path, body: str, *words: str, telling: bool = False) -> None:
        self.telling = telling
        (directory / "script.sh").write_text(body)
        self.lines: list[tuple[int, str]] = []
        self.times: list[float] = []
        self.cancellation = Cancellation()
        self.code: int | None = None
        self.directory = directory
        self.words = ["script.sh", *words]
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        child = Child.start(self.words, str(self.directory), dict(os.environ), telling=self.telling)
        self.code = ScriptProcess(child, self._receive, self.cancellation).run()

    def _receive(self, source: int, lines: list[str]) -> None:
        self.times += [time.monotonic()] * len(lines)
        self.lines += [(source, line) for line in lines]

    def end(self, seconds: float = 15) -> int | None:
        self.thread.join(seconds)
        assert not self.thread.is_alive()
        return self.code

    def until(self, text: str) -> None:
        limit = time.monotonic() + 15
        while not any(text in line for _unused, line in self.lines):
            assert time.monotonic() < limit
            time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def dies(pid: int) -> bool:
    """A killed process needs a moment on a busy machine."""
    limit = time.monotonic() + 5
    while alive(pid) and time.monotonic() < limit:
        time.sleep(0.01)
    return not alive(pid)


def wait_for_file(path: pathlib.Path) -> int:
    limit = time.monotonic() + 15
    while not path.exists() or not path.read_text().strip():
        assert time.monotonic() < limit
        time.sleep(0.01)
    return int(path.read_text())


@pytest.mark.parametrize(
    ("body", "code"),
    [("exit 0", 0), ("exit 3", 3), ("exit 256", 0), ("exit -1", 255), ("kill -9 $$", 137), ("kill -TERM $$", 143),
     ("nosuchcommand", 127), ("if", 2), ("", 0)],
)
def test_exit_codes(tmp_path: pathlib.Path, body: str, code: int) -> None:
    assert Run(tmp_path, body).end() == code


def test_both_streams_and_the_arguments(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, 'echo "$#:$1:$2"; echo err >&2; printf tail; pwd', "a", "b c")
    assert run.end() == 0
    assert [line for source, line in run.lines if source == 0] == ["2:a:b c", f"tail{tmp_path}"]
    assert (1, "err") in run.lines


def test_lines_arrive_while_the_script_runs(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "echo one; sleep 0.4; echo two")
    assert run.end() == 0
    assert [line for _unused, line in run.lines] == ["one", "two"]
    assert run.times[1] - run.times[0] > 0.3


def test_sigpipe_has_its_ordinary_meaning(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "yes | head -1; echo ${PIPESTATUS[0]}")
    assert run.end() == 0
    assert [line for _unused, line in run.lines] == ["y", "141"]


def test_no_descriptor_of_the_agent_is_passed_on(tmp_path: pathlib.Path) -> None:
    with open(tmp_path / "secret", "w") as file:
        os.set_inheritable(file.fileno(), True)
        run = Run(tmp_path, "ls -l /proc/$$/fd | grep -c secret")
        run.end()
    assert run.lines == [(0, "0")]


def test_standard_input_is_the_agents(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "readlink /proc/$$/fd/0")
    run.end()
    assert run.lines == [(0, os.readlink("/proc/self/fd/0"))]


def test_a_child_that_keeps_the_pipes_keeps_the_script_running(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "(sleep 0.7; echo late) & exit 4")
    started = time.monotonic()
    assert run.end() == 4
    assert time.monotonic() - started > 0.5
    assert run.lines == [(0, "late")]


@pytest.mark.parametrize("with_pidfd", [True, False])
def test_a_script_that_closes_its_output_ends_with_its_process(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, with_pidfd: bool
) -> None:
    if not with_pidfd:
        monkeypatch.delattr(process.os, "pidfd_open", raising=False)
    run = Run(tmp_path, "echo bye; exec >&- 2>&-; sleep 0.4; exit 5")
    started = time.monotonic()
    assert run.end() == 5
    assert time.monotonic() - started > 0.3
    assert run.lines == [(0, "bye")]


def test_cancel_kills_the_tree_with_its_sessions_and_keeps_the_output(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "trap '' TERM INT; setsid bash -c 'trap \"\" TERM; echo $$ >session; sleep 60' & "
                        "(bash -c 'echo $$ >deep; sleep 60; true'; true) & echo ready; sleep 60")
    run.until("ready")
    pids = [wait_for_file(tmp_path / name) for name in ("session", "deep")]
    run.cancellation.request()
    run.cancellation.request()
    assert run.end(5) == -1
    assert run.lines == [(0, "ready")]
    assert all(dies(pid) for pid in pids)


def test_cancel_while_output_is_closed(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "echo $$ >pid; exec >&- 2>&-; sleep 60")
    pid = wait_for_file(tmp_path / "pid")
    time.sleep(0.1)
    run.cancellation.request()
    assert run.end(5) == -1
    assert not alive(pid)


def test_what_left_the_tree_survives_a_cancel(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "(setsid sleep 60 </dev/null >/dev/null 2>&1 & echo $! >daemon); echo ready; sleep 60")
    run.until("ready")
    daemon = wait_for_file(tmp_path / "daemon")
    run.cancellation.request()
    assert run.end(5) == -1
    try:
        assert alive(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_cancel_after_bash_has_ended_leaves_the_child_alone(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "sleep 60 & echo $! >child; echo ready")
    run.until("ready")
    child = wait_for_file(tmp_path / "child")
    time.sleep(0.2)
    run.cancellation.request()
    assert run.end(5) == -1
    try:
        assert alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_survivor_that_writes_for_ever_does_not_keep_us(tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path, "yes & echo $! >child; sleep 0.1")
    child = wait_for_file(tmp_path / "child")
    time.sleep(0.5)
    run.cancellation.request()
    try:
        assert run.end(5) == -1
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)


def test_cancelled_before_it_was_started(tmp_path: pathlib.Path) -> None:
    cancellation = Cancellation()
    cancellation.request()
    (tmp_path / "s.sh").write_text("sleep 60")
    child = Child.start(["s.sh"], str(tmp_path), {}, telling=False)
    assert ScriptProcess(child, lambda source, lines: None, cancellation).run() == -1


@pytest.mark.parametrize(
    ("directory", "words"), [("/no/such/directory", ["x"]), ("/", ["nul\0"])]
)
@pytest.mark.parametrize("telling", [False, True])
def test_what_cannot_be_launched(directory: str, words: list[str], telling: bool) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(LaunchError):
        Child.start(words, directory, {}, telling)
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_descriptor_and_no_zombie_is_left(tmp_path: pathlib.Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for body in ("true", "exec >&- 2>&-", "sleep 0.1 & exit 1"):
        Run(tmp_path, body).end()
    assert len(os.listdir("/proc/self/fd")) == before
    command = ["ps", "--ppid", str(os.getpid()), "-o", "stat="]
    assert "Z" not in subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_a_flood_passes_through_in_little_memory(tmp_path: pathlib.Path) -> None:
    (tmp_path / "s.sh").write_text("head -c 20000000 /dev/zero | tr '\\0' 'a' | fold -w 99; echo; echo end")
    total, last, largest = 0, "", 0

    def receive(source: int, lines: list[str]) -> None:
        nonlocal total, last, largest
        total += sum(map(len, lines))
        last = lines[-1]
        largest = max(largest, len(lines))

    child = Child.start(["s.sh"], str(tmp_path), dict(os.environ), telling=False)
    running = ScriptProcess(child, receive, Cancellation())
    assert running.run() == 0
    assert (total, last) == (20_000_003, "end")
    assert largest <= process.READ_SIZE


@pytest.mark.parametrize(
    ("body", "code"), [("exit 0", 0), ("exit 77", 77), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_a_second_bash_around_it_tells_the_exit_code_and_changes_nothing_else(
    tmp_path: pathlib.Path, body: str, code: int
) -> None:
    show = 'env | grep -v ^_= | sort; for a; do echo "[$a]"; done; ls /proc/self/fd | wc -l; echo err >&2; echo $-\n'
    seen = []
    for telling in (False, True):
        run = Run(tmp_path, show + body, "a b", "", "c", telling=telling)
        assert run.end() == code
        seen.append(sorted(run.lines))
    assert seen[0] == seen[1]


def test_what_bash_env_names_is_read_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env.sh").write_text("echo read\n")
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "env.sh"))
    run = Run(tmp_path, "echo ran", telling=True)
    run.end()
    assert run.lines == [(0, "read"), (0, "ran")]
