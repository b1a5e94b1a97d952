# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev soak` tells a leak from the ups and downs of load."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from soak import watch
from soak.__main__ import zone_with_midnight_in
from soak.watch import Sample


def samples(seconds: int, leak_mib: float = 0.0, descriptors: float = 0.0) -> list[Sample]:
    """A sample each second: noise, peaks, and what grows from beginning to end."""
    rng = random.Random(1)
    return [
        Sample(second, 40 + rng.random() + 5 * (rng.random() < 0.1) + leak_mib * second / seconds,
               int(20 + rng.randrange(4) + descriptors * second / seconds), 9 + rng.randrange(3))
        for second in range(seconds)
    ]


@pytest.mark.parametrize("seconds", [60, 1800])
def test_load_that_goes_up_and_down_is_flat(seconds: int) -> None:
    assert [trend.flat for trend in watch.trends(samples(seconds), seconds / 4)] == [True, True, True]


def test_memory_that_creeps_is_not() -> None:
    memory, descriptors, threads = watch.trends(samples(1800, leak_mib=4.0), 450)
    assert not memory.flat
    assert 2.5 < memory.growth < 3.5  # three quarters of it lie behind the warm-up
    assert descriptors.flat
    assert threads.flat


def test_descriptors_that_are_lost_are_noticed_in_a_short_run() -> None:
    assert not watch.trends(samples(60, descriptors=8), 15)[1].flat


def test_what_came_while_it_warmed_up_does_not_count() -> None:
    warming = [one._replace(memory_mib=one.memory_mib - 20) if one.seconds < 400 else one for one in samples(1800)]
    assert watch.trends(warming, 450)[0].flat


@pytest.mark.parametrize("seconds", [12, 7000, 80000])
def test_the_day_changes_where_it_is_wanted(seconds: int) -> None:
    program = "import time; print((time.time() - time.timezone) % 86400)"
    zone = zone_with_midnight_in(seconds)
    told = subprocess.run([sys.executable, "-c", program], env={"TZ": zone}, capture_output=True, check=True, text=True)
    assert abs(86400 - float(told.stdout) - seconds) < 5
