# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The records of TLS, seen from outside: a header of 5 bytes (type, version, length) and a body nobody can read."""

from __future__ import annotations

RECORD_HEADER = 5
MAX_RECORD = 16384 + 2048 + RECORD_HEADER


class NoRecord(Exception):
    """What came cannot be TLS."""


class RecordCounter:
    """Follows the headers of incoming TLS records, to know how many are whole."""

    __slots__ = ("_head", "_missing", "whole")

    def __init__(self) -> None:
        self.whole = 0
        self._missing = 0  # bytes until the record in progress is whole
        self._head = b""  # an incomplete header

    def count(self, data: bytes | bytearray | memoryview, size: int) -> None:
        """Take note of the next `size` bytes. Raises `NoRecord` for what cannot be a TLS record."""
        position = self._missing
        if not (position or self._head) and size >= RECORD_HEADER:
            if size == RECORD_HEADER + (data[3] << 8 | data[4]):  # one record exactly: the rule between calls
                self.whole += 1
                return
        elif position > size:
            self._missing = position - size
            return
        if position:
            self.whole += 1
            self._missing = 0
        elif self._head:
            data = self._head + bytes(data[:size])
            size = len(data)
            self._head = b""
        while size - position >= RECORD_HEADER:
            length = RECORD_HEADER + (data[position + 3] << 8 | data[position + 4])
            if length > MAX_RECORD:
                raise NoRecord
            position += length
            if position > size:
                self._missing = position - size
                return
            self.whole += 1
        self._head = bytes(data[position:size])
