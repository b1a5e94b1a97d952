"""Steps, how they are run and shown, and the table at the end.

A verb is a list of steps.  A step's action gets a `Run`, calls commands through it, returns when all is well, and
otherwise raises Failed or Skipped.  A verb that is called alone shows its commands' output; `./dev test` writes it to
`.dev/log/` and shows one line a step, and the end of the log where a step failed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence

import machine


class Failed(Exception):
    """The step failed; the text says of what."""


class Skipped(Exception):
    """The step cannot run here; the text is the reason."""


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    action: Callable[[Run], None]


@dataclasses.dataclass
class Outcome:
    name: str
    word: str  # passed, failed, skipped
    seconds: float
    remark: str = ""


class Progress:
    """One line on a terminal that says what is going on and for how long; elsewhere a line now and then."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._said = ""
        self._began = time.monotonic()
        self._stopped = threading.Event()
        self._terminal = sys.stdout.isatty()
        # On a terminal there is one line, and the first lane has it.
        self._mute = self._terminal and threading.current_thread() is not threading.main_thread()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._stopped.set()
        self._thread.join()
        if self._terminal and not self._mute:
            print("\r\x1b[K", end="", flush=True)

    def say(self, text: str) -> None:
        """The newest line of output, shown behind the title."""
        if text:
            self._said = text

    def _show(self) -> None:
        pause = 0.5 if self._terminal else 30.0
        while not self._stopped.wait(pause):
            if self._mute:
                continue
            seconds = time.monotonic() - self._began
            line = f"{self._title} ... {seconds:.0f} s  {self._said}"
            if self._terminal:
                width = os.get_terminal_size(sys.stdout.fileno()).columns
                print("\r\x1b[K" + line[: width - 1], end="", flush=True)
            else:
                print(line[:160], flush=True)


class Run:
    """What a running step may use: a log, and commands whose output goes there."""

    def __init__(self, name: str, quiet: bool) -> None:
        folder = machine.PLACE / "log"
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / (re.sub(r"[^\w.-]+", "-", name) + ".log")
        self.remark = ""
        self.progress: Progress | None = None
        self._quiet = quiet
        self._log = self.path.open("w", encoding="utf-8", errors="replace")

    def close(self) -> None:
        self._log.close()

    def say(self, line: str) -> None:
        """Write one line to the log and, where output is shown, to the terminal."""
        self._log.write(line + "\n")
        self._log.flush()
        if not self._quiet:
            print(line, flush=True)
        elif self.progress:
            self.progress.say(re.sub(r"\x1b\[[0-9;]*m", "", line).strip())

    def call(
        self,
        command: Sequence[object],
        *,
        environment: Mapping[str, str] | None = None,
        folder: pathlib.Path = machine.ROOT,
        allowed: Sequence[int] = (0,),
    ) -> str:
        """Run a command to its end and return its output (both streams).  Raises Failed for any other exit status."""
        words = [str(word) for word in command]
        self.say("$ " + " ".join(words))
        lines: list[str] = []
        with _process(words, environment, folder) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                self.say(line.rstrip("\n"))
        if process.returncode not in allowed:
            raise Failed(f"{pathlib.Path(words[0]).name} ended with {process.returncode}")
        return "".join(lines)


# What the second lane needs to be ended when the first is interrupted.
_running: set[subprocess.Popen[str]] = set()
_stopping = threading.Event()


@contextlib.contextmanager
def _process(
    words: Sequence[str], environment: Mapping[str, str] | None, folder: pathlib.Path
) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own, ended with all its children if we are interrupted."""
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    _running.add(process)
    try:
        yield process
        process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise
    finally:
        _running.discard(process)


def run(steps: Sequence[Step], quiet: bool) -> list[Outcome]:
    """Run steps in order, say how each ended, and return the outcomes."""
    outcomes = []
    for step in steps:
        if _stopping.is_set():
            break
        outcome = _run_one(step, quiet)
        outcomes.append(outcome)
        remark = f"  ({outcome.remark})" if outcome.remark else ""
        print(f"{outcome.word:8}{outcome.seconds:7.1f} s  {outcome.name}{remark}", flush=True)
    return outcomes


def run_in_two_lanes(first: Sequence[Step], second: Sequence[Step]) -> list[Outcome]:
    """Both at the same time, each in its order; much of what we run waits, and machines have two cores."""
    beside: list[Outcome] = []
    finished = threading.Event()  # a Thread.join that a signal interrupts forgets the thread

    def second_lane() -> None:
        try:
            beside.extend(run(second, quiet=True))
        finally:
            finished.set()

    threading.Thread(target=second_lane).start()
    try:
        outcomes = run(first, quiet=True)
        while not finished.wait(1):
            pass
    except BaseException:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second one must not stop the tidying
        _stopping.set()
        for process in list(_running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        finished.wait(60)  # a step's last commands (removing hosts) still run
        raise
    return outcomes + beside


def _run_one(step: Step, quiet: bool) -> Outcome:
    began = time.monotonic()
    log = Run(step.name, quiet)
    try:
        if quiet:
            with Progress(step.name) as log.progress:
                step.action(log)
        else:
            print(f"== {step.name}", flush=True)
            step.action(log)
        return Outcome(step.name, "passed", time.monotonic() - began, log.remark)
    except (Skipped, machine.MissingPrerequisiteError) as reason:
        word = "failed" if machine.is_ci() else "skipped"
        remark = f"nothing may be skipped in CI: {reason}" if machine.is_ci() else str(reason)
        return Outcome(step.name, word, time.monotonic() - began, remark)
    except Failed as reason:
        if quiet:
            show_end_of(log.path)
        return Outcome(step.name, "failed", time.monotonic() - began, f"{reason}; {log.path.relative_to(machine.ROOT)}")
    except Exception as mistake:
        log.say(traceback.format_exc())
        if quiet:
            show_end_of(log.path)
        return Outcome(step.name, "failed", time.monotonic() - began, f"a mistake in ./dev itself: {mistake!r}")
    finally:
        log.close()


def show_end_of(path: pathlib.Path, lines: int = 60) -> None:
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    print(f"---- the end of {path.relative_to(machine.ROOT)}")
    for line in text[-lines:]:
        print("    " + line)


def table(outcomes: Sequence[Outcome], seconds: float | None = None) -> None:
    """The closing table and, last, the plain line `N passed, N failed[, N skipped]`."""
    whole = sum(outcome.seconds for outcome in outcomes) if seconds is None else seconds
    width = max([len(outcome.name) for outcome in outcomes] + [4])
    print(f"\n{'part':{width}}  {'result':8} {'seconds':>8}")
    for outcome in outcomes:
        print(f"{outcome.name:{width}}  {outcome.word:8} {outcome.seconds:8.1f}  {outcome.remark}".rstrip())
    print(f"{'all':{width}}  {'':8} {whole:8.1f}\n")
    counts = {word: sum(outcome.word == word for outcome in outcomes) for word in ("passed", "failed", "skipped")}
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}", flush=True)
