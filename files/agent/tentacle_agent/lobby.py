# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Where connections wait that nobody should spend a thread on.

Two kinds of guests come here: those who have not yet said who they are, and those who are on their way out, whose last
bytes must be read, or our end of the connection would turn into a reset on their side. One thread watches them all, so
a thousand clients that say nothing, or a byte a second, cost a thousand sockets and nothing else. Each guest has a
deadline; when the lobby is full, whoever has been here longest goes, those from addresses that have authenticated
lately last.

The thread is started by the first guest.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable
from typing import Protocol

LOG = logging.getLogger("tentacle_agent.lobby")
SWEEP_SECONDS = 0.5


class Guest(Protocol):
    """Somebody who waits."""

    deadline: float  # monotonic
    address: str

    def fileno(self) -> int:
        """The socket's descriptor."""

    def on_readable(self) -> bool:
        """Bytes have arrived, or the end: true to go on waiting, false when the guest has left. Must not raise."""

    def on_dismissed(self, reason: str) -> None:
        """The deadline has passed or the place is needed: close. Must not raise."""


class Lobby:
    """Holds at most `capacity` guests. `favoured(address)` tells whose place is taken last."""

    def __init__(self, capacity: int, favoured: Callable[[str], bool]) -> None:
        self._capacity = capacity
        self._favoured = favoured
        self._lock = threading.Lock()
        self._arrivals: list[Guest] = []
        self._guests: dict[Guest, None] = {}  # in order of arrival
        self._thread: threading.Thread | None = None
        self._closing = False
        self._alarm = (-1, -1)

    def enter(self, guest: Guest) -> None:
        """Take a guest in; from now on only the lobby's thread touches it."""
        with self._lock:
            if self._closing:
                guest.on_dismissed("the agent stops")
                return
            self._arrivals.append(guest)
            if self._thread is None:
                self._alarm = os.pipe()
                os.set_blocking(self._alarm[0], False)
                os.set_blocking(self._alarm[1], False)
                self._thread = threading.Thread(target=self._watch, name="lobby", daemon=True)
                self._thread.start()
        self._wake()

    def count(self) -> int:
        """How many are here."""
        return len(self._guests) + len(self._arrivals)

    def close(self) -> None:
        """Dismiss everybody and end the thread."""
        with self._lock:
            self._closing = True
            thread = self._thread
        if thread is not None:
            self._wake()
            thread.join(2.0)

    def make_room(self) -> None:
        """Dismiss some guests, because descriptors have run out; called from another thread."""
        with self._lock:
            self._capacity = max(16, self.count() // 2)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # the pipe is full: it wakes anyhow
            os.write(self._alarm[1], b"!")

    def _watch(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._alarm[0], selectors.EVENT_READ)
        swept = time.monotonic()
        while not self._closing:
            try:
                ready = selector.select(SWEEP_SECONDS if self._guests else None)
                for key, _unused in ready:
                    guest = key.data
                    if guest is None:
                        self._welcome(selector)
                    elif guest in self._guests and not guest.on_readable():
                        self._forget(selector, guest)
                now = time.monotonic()
                if now - swept >= SWEEP_SECONDS:
                    swept = now
                    for guest in [guest for guest in self._guests if guest.deadline <= now]:
                        self._dismiss(selector, guest, "it took too long")
            except Exception:
                LOG.exception("The lobby met an unexpected error and goes on")
                time.sleep(0.1)
        with self._lock:
            arrivals, self._arrivals = self._arrivals, []
        for guest in [*self._guests, *arrivals]:
            self._dismiss(selector, guest, "the agent stops")
        selector.close()

    def _welcome(self, selector: selectors.BaseSelector) -> None:
        with contextlib.suppress(OSError):
            os.read(self._alarm[0], 4096)
        with self._lock:
            arrivals, self._arrivals = self._arrivals, []
        for guest in arrivals:
            while len(self._guests) >= self._capacity:
                self._dismiss(selector, self._whose_turn(), "its place was needed for others")
            selector.register(guest, selectors.EVENT_READ, guest)
            self._guests[guest] = None
        while len(self._guests) > self._capacity:
            self._dismiss(selector, self._whose_turn(), "its place was needed for others")

    def _whose_turn(self) -> Guest:
        for guest in self._guests:
            if not self._favoured(guest.address):
                return guest
        return next(iter(self._guests))

    def _dismiss(self, selector: selectors.BaseSelector, guest: Guest, reason: str) -> None:
        self._forget(selector, guest)
        guest.on_dismissed(reason)

    def _forget(self, selector: selectors.BaseSelector, guest: Guest) -> None:
        self._guests.pop(guest, None)
        with contextlib.suppress(KeyError, ValueError, OSError):  # it may have closed its socket by now
            selector.unregister(guest)
