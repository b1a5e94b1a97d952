# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL at random points, during scripts of both versions, waiting scripts and uploads; then a restart and questions.

Half of the kills come after a random time, the others in front of a random change of the file system or start of a
process (see `crashes`). One round in eight also kills the agent while it starts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent_process import ROOT, AgentProcess, Identity, make_identity

from .caller import (
    COMPLETE,
    FULL,
    GONE,
    PENDING,
    UNKNOWN_RESULT,
    UNKNOWN_SCRIPT,
    Broken,
    Caller,
    Refused,
    expect,
    texts,
)

CRASHES = pathlib.Path(__file__).parent / "crashes"
LOAD_SECONDS = 0.5
"""The longest time from the beginning of a round's load to the kill."""
MOST_CHANGES = 60
"""Changes of the file system up to which an exact moment is chosen; a round's load makes about a hundred."""
KINDS = ("", "", "os.rename", "os.rename", "os.link", "os.remove")
MOST_OF_A_KIND = 12
"""Kinds of changes of which only one is counted now and then: between a link and a rename lies next to no time."""
HOLD = "sleep 61.25"
"""What a script does that holds a mutex; the odd number tells our processes from others'."""
V1_TICKET = re.compile(r"\d{14}-1-\d+$")
"""A ticket that the agent makes; one that it made right before its end is removed by its cleaner, a day later."""


@dataclass
class Told:
    """What we asked for under one ticket, and what we were told."""

    ticket: str
    body: str
    code: int
    kind: str = "quick"
    files: dict[str, bytes] = field(default_factory=dict)
    started: bool = False  # StartScript was answered
    result: int | None = None
    lines: list[str] = field(default_factory=list)
    completing: bool = False  # CompleteScript was sent
    completed: bool = False  # and answered

    def learn(self, status: Any, whole: bool) -> None:
        """Take over an answer: all lines (`whole`), or those behind the ones that we have."""
        self.lines = texts(status) if whole else self.lines + texts(status)
        if status.state == COMPLETE:
            self.result = status.exit_code


@dataclass
class Sent:
    """Contents that were uploaded to one path, in order, and how many of them were acknowledged."""

    path: str
    digests: list[str] = field(default_factory=list)
    acknowledged: int = 0


