"""The mutex: readers together, writers alone, writers first, and nobody stranded whatever happens."""

from __future__ import annotations

import threading
import time

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tentacle_agent.isolation import Claim, IsolationMutex


def test_readers_share() -> None:
    mutex = IsolationMutex()
    assert mutex.claim("m", False, "A").granted
    assert mutex.claim("m", False, "B").granted


def test_a_writer_is_alone() -> None:
    mutex = IsolationMutex()
    first = mutex.claim("m", True, "A")
    second, reader = mutex.claim("m", True, "B"), mutex.claim("m", False, "C")
    assert (first.granted, second.granted, reader.granted) == (True, False, False)
    first.release()
    assert (second.granted, reader.granted) == (True, False)
    second.release()
    assert reader.granted


def test_a_waiting_writer_keeps_later_readers_out_until_it_gives_up() -> None:
    mutex = IsolationMutex()
    reader, writer = mutex.claim("m", False, "A"), mutex.claim("m", True, "B")
    late = mutex.claim("m", False, "C")
    assert (reader.granted, writer.granted, late.granted) == (True, False, False)
    writer.release()
    assert late.granted


def test_a_freed_lock_goes_to_the_oldest_writer_and_then_to_all_readers() -> None:
    mutex = IsolationMutex()
    holder = mutex.claim("m", True, "H")
    readers = [mutex.claim("m", False, name) for name in "AB"]
    writers = [mutex.claim("m", True, name) for name in "CD"]
    holder.release()
    assert [claim.granted for claim in [*writers, *readers]] == [True, False, False, False]
    writers[0].release()
    assert [claim.granted for claim in [*writers[1:], *readers]] == [True, False, False]
    writers[1].release()
    assert all(claim.granted for claim in readers)


def test_names_are_apart_and_case_sensitive() -> None:
    mutex = IsolationMutex()
    assert all(mutex.claim(name, True, "A").granted for name in ("m", "M", "other", ""))


def test_no_name_means_the_default_name() -> None:
    mutex = IsolationMutex()
    mutex.claim(None, True, "A")
    assert not mutex.claim("RunningScript", False, "B").granted


def test_one_task_does_not_pass_itself() -> None:
    mutex = IsolationMutex()
    mutex.claim("m", True, "A")
    assert not mutex.claim("m", True, "A").granted
    assert not mutex.claim("m", False, "A").granted


def test_releasing_twice_is_harmless() -> None:
    mutex = IsolationMutex()
    first = mutex.claim("m", True, "A")
    first.release()
    first.release()
    second = mutex.claim("m", True, "B")
    first.release()
    assert second.granted
    assert not mutex.claim("m", False, "C").granted


def test_unused_names_are_forgotten() -> None:
    mutex = IsolationMutex()
    for number in range(100):
        mutex.claim(f"name {number}", True, "A").release()
    assert not mutex._gates


def test_wait_ends_with_the_grant_the_time_or_a_wake() -> None:
    mutex = IsolationMutex()
    holder, waiter = mutex.claim("m", True, "A"), mutex.claim("m", True, "B")
    assert holder.wait(1e12)
    before = time.monotonic()
    assert not waiter.wait(0.05)
    assert not waiter.wait(-1)
    assert time.monotonic() - before < 1
    threading.Timer(0.05, holder.release).start()
    assert waiter.wait(5)
    third = mutex.claim("m", True, "C")
    threading.Timer(0.05, third.wake).start()
    assert not third.wait(5)
    assert not third.wait(5)


def test_blockers_are_tasks_in_ordinal_order_each_once() -> None:
    mutex = IsolationMutex()
    for task in ("b", "a", "C", "a"):
        mutex.claim("m", False, task)
    writer = mutex.claim("m", True, "W")
    assert writer.blockers() == (["C", "a", "b"], False)
    assert mutex.claim("m", False, "R").blockers() == (["W"], True)


def test_blockers_of_one_behind_a_writer() -> None:
    mutex = IsolationMutex()
    holder = mutex.claim("m", True, "W")
    waiting = [mutex.claim("m", False, "R"), mutex.claim("m", True, "V")]
    assert [claim.blockers() for claim in waiting] == [(["W"], True)] * 2
    holder.release()
    assert waiting[1].blockers() == ([], False)


def test_many_threads_never_overlap() -> None:
    mutex, inside, wrong = IsolationMutex(), [0, 0], []

    def work(exclusive: bool) -> None:
        for _unused in range(50):
            claim = mutex.claim("m", exclusive, "T")
            assert claim.wait(30)
            inside[exclusive] += 1
            if inside[True] > 1 or (inside[True] and inside[False]):
                wrong.append(tuple(inside))
            inside[exclusive] -= 1
            claim.release()

    threads = [threading.Thread(target=work, args=(number % 3 == 0,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert not mutex._gates


class MutexMachine(RuleBasedStateMachine):
    """Any order of claims and releases, compared with the rules in their plainest words."""

    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.mutex = IsolationMutex()
        self.alive: list[Claim] = []

    @rule(target=claims, exclusive=st.booleans(), task=st.sampled_from("ABC"))
    def claim(self, exclusive: bool, task: str) -> Claim:
        queued_writer = any(other.exclusive and not other.granted for other in self.alive)
        held = [other for other in self.alive if other.granted]
        claim = self.mutex.claim("m", exclusive, task)
        free = not held if exclusive else not queued_writer and not any(other.exclusive for other in held)
        assert claim.granted == (free and not queued_writer)
        self.alive.append(claim)
        return claim

    @rule(claim=consumes(claims))
    def release(self, claim: Claim) -> None:
        claim.release()
        assert not claim.granted
        self.alive.remove(claim)

    @invariant()
    def is_legal_and_live(self) -> None:
        held = [claim for claim in self.alive if claim.granted]
        waiting = [claim for claim in self.alive if not claim.granted]
        assert len(held) == 1 or not any(claim.exclusive for claim in held)
        if waiting:
            assert held
            assert any(claim.exclusive for claim in [*held, *waiting])
        writers = [claim for claim in self.alive if claim.exclusive]
        assert [claim.granted for claim in writers] == sorted((claim.granted for claim in writers), reverse=True)
        assert bool(self.mutex._gates) == bool(self.alive)


TestMutexMachine = MutexMachine.TestCase
TestMutexMachine.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
