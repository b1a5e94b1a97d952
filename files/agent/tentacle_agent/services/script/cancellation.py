# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One request to stop, made by any thread, noticed by whatever the script is doing at that moment."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Cancellation:
    """A flag that is raised once and never lowered, and that wakes whoever watches it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self._requested = False

    @property
    def requested(self) -> bool:
        """True once ``request`` was called."""
        return self._requested

    def request(self) -> None:
        """Raise the flag and wake the watcher; later calls change nothing."""
        with self._lock:
            if not self._requested:
                self._requested = True
                if self._wake is not None:
                    self._wake()

    def watch(self, wake: Callable[[], None] | None) -> None:
        """Call ``wake`` when the flag is raised, at once if it already is. None ends the watch.

        ``wake`` must be quick and must not raise; after ``watch(None)`` has returned it is not called any more.
        """
        with self._lock:
            self._wake = wake
            if wake is not None and self._requested:
                wake()
