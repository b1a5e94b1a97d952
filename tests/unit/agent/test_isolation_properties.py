# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the mutex whatever is asked, given up and released in whatever order."""

from __future__ import annotations

import random
import threading

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tentacle_agent.isolation import Claim, IsolationMutex

NAMES = ("RunningScript", "runningscript", "other")


class Mutex(RuleBasedStateMachine):
    """The mutex beside a model: for each name who holds the lock, and who waits in the order of asking."""

    def __init__(self) -> None:
        super().__init__()
        self.mutex = IsolationMutex()
        self.holders: dict[str, list[Claim]] = {name: [] for name in NAMES}
        self.waiting: dict[str, list[Claim]] = {name: [] for name in NAMES}

    @rule(name=st.sampled_from(NAMES), exclusive=st.booleans(), task=st.sampled_from(["A", "B", ""]))
    def ask(self, name: str, exclusive: bool, task: str) -> None:
        self.waiting[name].append(self.mutex.claim(None if name == NAMES[0] else name, exclusive, task))
        self.advance(name)

    @precondition(lambda self: any(self.holders.values()) or any(self.waiting.values()))
    @rule(data=st.data(), twice=st.booleans())
    def let_go(self, data: st.DataObject, twice: bool) -> None:
        name = data.draw(st.sampled_from([name for name in NAMES if self.holders[name] or self.waiting[name]]))
        claim = data.draw(st.sampled_from(self.holders[name] + self.waiting[name]))
        for _unused in range(2 if twice else 1):
            claim.release()
        for queue in (self.holders[name], self.waiting[name]):
            if claim in queue:
                queue.remove(claim)
        self.advance(name)

    def advance(self, name: str) -> None:
        """The rule in one sentence: the longest waiting writer first, and readers only while no writer waits."""
        holders, waiting = self.holders[name], self.waiting[name]
        writers = [claim for claim in waiting if claim.exclusive]
        if writers:
            entering = [] if holders else writers[:1]
        else:
            entering = [] if any(holder.exclusive for holder in holders) else list(waiting)
        for claim in entering:
            waiting.remove(claim)
            holders.append(claim)

    @invariant()
    def who_holds_it_is_as_in_the_model(self) -> None:
        for name in NAMES:
            holders = self.holders[name]
            assert all(claim.granted and claim.wait(0) for claim in holders)
            assert not any(claim.granted or claim.wait(0) for claim in self.waiting[name])
            assert len(holders) == 1 or not any(claim.exclusive for claim in holders)
            assert holders or not self.waiting[name]

    @invariant()
    def whoever_waits_is_told_for_whom(self) -> None:
        for name in NAMES:
            for claim in self.waiting[name]:
                tasks, _alone = claim.blockers()
                assert tasks == sorted(set(tasks))
                assert tasks

    @invariant()
    def unused_names_are_forgotten(self) -> None:
        assert set(self.mutex._gates) == {name for name in NAMES if self.holders[name] or self.waiting[name]}


TestMutex = Mutex.TestCase
TestMutex.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_threads_never_meet_where_they_must_not_and_all_come_through() -> None:
    mutex, inside, problems = IsolationMutex(), [0, 0], []
    guard = threading.Lock()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _unused in range(60):
            exclusive = chance.random() < 0.3
            claim = mutex.claim("name", exclusive, str(seed))
            if not claim.wait(chance.choice([0.0005, 30])):
                claim.release()  # given up, which must wake whoever it kept out
                continue
            with guard:
                inside[exclusive] += 1
                if inside[1] > 1 or (inside[1] and inside[0]):
                    problems.append(tuple(inside))
            with guard:
                inside[exclusive] -= 1
            claim.release()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert problems == []
    assert mutex._gates == {}
