"""One request, noticed once, whenever the watcher comes."""

from __future__ import annotations

import threading

from tentacle_agent.services.script.cancellation import Cancellation


def test_wakes_the_watcher_once() -> None:
    cancellation, woken = Cancellation(), []
    cancellation.watch(lambda: woken.append(1))
    assert not cancellation.requested
    cancellation.request()
    cancellation.request()
    assert (cancellation.requested, woken) == (True, [1])


def test_a_late_watcher_is_woken_at_once() -> None:
    cancellation, woken = Cancellation(), []
    cancellation.request()
    cancellation.watch(lambda: woken.append(1))
    assert woken == [1]


def test_who_does_not_watch_any_more_is_left_alone() -> None:
    cancellation, woken = Cancellation(), []
    cancellation.watch(lambda: woken.append(1))
    cancellation.watch(None)
    cancellation.request()
    assert woken == []


def test_nothing_is_missed_between_threads() -> None:
    for _unused in range(200):
        cancellation, woken = Cancellation(), threading.Event()
        thread = threading.Thread(target=cancellation.request)
        thread.start()
        cancellation.watch(woken.set)
        assert woken.wait(10)
        thread.join()
