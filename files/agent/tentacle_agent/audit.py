# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # a bool is an int too
"""The audit trail: one line for each call, in `Logs/Audit.txt` below the agent's home.

A line is time, connection, thumbprint and address of the peer, service and method, ticket, result, duration. It never
holds a script, an argument, a file's content or a path. The file is kept like the log: put aside daily, seven are kept.

Calls that only ask (capabilities, status) are the frequent ones. Their lines wait until a call that does something is
noted, or for a second (the runtime calls `flush`); all others are written at once. The order is kept.
"""

from __future__ import annotations

import logging
import time

from .dispatch import Call
from .log import MOST_WAITING, DailyFile, directory_of, local_time, single_line

LOG = logging.getLogger("tentacle_agent.audit")
NAME = "Audit"
LONGEST = 200
ASKING = frozenset(("GetCapabilities", "GetStatus"))


class Audit:
    """Writes the audit trail; a file that cannot be written is reported in the log once, and calls go on."""

    def __init__(self, home: str) -> None:
        self._file = DailyFile(directory_of(home), NAME)
        self._failing = False

    def record(self, call: Call, seconds: float) -> None:
        """Note a call that is over, answered or abandoned, and the seconds since its request was read."""
        now = time.time()
        second = int(now)
        peer, request = call.context.peer, call.request
        failure, params = call.failure, request.params
        self._file.note(
            f"{local_time(second)}.{int((now - second) * 1000):03d}  {peer.connection_id}  {peer.thumbprint}  "
            f"{peer.address}  {plain(request.service)}.{plain(request.method)}  "
            f"{plain(ticket_of(params)) if params else '-'}  "
            f"{'ok' if failure is None else 'failed: ' + plain(failure)}  {seconds * 1000:.1f} ms\n"
        )
        if failure is not None or request.method not in ASKING or self._file.waiting > MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
        if not self._file.waiting:
            return
        try:
            self._file.write("", time.time())
            self._failing = False
        except OSError as error:
            if not self._failing:
                self._failing = True
                LOG.error("Could not write the audit trail %s: %s. Calls go on without it until it can be written.",
                          self._file.path, error.strerror)

    def close(self) -> None:
        """Write what waits and close the file."""
        self.flush()
        self._file.close()


def plain(text: object) -> str:
    """The first line of a peer's text, short, without characters that could imitate another field or line."""
    if type(text) is str and text.isalnum() and len(text) <= LONGEST:
        return text  # nearly all are
    if text is None:
        return "-"
    return single_line(str(text).partition("\n")[0][:LONGEST]).replace("  ", " ") or "-"


def ticket_of(params: tuple[object, ...]) -> object:
    """The ticket that a script call names, or None."""
    for value in params:
        ticket = getattr(value, "script_ticket", None) or getattr(value, "ticket", None)
        if ticket is not None:
            return getattr(ticket, "task_id", None)
    return None