class Round:
    """The load of one round, and afterwards the questions."""

    def __init__(self, agent: AgentProcess, identity: Identity, rng: random.Random, name: str) -> None:
        self._agent = agent
        self._identity = identity
        self._rng = rng
        self._name = name
        self.side = agent.directory / "ran.txt"
        self._pids = agent.directory / "holders.txt"
        self.told: list[Told] = []
        self._told_v1: list[tuple[str, list[str]]] = []
        self._sent: list[Sent] = []
        self._threads: list[threading.Thread] = []
        self._problems: list[str] = []

    # Load -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start calling, in threads that end when the agent does."""
        for work in (self._quick, self._quick, self._chatty, self._waiting, self._first_version, self._upload,
                     self._with_files):
            thread = threading.Thread(target=self._while_it_lives, args=(work, random.Random(self._rng.random())))
            thread.start()
            self._threads.append(thread)

    def end(self) -> None:
        """Wait for the threads, after the kill."""
        for thread in self._threads:
            thread.join(30)
            expect(not thread.is_alive(), "a caller still waits for an agent that was killed")
        expect(not self._problems, "; ".join(self._problems))

    def _while_it_lives(self, work: Callable[[Caller, random.Random], None], rng: random.Random) -> None:
        try:
            with Caller(self._agent, self._identity) as caller:
                while True:
                    work(caller, rng)
        except GONE:
            return
        except (Refused, Broken, AssertionError) as problem:
            self._problems.append(f"before the kill: {problem}")

    def _ask(self, kind: str, code: int, rest: str) -> Told:
        """A new ticket, whose script says in a file beside the agent that it runs, before it does anything else."""
        ticket = f"{self._name}-{kind}-{len(self.told)}-{threading.get_ident() % 1000}"
        told = Told(ticket, f"echo {ticket} >> {self.side}\n{rest}\nexit {code}", code, kind)
        self.told.append(told)
        return told

    def _quick(self, caller: Caller, rng: random.Random) -> None:
        told = self._ask("quick", rng.randrange(20), "echo one\necho two >&2")
        told.learn(caller.start(told.ticket, told.body, 10), True)
        told.started = True
        if rng.random() < 0.3:
            told.completing = True
            caller.complete(told.ticket)
            told.completed = True

    def _chatty(self, caller: Caller, rng: random.Random) -> None:
        told = self._ask("chatty", 3, "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; sleep 0.01; done")
        caller.start(told.ticket, told.body)
        told.started, after = True, 0
        while told.result is None:
            status = caller.status(told.ticket, after)
            told.learn(status, False)
            after = status.next_log_sequence

    def _waiting(self, caller: Caller, rng: random.Random) -> None:
        mutex = f"{self._name}-mutex"
        holder = self._ask("holder", 0, f"echo $$ >> {self._pids}\nexec {HOLD}")
        caller.start(holder.ticket, holder.body, isolation=FULL, mutex_name=mutex)
        holder.started = True
        while not self.ran(holder):
            holder.learn(caller.status(holder.ticket), True)
        for _unused in range(3):
            told = self._ask("waiting", 5, "echo waited")
            caller.start(told.ticket, told.body, isolation=FULL, mutex_name=mutex)
            told.started = True
        while True:
            status = caller.status(told.ticket)
            expect(status.state == PENDING, f"{told.ticket} does not wait for {holder.ticket}")
            told.lines = texts(status)
            time.sleep(0.02)

    def _with_files(self, caller: Caller, rng: random.Random) -> None:
        data = rng.randbytes(rng.randrange(200_000))
        told = self._ask("files", 9, f'[ "$(sha1sum < a/data)" = "{hashlib.sha1(data).hexdigest()}  -" ] || exit 1')
        told.files["a/data"] = data
        told.learn(caller.start(told.ticket, told.body, 10, told.files), True)
        told.started = True

    def _first_version(self, caller: Caller, rng: random.Random) -> None:
        ticket = caller.start_v1("for i in 1 2 3 4 5; do echo line $i; sleep 0.02; done")
        lines: list[str] = []
        self._told_v1.append((ticket, lines))
        after, state = 0, PENDING
        while state != COMPLETE:
            status = caller.status_v1(ticket, after)
            after, state = status.next_log_sequence, status.state
            lines += texts(status)

    def _upload(self, caller: Caller, rng: random.Random) -> None:
        sent = Sent(f"Files/{self._name}-{rng.randrange(2)}.bin")
        sent = next((known for known in self._sent if known.path == sent.path), sent)
        if sent not in self._sent:
            self._sent.append(sent)
        content = rng.randbytes(rng.choice((1, 1000, 70_000, 2_000_000)))
        sent.digests.append(hashlib.sha1(content).hexdigest())
        result = caller.upload(sent.path, content)
        expect(result.hash == sent.digests[-1], f"{sent.path} has another hash than what was sent")
        sent.acknowledged = len(sent.digests)

    # Questions --------------------------------------------------------------------------------------------------

    def ran(self, told: Told) -> int:
        """How often a ticket's script has run."""
        try:
            return self.side.read_text(encoding="ascii").splitlines().count(told.ticket)
        except FileNotFoundError:
            return 0

    def release(self) -> None:
        """End the scripts that hold a mutex; the agent's death has left them alone."""
        with contextlib.suppress(FileNotFoundError):
            for line in self._pids.read_text(encoding="ascii").split():
                end_process(int(line), HOLD)
            self._pids.unlink()

    def question(self) -> None:
        """Ask the restarted agent about everything, and compare with what we were told."""
        self._look_for_litter()
        for sent in self._sent:
            self._judge_upload(sent)
        with Caller(self._agent, self._identity) as caller:
            for told in self.told:
                self._judge(caller, told)
            for ticket, lines in self._told_v1:
                status = caller.status_v1(ticket)
                done = (status.state, status.exit_code) == (COMPLETE, 0)
                expect(done, f"version 1: {ticket} reads {status.exit_code}")
                expect(texts(status)[: len(lines)] == lines, f"version 1: {ticket} has lost lines")
        self._count()

    def _judge(self, caller: Caller, told: Told) -> None:
        before = self.ran(told)
        again = self._rng.random() < 0.5 and not told.completing and (told.kind != "holder" or before > 0)
        if again:
            waited = told.started and told.kind == "waiting"
            status = caller.start(told.ticket, f"echo OTHER >> {self.side}" if waited else told.body, 20, told.files)
        else:
            status = caller.status(told.ticket)
        where = f"{told.ticket} ({'start' if again else 'status'}, ran {before} times before)"
        expect(status.state == COMPLETE, f"{where} is not complete but {status.state}")
        code, lines = status.exit_code, texts(status)
        if told.completed:
            expect(code == UNKNOWN_SCRIPT, f"{where} was completed and reads {code}")
        elif told.result is not None and not told.completing:
            expect(code == told.result, f"{where} had the result {told.result} and reads {code}")
            expect(lines == told.lines, f"{where} was complete with {told.lines} and has {lines}")
        elif not told.completing:
            expect(code in self._possible(told, again, before), f"{where} reads {code}")
            kept = lines[: len(told.lines)] == told.lines
            expect(kept, f"{where} has lost lines: {told.lines} were seen, not {lines}")
        if again and told.kind == "waiting" and told.started:
            expect(self.ran(told) == 1 and code == told.code, f"{where} waited and did not run as stored")

    def _possible(self, told: Told, again: bool, before: int) -> set[int]:
        """Results that a ticket may have whose result we were not told."""
        possible = {UNKNOWN_RESULT, told.code}
        if not again and not told.started:
            possible.add(UNKNOWN_SCRIPT)
        if not again and told.kind == "waiting":
            possible.discard(told.code)
        return possible

    def _count(self) -> None:
        """No ticket's script ran twice, and none that was never sent."""
        ran = self.side.read_text(encoding="ascii").split() if self.side.exists() else []
        expect("OTHER" not in ran, "a waiting script was run with a body that came later")
        twice = {line for line in ran if ran.count(line) > 1}
        expect(not twice, f"ran more than once: {sorted(twice)}")

    def _judge_upload(self, sent: Sent) -> None:
        path = self._agent.home / sent.path
        allowed = sent.digests[max(sent.acknowledged - 1, 0) :]
        if not path.exists():
            expect(not sent.acknowledged, f"{sent.path} was acknowledged and is gone")
            return
        found = hashlib.sha1(path.read_bytes()).hexdigest()
        expect(found in allowed, f"{sent.path} holds neither what was acknowledged last nor something newer")

    def _look_for_litter(self) -> None:
        """It is cleared away a moment after the start, or before the first call for a script or a file."""
        home, limit = self._agent.home, time.monotonic() + 5
        while litter := [path.name for pattern in ("Work/.incoming-*", "Files/.*") for path in home.glob(pattern)]:
            if time.monotonic() > limit:
                break
            time.sleep(0.05)
        expect(not litter, f"left of files on their way: {litter}")

    def tidy(self) -> None:
        """Complete every ticket; nothing of them may be left, but what the agent had no time to tell us the name of."""
        with Caller(self._agent, self._identity) as caller:
            for told in self.told:
                caller.complete(told.ticket)
            for ticket, _unused in self._told_v1:
                caller.complete_v1(ticket)
        # Before the first script there is no such directory.
        left = [path.name for path in (self._agent.home / "Work").glob("*") if not V1_TICKET.match(path.name)]
        expect(not left, f"left in Work after everything was completed: {left}")


