# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The log of one script: appended to while the script runs, read in pages by those who ask for its status.

Entry n has sequence number n, from 1. Whoever has seen k asks for what came after k, and may ask again: reading takes
nothing away (docs/protocol/tentacle-services.md §2.5).

The log is written through one descriptor at positions of our own counting, and read through the same. A script that
scribbles into its log, cuts it or deletes it, as it can, hurts neither the numbers nor what was answered before. Every
write ends with a whole entry, so an agent that is killed leaves at most one cut entry behind. So that a poll does not
read everything again, we remember where the last answer ended, and for other numbers where every so many bytes stand.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

from module_utils._halibut.bson import Date
from module_utils._halibut.contracts import SOURCE_STDERR, ProcessOutput
from module_utils._halibut.log_list import LogList, Row
from module_utils._halibut.values import value

from ...masking import Masker
from . import log_format

MARK_EVERY = 16 * 1024  # bytes between two places that we remember; two numbers each
PIECE = 256 * 1024  # bytes read and parsed at a time
BULK_FROM = 256 * 1024  # bytes of a page that is compressed while it is read

Entries = Any
"""`ProcessOutput` objects or, of a large page, a `LogList`."""


@value(frozen=True)
class LogPage:
    """Entries after the number asked for, and the number to ask for next."""

    entries: Entries
    next_sequence: int


class OutputLog:
    """The log of a script that this agent runs or has run. All methods may be called by any thread."""

    def __init__(self, path: str, masker: Masker | None = None) -> None:
        self.path = path
        self._masker = masker or Masker(())
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._size = 0
        self._count = 0
        self._mark_counts = array("q", [0])
        self._mark_offsets = array("q", [len(log_format.BYTE_ORDER_MARK)])
        self._bookmark = (0, len(log_format.BYTE_ORDER_MARK))

    def open(self) -> None:
        """Create the log, or go on after the last whole entry of the one that is there. Raises OSError."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with self._lock:
            self._descriptor = descriptor
            self._size = os.fstat(descriptor).st_size
            if self._size < len(log_format.BYTE_ORDER_MARK):
                self._write(log_format.BYTE_ORDER_MARK, 0)
            else:
                self._take_over(descriptor)

    def _take_over(self, descriptor: int) -> None:
        """Count what an earlier process of the agent has written, and cut off what it could not finish."""
        end = len(log_format.BYTE_ORDER_MARK)
        for piece in _pieces(descriptor, end, self._size):
            parsed = log_format.parse(piece)
            self._count += len(parsed.rows)
            end += parsed.length
            self._mark(end)
            if parsed.corrupt:
                break
        self._size = end
        os.ftruncate(descriptor, end)

    def append(self, source: int, lines: Iterable[str]) -> None:
        """Write one entry for each line, all of them with the time of now, in one write. Raises OSError.

        After an error nothing of these lines is in the log, and the ones before are whole.
        """
        now = time.time_ns()
        kept = self._masker.mask_lines(lines)
        if not kept:
            return
        data = log_format.encode(source, kept, now)
        with self._lock:
            self._write(data, self._size)
            self._count += len(kept)
            if self._size - self._mark_offsets[-1] >= MARK_EVERY:
                self._mark(self._size)

    def _mark(self, offset: int) -> None:
        self._mark_counts.append(self._count)
        self._mark_offsets.append(offset)

    def _write(self, data: bytes, offset: int) -> None:
        descriptor = self._opened()
        rest = memoryview(data)
        position = offset
        try:
            while rest:
                written = os.pwrite(descriptor, rest, position)
                rest, position = rest[written:], position + written
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, offset)
            raise
        self._size = position

    def _opened(self) -> int:
        if self._descriptor is None:
            raise OSError(f"The log {self.path} is not open.")
        return self._descriptor

    def sync(self) -> None:
        """Have everything on the disk before returning. Raises OSError."""
        os.fsync(self._opened())

    def close(self) -> None:
        """End writing. What the script may have put behind our last entry is cut off; reading goes on by name,
        or through the open descriptor where the script has deleted its log."""
        with self._lock:
            if self._descriptor is None:
                return
            with contextlib.suppress(OSError):
                status = os.fstat(self._descriptor)
                if status.st_size > self._size:
                    os.ftruncate(self._descriptor, self._size)
                if not _is_the_same(status, self.path):
                    return
            os.close(self._descriptor)
            self._descriptor = None

    def forget(self) -> None:
        """Give up the descriptor that `close` may have kept; nothing is read or written afterwards."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def read(self, after: int, limit: int | None = None) -> LogPage:
        """The entries behind number ``after`` (negative: all), at most about ``limit`` bytes of them.

        A number beyond the end is given back and no entry. What cannot be read any more is not an error: a log that
        was deleted is empty, and a broken entry becomes one line that says so, with nothing after it.
        """
        after = max(after, 0)
        with self._lock:
            count, size = self._count, self._size
            if after >= count:
                return LogPage((), after)
            start_count, start = self._place(after)
            if limit is not None and size - start > limit:
                size, count = self._place_behind(start + limit)
            try:
                descriptor = os.open(self.path, os.O_RDONLY) if self._descriptor is None else os.dup(self._descriptor)
            except OSError:
                return LogPage((), after)
        try:
            entries = _collect(_rows(descriptor, start, size, after - start_count, after), size - start)
        finally:
            os.close(descriptor)
        with self._lock:
            self._bookmark = (count, size)
        return LogPage(entries, max(after, count))

    def _place(self, after: int) -> tuple[int, int]:
        """The nearest remembered place at or before entry ``after``: its number and offset."""
        if self._bookmark[0] == after:
            return self._bookmark
        index = bisect_right(self._mark_counts, after) - 1
        return self._mark_counts[index], self._mark_offsets[index]

    def _place_behind(self, offset: int) -> tuple[int, int]:
        """The first remembered place behind ``offset``, as offset and number; the end if there is none."""
        index = bisect_right(self._mark_offsets, offset)
        if index == len(self._mark_offsets):
            return self._size, self._count
        return self._mark_offsets[index], self._mark_counts[index]


