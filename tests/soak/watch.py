# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of what a process holds, and whether that stays level."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from agent_process import AgentProcess

WINDOWS = 24
"""Into so many stretches the time after the warm-up is cut; the median of each counts, so that peaks of load do not."""
MEMORY_MIB = 2.0
"""Growth from beginning to end that is still called flat. The C library keeps freed memory for each of the threads that
come and go; medians of one and the same load move by about one MiB."""
SHORT_MEMORY_MIB = 5.0
"""The same for runs below ten minutes, which end before every thread's memory has been used once."""
SHORT_SECONDS = 600
HELD = 3.0
"""Growth of descriptors and threads: connections are opened and ended all the time, a sample meets more or fewer."""


class Sample(NamedTuple):
    """What an agent held at one time (seconds since the load began)."""

    seconds: float
    memory_mib: float
    descriptors: int
    threads: int


class Trend(NamedTuple):
    """How one quantity went: its median at first and at last, the growth that a line through all windows tells."""

    name: str
    first: float
    last: float
    growth: float
    allowed: float

    @property
    def flat(self) -> bool:
        """Whether it may be called flat."""
        return self.growth <= self.allowed

    def __str__(self) -> str:
        return (f"{self.name} {self.first:.1f} -> {self.last:.1f}, growth by the slope {self.growth:+.2f} "
                f"(allowed {self.allowed:g}){'' if self.flat else '  NOT FLAT'}")


def sample(agent: AgentProcess, seconds: float) -> Sample:
    """What the agent holds now."""
    return Sample(seconds, agent.resident_kib() / 1024, agent.descriptors(), agent.threads())


def trends(samples: list[Sample], warm_up: float) -> list[Trend]:
    """Memory, descriptors and threads behind the warm-up."""
    used = [one for one in samples if one.seconds >= warm_up]
    short = samples[-1].seconds < SHORT_SECONDS
    allowed = (SHORT_MEMORY_MIB if short else MEMORY_MIB, HELD, HELD)
    names = ("memory (MiB)", "descriptors", "threads")
    return [_trend(name, [float(one[place]) for one in used], most)
            for place, (name, most) in enumerate(zip(names, allowed), 1)]


def _trend(name: str, values: list[float], allowed: float) -> Trend:
    size = max(len(values) // WINDOWS, 1)
    medians = [statistics.median(values[at : at + size]) for at in range(0, len(values) - size + 1, size)]
    return Trend(name, medians[0], medians[-1], slope(medians) * (len(medians) - 1), allowed)


def slope(values: list[float]) -> float:
    """The slope for each step of the line that lies nearest (least squares)."""
    middle, mean = (len(values) - 1) / 2, statistics.fmean(values)
    spread = sum((place - middle) ** 2 for place in range(len(values)))
    return sum((place - middle) * (value - mean) for place, value in enumerate(values)) / spread if spread else 0.0
