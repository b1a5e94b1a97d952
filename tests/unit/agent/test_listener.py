# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who greets, how many wait, and whose address is remembered; end-to-end tests see what newcomers get."""

from __future__ import annotations

import pathlib
import socket
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from agent_process import wait_until

from tentacle_agent import listener as module
from tentacle_agent.audit import Audit
from tentacle_agent.dispatch import Dispatcher
from tentacle_agent.listener import GREETERS, REMEMBERED_ADDRESSES, SPARE_WORKERS, UNSETTLED_CAPACITY, Listener
from tentacle_agent.session import Shared
from tentacle_agent.trust import Trust


@pytest.fixture
def listener(tmp_path: pathlib.Path) -> Iterator[Listener]:
    """A listener whose callers never get as far as TLS."""
    shared = Shared(Trust(), Dispatcher({}), Audit(str(tmp_path)))
    found = Listener(cast(Any, None), shared)
    found.open("127.0.0.1", 0)
    found.settle()
    yield found
    found.stop(0)
    shared.audit.close()


def call(listener: Listener) -> socket.socket:
    return socket.create_connection(listener.address or ("", 0))


def test_whoever_leaves_is_greeted_no_longer(listener: Listener) -> None:
    listener.start()
    for _unused in range(2 * GREETERS + 10):
        call(listener).close()
    wait_until(lambda: not listener._greeting)
    with call(listener):
        wait_until(lambda: len(listener._greeting) == 1)


def test_most_of_a_crowd_waits_until_the_agent_has_settled(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GREETING_SECONDS", 10.0)  # the machine may be busy
    listener._settled.clear()
    listener.start()
    callers = [call(listener) for _unused in range(UNSETTLED_CAPACITY + 10)]
    wait_until(lambda: len(listener._greeting) == UNSETTLED_CAPACITY)
    time.sleep(0.2)
    assert len(listener._greeting) == UNSETTLED_CAPACITY
    listener.settle()
    wait_until(lambda: len(listener._greeting) == len(callers))
    for caller in callers:
        caller.close()


def test_each_newcomer_has_a_worker_and_few_are_left_afterwards(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GREETING_SECONDS", 10.0)  # the machine may be busy
    listener.start()
    callers = [call(listener) for _unused in range(3 * SPARE_WORKERS)]
    wait_until(lambda: len(listener._greeting) == len(callers))
    assert listener._waiting
    for caller in callers:
        caller.close()
    wait_until(lambda: not listener._greeting and len(listener._waiting) == SPARE_WORKERS)


def test_addresses_are_remembered_those_of_late_last(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10_000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    listener._remember("10.0.0.1")
    assert listener._is_known("10.0.0.1")
    assert not listener._is_known("10.0.0.2")
    for number in range(REMEMBERED_ADDRESSES - 1):
        listener._remember(f"10.1.{number // 256}.{number % 256}")
    now += module.REMEMBERED_TOLERANCE
    listener._remember("10.0.0.1")  # it comes again, and is now the latest
    listener._remember("10.0.0.2")
    assert listener._is_known("10.0.0.1")
    assert not listener._is_known("10.1.0.0")
    now += module.REMEMBERED_SECONDS
    assert not listener._is_known("10.0.0.1")
