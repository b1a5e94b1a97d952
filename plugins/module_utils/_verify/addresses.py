# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""TCP to all addresses of a host at once, so that one broken family is seen without waiting for each in turn."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import time
from dataclasses import dataclass
from typing import Any

from .._client.transport import Address, prepare
from .result import Result

MAX_ADDRESSES = 16  # a name with more is a service of its own kind; the rest is left out
GRACE_SECONDS = 0.2  # how long the others may still answer once one address has
FAMILY_SECONDS = 1.5  # how long another family may still answer: the first packet is sent again after a second


@dataclass
class Attempt:
    """One address; `status` is connected, refused, reset, unreachable, forbidden, silent, failed, or None (open)."""

    address: Address
    status: str | None = None
    seconds: float | None = None
    error: OSError | None = None
    connection: socket.socket | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "address": self.address.text,
            "family": self.address.version,
            "status": self.status,
            "seconds": self.seconds,
        }


_WORDS = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.ETIMEDOUT: "silent",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
}


def connect_all(addresses: list[Address], timeout: float) -> list[Attempt]:
    """Try all addresses. The first in order that connects keeps its connection, the others are closed."""
    attempts = [Attempt(address) for address in addresses[:MAX_ADDRESSES]]
    begin = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for attempt in attempts:
            _start(attempt, selector, begin)
        deadline = begin + timeout
        while selector.get_map():
            _wait(selector, min(deadline, _end(attempts, begin)), begin)
            if time.monotonic() >= min(deadline, _end(attempts, begin)):
                break
    _settle(attempts, begin, min(timeout, FAMILY_SECONDS))
    return attempts


def _end(attempts: list[Attempt], begin: float) -> float:
    """Until when the open attempts are worth waiting for, now that some may have connected."""
    connected = {entry.address.family: entry.seconds or 0.0 for entry in attempts if entry.status == "connected"}
    if not connected:
        return float("inf")
    open_families = {entry.address.family for entry in attempts if entry.status is None} - set(connected)
    soon = begin + min(connected.values()) + GRACE_SECONDS
    return max(soon, begin + FAMILY_SECONDS) if open_families else soon


def _start(attempt: Attempt, selector: selectors.BaseSelector, begin: float) -> None:
    connection = None
    try:
        connection = socket.socket(attempt.address.family, socket.SOCK_STREAM)
        prepare(connection)
        connection.setblocking(False)
        number = connection.connect_ex(attempt.address.place)
    except OSError as error:
        if connection is not None:
            connection.close()
        _fail(attempt, error, begin)
        return
    attempt.connection = connection
    if number in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
        selector.register(connection, selectors.EVENT_WRITE, attempt)
    else:
        _fail(attempt, OSError(number, os.strerror(number)), begin)


def _wait(selector: selectors.BaseSelector, deadline: float, begin: float) -> None:
    for key, _dummy in selector.select(max(deadline - time.monotonic(), 0)):
        attempt: Attempt = key.data
        connection = attempt.connection
        if connection is None:
            continue
        selector.unregister(connection)
        number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            _fail(attempt, OSError(number, os.strerror(number)), begin)
        else:
            attempt.status = "connected"
            attempt.seconds = round(time.monotonic() - begin, 4)


def _fail(attempt: Attempt, error: OSError, begin: float) -> None:
    attempt.error = error
    attempt.status = _WORDS.get(error.errno or 0, "failed")
    attempt.seconds = round(time.monotonic() - begin, 4)
    _drop(attempt)


def _settle(attempts: list[Attempt], begin: float, patience: float) -> None:
    """Keep one connection; say `silent` only of addresses that had their time."""
    kept = False
    late = time.monotonic() - begin >= patience
    for attempt in attempts:
        if attempt.status == "connected" and not kept:
            kept = True
        elif attempt.connection is not None:
            _drop(attempt)
        if attempt.status is None and late:
            attempt.status, attempt.error = "silent", TimeoutError("no answer")
            attempt.seconds = round(time.monotonic() - begin, 4)


def find_broken(result: Result, attempts: list[Attempt]) -> None:
    """Findings for the addresses that failed beside one that works: a whole family, or single ones."""
    good = {attempt.address.version for attempt in attempts if attempt.status == "connected"}
    for version in ("IPv4", "IPv6"):
        family = [attempt for attempt in attempts if attempt.address.version == version]
        bad = [attempt for attempt in family if attempt.status not in ("connected", None)]
        if bad and len(bad) == len(family) and good:
            tried = ", ".join(f"{attempt.address.text} {attempt.status}" for attempt in bad)
            result.find("address_family", f"{version} does not work ({tried}), {' and '.join(sorted(good))} does.")
        elif good:
            for attempt in bad:
                result.find(
                    "wrong_address",
                    f"The address {attempt.address.text} is {attempt.status}; another one of the same name works.",
                )


def _drop(attempt: Attempt) -> None:
    if attempt.connection is not None:
        with contextlib.suppress(OSError):
            attempt.connection.close()
        attempt.connection = None
