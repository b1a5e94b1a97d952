# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The mutex that keeps scripts out of each other's way (docs/protocol/tentacle-services.md §2.11).

There is one reader/writer lock for each name. A script with full isolation is a writer: it runs alone among those of
its name. The others are readers: they run together, but not beside a writer. Locks of different names, which differ
in case too, know nothing of each other.

Writers have preference, as in the original: while one waits, later readers wait behind it, and a released lock goes to
the writer that has waited longest, else to all waiting readers. A waiting writer that gives up lets those readers in.

Asking never blocks: a script makes a claim and waits on that, in its own thread, so that no number of waiting scripts
keeps anything else from being served. The lock belongs to claims, not to tasks; one task can hold and await it several
times, and a claim without any task is as good as another.
"""

from __future__ import annotations

import threading
from collections import deque

DEFAULT_NAME = "RunningScript"


class Claim:
    """A script's place in the queue of one lock, and then its hold on it. Made by `IsolationMutex.claim`."""

    def __init__(self, gate: _Gate, exclusive: bool, task: str) -> None:
        self.exclusive = exclusive
        self.task = task
        self._gate = gate
        self._changed = threading.Event()
        self._granted = False

    @property
    def granted(self) -> bool:
        """True while this claim holds the lock."""
        return self._granted

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the lock is held or somebody calls `wake`, at most so long; True if it is held."""
        if seconds is not None:
            seconds = min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        self._changed.wait(seconds)
        return self._granted

    def wake(self) -> None:
        """End every present and later `wait` of this claim at once."""
        self._changed.set()

    def release(self) -> None:
        """Let go of the lock, or leave the queue; a second call changes nothing."""
        self._gate.release(self)

    def blockers(self) -> tuple[list[str], bool]:
        """Whom this claim waits for: their tasks in ordinal order, each once, and whether they run alone or want to.

        Those are the holders of the lock; for a reader that only a waiting writer keeps out, the waiting writers.
        """
        return self._gate.blockers(self)

    def grant(self) -> None:
        """Called by the lock, which holds its own lock while it calls."""
        self._granted = True
        self._changed.set()

    def revoke(self) -> None:
        """Called by the lock when the claim has been given back."""
        self._granted = False


class _Gate:
    """The lock of one name. Every method takes the mutex' one internal lock, for moments only."""

    def __init__(self, mutex: IsolationMutex, name: str) -> None:
        self._mutex = mutex
        self._name = name
        self._holders: list[Claim] = []
        self._writers: deque[Claim] = deque()
        self._readers: deque[Claim] = deque()

    def enter(self, claim: Claim) -> None:
        """Grant or queue a new claim; the caller holds the internal lock."""
        (self._writers if claim.exclusive else self._readers).append(claim)
        self._advance()

    def release(self, claim: Claim) -> None:
        with self._mutex.lock:
            for queue in (self._holders, self._writers, self._readers):
                if claim in queue:
                    queue.remove(claim)
                    claim.revoke()
                    self._advance()
                    break
            if not (self._holders or self._writers or self._readers):
                self._mutex.forget(self._name, self)

    def _advance(self) -> None:
        if self._writers:
            if not self._holders:
                self._hold(self._writers.popleft())
            return
        if not any(holder.exclusive for holder in self._holders):
            while self._readers:
                self._hold(self._readers.popleft())

    def _hold(self, claim: Claim) -> None:
        self._holders.append(claim)
        claim.grant()

    def blockers(self, claim: Claim) -> tuple[list[str], bool]:
        with self._mutex.lock:
            ahead = [holder for holder in self._holders if holder is not claim]
            alone = any(holder.exclusive for holder in ahead)
            if not claim.exclusive and not alone and self._writers:
                ahead, alone = list(self._writers), True
            return sorted({other.task for other in ahead}), alone


class IsolationMutex:
    """All locks of one agent, by name. A name exists as long as somebody holds or awaits its lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._gates: dict[str, _Gate] = {}

    def claim(self, name: str | None, exclusive: bool, task: str) -> Claim:
        """Ask for the lock ``name`` (None: the default name) on behalf of a task; returns at once.

        After calling this: look at ``granted``, ``wait`` if it is not, and ``release`` in any case.
        """
        name = DEFAULT_NAME if name is None else name
        with self.lock:
            gate = self._gates.get(name)
            if gate is None:
                gate = self._gates[name] = _Gate(self, name)
            claim = Claim(gate, exclusive, task)
            gate.enter(claim)
            return claim

    def forget(self, name: str, gate: _Gate) -> None:
        """Drop a lock that nobody uses; the caller holds the internal lock."""
        if self._gates.get(name) is gate:
            del self._gates[name]
