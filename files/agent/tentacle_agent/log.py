# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The agent's log: one file of the original's format below its home, and the console or the journal.

A line is time, process, thread, level, message; a traceback follows on lines of its own
(docs/protocol/tentacle-services.md §7.3). The file is put aside at the first line of a new day, or when it has become
large, as `OctopusTentacle.0.txt` (the newest) to `OctopusTentacle.6.txt`. A log that cannot be written never stops the
agent.

The file has everything. A console gets the same lines. The journal of systemd gets warnings and errors alone, with its
own notion of their level: it knows time and process itself, and nobody wants each line twice on the disk.

A line is written before the call that logs it returns. Those that every connection causes may wait in memory instead,
until another line is written or the runtime calls `flush`, which it does every second; the order is kept.

The standard library's rotating handlers are not used: they bring a megabyte of modules that nothing else needs.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import threading
import time
from typing import TextIO

NAME = "OctopusTentacle"
ARCHIVES = 7
LARGEST_BYTES = 64 * 1024 * 1024
"""Size at which a file is put aside before its day is over: with its archives it stays below half a gigabyte."""
LOGGER = "tentacle_agent"
TRACE = 5
MOST_WAITING = 200
"""Lines that may wait in memory."""
LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
NAMES = {number: name.upper() for name, number in LEVELS.items()}


@functools.lru_cache(maxsize=4)
def local_time(second: int) -> str:
    """Local date and time of a second since 1970; most lines are of the same one as the line before."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))


class LineFormatter(logging.Formatter):
    """`yyyy-MM-dd HH:mm:ss.ffff`, two spaces, process, two spaces, thread, level, two spaces, message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback if there is one; made once for all handlers."""
        ready: str | None = getattr(record, "tentacle_line", None)
        if ready is None:
            ready = record.tentacle_line = self._make(record)
        return ready

    def _make(self, record: logging.LogRecord) -> str:
        line = self.line(record.created, NAMES.get(record.levelno, record.levelname), record.getMessage())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line

    def line(self, moment: float, level: str, message: str) -> str:
        """The line for a message of the calling thread; `moment` in seconds since 1970."""
        second = int(moment)
        return (
            f"{local_time(second)}.{int((moment - second) * 10000):04d}  {os.getpid():>5}  "
            f"{threading.get_native_id():>5} {level:>5}  {single_line(message)}"
        )


def single_line(text: str) -> str:
    """The text without control characters: what a peer sent must not look like a line of ours."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class DailyFile:
    """An append-only text file that is put aside when the day changes or it is large; the last `ARCHIVES` are kept."""

    def __init__(self, directory: str, name: str) -> None:
        self.path = os.path.join(directory, name + ".txt")
        self._stem = os.path.join(directory, name)
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        os.makedirs(directory, mode=0o750, exist_ok=True)
        self._descriptor = self._open()
        present = os.fstat(self._descriptor)
        self._day = day_of(present.st_mtime)
        self._size = present.st_size

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    @property
    def waiting(self) -> int:
        """How many notes have not been written."""
        return len(self._waiting)

    def note(self, text: str) -> None:
        """Append whole lines with the next `write`."""
        self._waiting.append(text)

    def write(self, text: str, now: float) -> None:
        """Append what waits and then these whole lines, all by a single write. Raises OSError; they are lost then."""
        with self._lock:
            count = len(self._waiting)  # other threads may note more meanwhile
            if count:
                text = "".join(self._waiting[:count]) + text
                del self._waiting[:count]
            if day_of(now) > self._day or self._size > LARGEST_BYTES:
                self._put_aside(now)
            self._size += os.write(self._descriptor, text.encode("utf-8", "backslashreplace"))

    def _put_aside(self, now: float) -> None:
        for number in range(ARCHIVES - 2, -1, -1):
            older = f"{self._stem}.{number}.txt"
            if os.path.exists(older):
                os.replace(older, f"{self._stem}.{number + 1}.txt")
        if os.path.exists(self.path):
            os.replace(self.path, f"{self._stem}.0.txt")
        fresh = self._open()
        os.close(self._descriptor)
        self._descriptor = fresh
        self._day, self._size = day_of(now), 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def day_of(moment: float) -> int:
    """A number that grows by one at each local midnight."""
    return int(moment - time.timezone) // 86400


