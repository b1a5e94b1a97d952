# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the agent tells whoever keeps it running: systemd's notifications, and the proofs of life of its watchdog.

systemd is told when the agent listens, reads its configuration again, and stops; and one line that `systemctl status`
shows. Where nobody asked to be told (no NOTIFY_SOCKET), nothing is said.

A process that is there may still hang, so a watchdog is fed only after a proof: a connection to our own port that the
listener accepted, looked at and ended. It says nothing, and costs and logs as little as a load balancer's probe. The
proof can also fail for reasons outside the agent: a packet filter may drop what this host sends to itself, and
restarting would help nobody. So proofs begin to count when the first one has succeeded.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping

LOG = logging.getLogger("tentacle_agent.supervision")

PROOFS = 4
"""How many proofs fit into the time that the watchdog gives: one that fails in a busy moment ends nobody."""
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}  # our IPv6 socket takes IPv4 as well


def notify(state: str) -> None:
    """Tell the service manager how we are, where it wants to know (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    try:
        send(address, state)
    except OSError as error:
        LOG.warning("The service manager could not be told %s: %s", state.partition("\n")[0], error)


def send(address: str, state: str, *descriptors: int) -> None:
    """Send a notification, with descriptors if any, to the socket of NOTIFY_SOCKET. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        socket.send_fds(sock, [state.encode("utf-8", "replace")], list(descriptors))


@contextlib.contextmanager
def reloading() -> Iterator[None]:
    """Tell the service manager that the configuration is being read again, and when that is over."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    try:
        yield
    finally:
        notify("READY=1")


def watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """The time within which the service manager wants a sign of life from this process; None when it wants none."""
    try:
        if int(environment.get("WATCHDOG_PID") or os.getpid()) != os.getpid():
            return None  # meant for a process above us
        return int(environment["WATCHDOG_USEC"]) / 1e6 or None
    except (KeyError, ValueError):
        return None


def is_served(address: tuple[str, int], seconds: float) -> bool:
    """Whether whoever listens at `address` accepts a connection and, told its end, ends it too, within the time."""
    deadline = time.monotonic() + seconds
    try:
        with socket.create_connection(address, timeout=seconds) as sock:
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(max(deadline - time.monotonic(), 0.01))
            return sock.recv(1) == b""
    except ConnectionResetError:
        return True  # an end as well; the listener is short of places
    except OSError:
        return False


class Watchdog:
    """Feeds the service manager's watchdog, from a thread of its own, as long as the agent proves that it lives.

    `address` is where the agent listens, None when it does not; `looks(seconds)` tells whether the main loop went round
    within that time. `seconds` is what the service manager allows between two signs of life.
    """

    def __init__(
        self, seconds: float, address: tuple[str, int] | None, looks: Callable[[float], bool]
    ) -> None:
        self._pause = seconds / PROOFS
        self._address = (EVERY_ADDRESS.get(address[0], address[0]), address[1]) if address else None
        self._looks = looks
        self._proven = False
        self._warned = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to prove and to feed."""
        self._thread.start()

    def stop(self) -> None:
        """Feed no longer; whoever stops is not watched."""
        self._stopping.set()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            if self.feed():
                notify("WATCHDOG=1")
            self._stopping.wait(self._pause)

    def feed(self) -> bool:
        """Prove once; whether that deserves a sign of life."""
        if not self._looks(self._pause * 2):
            LOG.error("The agent's main loop is stuck; if it stays so, the service manager restarts the agent")
            return False
        if self._address is None or is_served(self._address, self._pause):
            self._proven = True
            return True
        if self._proven:
            LOG.error("The agent's own port %s was not served for %.0f s; if it stays so, the service manager restarts "
                      "the agent", self._address[1], self._pause)
        elif not self._warned:
            self._warned = True
            LOG.warning("The agent cannot connect to its own port %s:%s, probably because of a packet filter; its "
                        "watchdog sees the process only", *self._address)
        return not self._proven
