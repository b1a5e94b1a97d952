# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What stands in the way of an agent, found before anything is changed.

This module util is **private** to the collection.
"""

from __future__ import annotations

from typing import NamedTuple

from .._instance.errors import InstanceError


class Problem(NamedTuple):
    """One thing to repair: its word on the list of causes, and the sentences for the user."""

    cause: str
    msg: str

    def facts(self) -> dict[str, str]:
        return self._asdict()


def from_error(error: InstanceError) -> Problem:
    """What would fail later, said now."""
    return Problem(error.cause, str(error))
