# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The clock of this host beside the controller's.

This module util is **private** to the collection.
"""

from __future__ import annotations

import datetime

from .problem import Problem


def check(now: float, controller_time: float, tolerance: int) -> list[Problem]:
    """Whether the two differ by more than ``tolerance`` seconds; 0 takes any difference.

    Both times are seconds since 1970. What it took to get here makes this clock look some seconds fast.
    """
    offset = now - controller_time
    if not tolerance or abs(offset) <= tolerance:
        return []
    return [
        Problem(
            "clock_wrong",
            f"The clock of this host shows {_written(now)}, and the controller's showed {_written(controller_time)}: "
            f"{_length(abs(offset))} {'fast' if offset > 0 else 'slow'}. One of the two is not synchronised, probably; "
            "dates in certificates, logs and on what is deployed would be wrong. Set it (timedatectl shows whether it "
            "is synchronised), or allow the difference in 'clock_tolerance'.",
        )
    ]


def _written(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _length(seconds: float) -> str:
    for name, unit in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"
