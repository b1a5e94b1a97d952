# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service manager is told, and what its watchdog takes as a sign of life."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator

import pytest

from tentacle_agent import supervision
from tentacle_agent.supervision import Watchdog, is_served, watchdog_seconds


@pytest.fixture(name="manager")
def fixture_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where a service manager listens for notifications."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"{directory}/notify")
        sock.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{directory}/notify")
        yield sock


@contextlib.contextmanager
def served_port() -> Iterator[tuple[str, int]]:
    """A port whose connections are accepted and ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[:2]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture(name="hung")
def fixture_hung() -> Iterator[tuple[str, int]]:
    """A port whose connections nobody accepts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[:2]


def test_the_manager_is_told(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    supervision.notify("READY=1")
    assert manager.recv(100) == b"READY=1"
    monkeypatch.setenv("NOTIFY_SOCKET", os.environ["NOTIFY_SOCKET"] + "-none")
    supervision.notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    supervision.notify("READY=1")


def test_an_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0tentacle-test-{os.getpid()}")
        sock.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@tentacle-test-{os.getpid()}")
        supervision.notify("STOPPING=1")
        assert sock.recv(100) == b"STOPPING=1"


def test_reading_again_has_a_beginning_with_its_time_and_an_end(manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    with pytest.raises(ValueError, match="broken"), supervision.reloading():
        raise ValueError("broken")
    lines = manager.recv(200).decode().splitlines()
    assert lines[0] == "RELOADING=1"
    assert before <= int(lines[1].partition("MONOTONIC_USEC=")[2]) <= time.monotonic_ns() // 1000
    assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "me"}, None),
    ],
)
def test_whether_the_manager_has_a_watchdog_for_us(environment: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environment) == seconds


def test_a_port_is_served_only_when_somebody_accepts_and_ends(hung: tuple[str, int]) -> None:
    with served_port() as address:
        assert is_served(address, 10)
    assert not is_served(address, 10), "nobody listens there any more"
    assert not is_served(hung, 0.2)


def test_signs_of_life_come_by_themselves_and_end_with_the_stop(manager: socket.socket) -> None:
    with served_port() as address:
        watchdog = Watchdog(0.4, address, lambda _seconds: True)
        watchdog.start()
        assert [manager.recv(100) for _unused in range(3)] == [b"WATCHDOG=1"] * 3
        watchdog.stop()
        watchdog._thread.join(10)
        manager.settimeout(0.3)
        with contextlib.suppress(socket.timeout):
            manager.recv(100)  # one may have been under way
        with pytest.raises(socket.timeout):
            manager.recv(100)


def test_a_listener_that_hangs_is_not_fed(caplog: pytest.LogCaptureFixture, hung: tuple[str, int]) -> None:
    with served_port() as address:
        watchdog = Watchdog(0.4, address, lambda _seconds: True)
        assert watchdog.feed()
    watchdog._address = hung
    with caplog.at_level(logging.ERROR, "tentacle_agent.supervision"):
        assert not watchdog.feed()
    assert f"own port {hung[1]} was not served" in caplog.text


def test_a_proof_that_never_worked_proves_nothing(caplog: pytest.LogCaptureFixture, hung: tuple[str, int]) -> None:
    watchdog = Watchdog(0.4, hung, lambda _seconds: True)
    with caplog.at_level(logging.WARNING, "tentacle_agent.supervision"):
        assert watchdog.feed()
        assert watchdog.feed()
    assert caplog.text.count("cannot connect to its own port") == 1


def test_an_agent_that_does_not_listen_proves_its_main_loop_alone() -> None:
    assert Watchdog(0.4, None, lambda _seconds: True).feed()
    assert not Watchdog(0.4, None, lambda _seconds: False).feed()


@pytest.mark.parametrize(("given", "called"), [("::", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "::1")])
def test_every_address_is_called_by_one_that_there_is(given: str, called: str) -> None:
    assert Watchdog(1, (given, 7), lambda _seconds: True)._address == (called, 7)