def end_process(number: int, command: str) -> None:
    """Kill a process, if that number still is what we think it is."""
    with contextlib.suppress(OSError):
        words = pathlib.Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        if b" ".join(words).strip().decode() == command:
            os.kill(number, signal.SIGKILL)


class Killing:
    """An agent that dies again and again."""

    def __init__(self, directory: pathlib.Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.identity = make_identity(directory / "server.pem")
        self.order = directory / "kill-at"
        path = os.pathsep.join(map(str, (CRASHES, ROOT / "files" / "agent", ROOT / "plugins")))
        self.agent = AgentProcess(directory, [self.identity.thumbprint],
                                  environment={"PYTHONPATH": path, "CHAOS_KILL_FILE": str(self.order)})
        self.exact = self.at_start = 0

    def one(self, number: int) -> None:
        """One round."""
        current = Round(self.agent, self.identity, self.rng, f"r{number}")
        exact = number % 2 == 1
        try:
            if exact:
                kind = self.rng.choice(KINDS)
                self._order(1 + self.rng.randrange(MOST_OF_A_KIND if kind else MOST_CHANGES), kind)
            current.begin()
            self._wait_and_kill(2.0 if exact else self.rng.random() * LOAD_SECONDS)
            current.end()
            self._start(number % 8 == 3)
            current.question()
        finally:
            current.release()
        current.tidy()

    def _order(self, changes: int, kind: str = "") -> None:
        aside = self.order.with_suffix(".new")
        aside.write_text(f"{changes} {kind}", encoding="ascii")
        aside.replace(self.order)

    def _wait_and_kill(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and self.agent.running():
            time.sleep(0.001)
        self.exact += not self.agent.running()
        self.agent.kill()
        self.order.unlink(missing_ok=True)

    def _start(self, badly: bool) -> None:
        if badly:
            self._order(1 + self.rng.randrange(6))
            with contextlib.suppress(RuntimeError):
                self.agent.start()
            self.at_start += not self.agent.running()
            self.agent.kill()
            self.order.unlink(missing_ok=True)
        self.agent.start()


def run(rounds: int, seed: int, directory: pathlib.Path, say: Callable[[str], None]) -> str:
    """`rounds` kills. Raises Broken."""
    killing = Killing(directory, seed)
    killing.agent.start()
    try:
        for number in range(rounds):
            killing.one(number)
            if number % 25 == 24:
                say(f"{number + 1} of {rounds} rounds")
    except (Broken, RuntimeError) as problem:
        raise Broken(f"round {number} of seed {seed}: {problem}") from problem
    finally:
        killing.agent.stop()
    side = killing.agent.directory / "ran.txt"
    tickets = len(side.read_text(encoding="ascii").split()) if side.exists() else 0
    return (f"{rounds} kills, {killing.exact} at an exact point, {killing.at_start} in the start; "
            f"{tickets} scripts ran, each once")