class FileHandler(logging.Handler):
    """Writes records to a `DailyFile`; failures are dropped, for there is nowhere to report them."""

    def __init__(self, file: DailyFile) -> None:
        super().__init__()
        self._file = file
        self._lines = LineFormatter()
        self.setFormatter(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        with contextlib.suppress(Exception):
            self._file.write(self.format(record) + "\n", record.created)

    def note(self, message: str) -> None:
        """Have a message of level INFO written within a second."""
        self._file.note(self._lines.line(time.time(), "INFO", message) + "\n")
        if self._file.waiting > MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write the messages that wait."""
        if self._file.waiting:
            with contextlib.suppress(Exception):
                self._file.write("", time.time())


class ConsoleHandler(logging.Handler):
    """Errors go to stderr, everything else to stdout."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record at once."""
        stream: TextIO | None = sys.stderr if record.levelno >= logging.ERROR else sys.stdout
        try:
            if stream is not None:
                stream.write(self.format(record) + "\n")
                stream.flush()
        except Exception:
            pass


class JournalHandler(logging.Handler):
    """Warnings and errors for the journal: the message alone, each of its lines with its priority before it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def format(self, record: logging.LogRecord) -> str:
        """The lines as the journal takes them from a service's output (sd-daemon's prefixes)."""
        priority = "<3>" if record.levelno >= logging.ERROR else "<4>"
        text = single_line(record.getMessage())
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        return "\n".join(priority + line for line in text.splitlines())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        with contextlib.suppress(Exception):
            sys.stdout.write(self.format(record) + "\n")
            sys.stdout.flush()


def writes_to_journal() -> bool:
    """Whether our standard output is the journal; systemd says which device and file that is (JOURNAL_STREAM)."""
    try:
        present = os.fstat(1)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{present.st_dev}:{present.st_ino}"


def directory_of(home: str) -> str:
    """Where the logs of an instance are."""
    return os.path.join(home, "Logs")


def configure(home: str, level: str = "info", console: bool = True) -> logging.Logger:
    """Send the agent's log to its file and, if asked, to the console or journal behind it.

    Raises OSError when the file cannot be made.
    """
    logger = logging.getLogger(LOGGER)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(FileHandler(DailyFile(directory_of(home), NAME)))
    if console:
        logger.addHandler(JournalHandler() if writes_to_journal() else ConsoleHandler())
    set_level(level)
    logger.propagate = False
    # Nobody asks which line of our code logged, or in which thread of what name: saves half the time of a record.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    return logger


def set_level(level: str) -> None:
    """Change what is logged, by the original's name of the level."""
    chosen = os.environ.get("OCTOPUS__TENTACLE__LOGLEVEL", level).lower()
    logging.getLogger(LOGGER).setLevel(LEVELS.get(chosen, logging.INFO))


def flush() -> None:
    """Write the lines that wait."""
    for handler in logging.getLogger(LOGGER).handlers:
        handler.flush()


class FrequentLines:
    """Lines of level INFO that every connection causes: they wait, and are made without a record's detours.

    Where others than the file want them, too, they are logged like all the rest.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        wanting = [handler for handler in logging.getLogger(LOGGER).handlers if handler.level <= logging.INFO]
        self._file = wanting[0] if len(wanting) == 1 and isinstance(wanting[0], FileHandler) else None

    def log(self, message: str) -> None:
        """Log the message, a second late at most."""
        if self._file is None:
            self._logger.info("%s", message)
        elif self._logger.isEnabledFor(logging.INFO):
            self._file.note(message)


class Sparing:
    """Says whether an event is worth a line: the first of its kind in a minute is, with the number left out before.

    Strangers can cause lines as fast as they can connect; the log has to survive that.
    """

    def __init__(self, seconds: float = 60.0, kinds: int = 512) -> None:
        self._seconds = seconds
        self._kinds = kinds
        self._lock = threading.Lock()
        self._seen: dict[object, tuple[float, int]] = {}

    def ask(self, kind: object) -> int | None:
        """None: say nothing. Else: say it; the number is how many of this kind went unsaid before."""
        now = time.monotonic()
        with self._lock:
            last, unsaid = self._seen.get(kind, (0.0, 0))
            if last and now - last < self._seconds:
                self._seen[kind] = (last, unsaid + 1)
                return None
            if len(self._seen) >= self._kinds:
                self._seen = {key: value for key, value in self._seen.items() if now - value[0] < self._seconds}
                if len(self._seen) >= self._kinds:
                    self._seen.clear()
            self._seen[kind] = (now, 0)
            return unsaid