def read_file(path: str, after: int) -> LogPage:
    """The entries behind number ``after`` of a log that no process of ours writes; none if there is no such file."""
    after = max(after, 0)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return LogPage((), after)
    try:
        size = os.fstat(descriptor).st_size
        entries = _collect(_behind(_rows(descriptor, len(log_format.BYTE_ORDER_MARK), size, 0, 0), after), size)
    finally:
        os.close(descriptor)
    return LogPage(entries, after + len(entries))


def _collect(pieces: Iterable[list[Row]], size: int) -> Entries:
    """The entries of a page that takes about ``size`` bytes of the log."""
    if size < BULK_FROM:
        return [ProcessOutput(*row) for rows in pieces for row in rows]
    entries = LogList()
    for rows in pieces:
        entries.extend(rows)
    return entries


def _behind(pieces: Iterable[list[Row]], count: int) -> Iterator[list[Row]]:
    """What follows the first ``count`` entries."""
    for rows in pieces:
        yield rows[count:]
        count = max(count - len(rows), 0)


def _rows(descriptor: int, start: int, end: int, skip: int, number: int) -> Iterator[list[Row]]:
    """Parse the bytes from ``start`` to ``end`` without the first ``skip`` entries; ``number`` entries came before."""
    for piece in _pieces(descriptor, start, end):
        if skip:
            whole = log_format.count(piece)
            if skip >= whole:
                skip -= whole
                continue
            piece, skip = piece[log_format.offset_of(piece, skip) :], 0
        parsed = log_format.parse(piece)
        yield parsed.rows
        number += len(parsed.rows)
        if parsed.corrupt:
            text = f"Corrupt Tentacle log at line {number + 1}, no more logs will be read"
            yield [(SOURCE_STDERR, Date(time.time_ns() // 1_000_000), text)]
            return


def _pieces(descriptor: int, start: int, end: int) -> Iterable[bytes]:
    """The bytes from ``start`` to ``end`` in pieces that are cut between entries wherever entries can be told."""
    held = b""
    while start < end:
        data = os.pread(descriptor, min(PIECE, end - start), start)
        if not data:
            break
        start += len(data)
        held += data
        cut = log_format.last_end(held)
        if cut and start < end:
            yield held[:cut]
            held = held[cut:]
    if held:
        yield held


def _is_the_same(status: os.stat_result, path: str) -> bool:
    try:
        named = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    return (named.st_dev, named.st_ino) == (status.st_dev, status.st_ino)
