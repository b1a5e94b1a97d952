# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How long one thread may keep the interpreter while others wait for it (`sys.setswitchinterval`).

A short time lets a small call in while another thread computes: encodes a large log, say. But every thread that waits
also wakes up that often to ask for its turn. When dozens of connections make small calls at once, nobody computes for
long, everybody waits, and those wake-ups cost a fifth of all processor time (measured with 50 connections: 0.14 ms a
call with 1 ms or with 5 ms, 0.11 ms with 20 ms). So the time is long while calls come in that fast, and short
otherwise. It mends itself: where somebody does compute meanwhile, fewer calls are answered, and the time gets short.
"""

from __future__ import annotations

import sys

CALM = 0.001
HURRIED = 0.020
MANY = 3000
"""Calls a second from which on the time is long: far more than a server makes, fewer than fifty connections can."""
SAMPLE = 256
CONNECTION = 8
"""How many calls a new connection counts for: its handshake takes at least that long."""


class Pace:
    """Counts calls; any thread may say that one has ended. A count that two threads lose between them does no harm."""

    def __init__(self, now: float) -> None:
        self._calls = 0
        self._since = now
        sys.setswitchinterval(CALM)

    def connection_ended(self, now: float) -> None:
        """Note a connection of a trusted peer; `now` is monotonic."""
        self._calls += CONNECTION - 1
        self.call_ended(now)

    def call_ended(self, now: float) -> None:
        """Note a call; `now` is monotonic."""
        self._calls += 1
        if self._calls >= SAMPLE:
            sys.setswitchinterval(HURRIED if (now - self._since) * MANY < SAMPLE else CALM)
            self._calls, self._since = 0, now

    def look(self, now: float) -> None:
        """To be called every second: the calls may have stopped."""
        if (now - self._since) * MANY >= SAMPLE:
            sys.setswitchinterval(CALM)
            self._calls, self._since = 0, now
