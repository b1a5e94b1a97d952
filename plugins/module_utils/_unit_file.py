# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The file of a unit, where the machine's service manager (``system``) or an account's own (``user``) reads it.

This module util is **private** to the collection. Nothing is loaded or started here.
"""

from __future__ import annotations

import os

from . import _directories
from ._directories import Entry
from ._instance import files, unit
from ._instance.errors import StorageError

SYSTEM, USER = "system", "user"
_MODE = 0o644


class UnitFile:
    """The file of the unit ``name``. Raises StorageError where a file is there that cannot be read."""

    def __init__(self, scope: str, name: str) -> None:
        self._scope = scope
        self.path = os.path.join(unit.SYSTEM_DIRECTORY if scope == SYSTEM else unit.user_directory(), name)

    @property
    def entry(self) -> Entry:
        """How the file shall be: readable for everybody, and the machine's owned by root."""
        owner = "0" if self._scope == SYSTEM else None
        return Entry(self.path, _MODE, owner, owner)

    def read(self) -> str | None:
        """The text of the file, or None where there is none."""
        if not os.path.lexists(self.path):
            return None
        try:
            return files.read(self.path).decode("utf-8")
        except ValueError as error:
            raise StorageError(f"The unit {self.path} is no text. Remove it, and run the task again.") from error

    def write(self, text: str) -> None:
        """Write the text in one step. Raises StorageError."""
        _directories.settle(Entry(os.path.dirname(self.path)))
        entry = self.entry
        files.write_atomically(self.path, text.encode("utf-8"), entry.mode, entry.owner, entry.group)
