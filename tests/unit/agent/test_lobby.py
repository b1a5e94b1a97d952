# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lobby: guests leave when they have said enough, took too long, or others need their place."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tentacle_agent.lobby import Lobby


class Visitor:
    """A guest over one end of a pair of sockets."""

    def __init__(self, seconds: float = 60, address: str = "10.0.0.1", enough: int = 3) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.deadline = time.monotonic() + seconds
        self.address = address
        self.enough = enough
        self.heard = b""
        self.dismissed = ""

    def fileno(self) -> int:
        return self.ours.fileno()

    def on_readable(self) -> bool:
        self.heard += self.ours.recv(1)
        if len(self.heard) >= self.enough:
            self.ours.close()
            return False
        return True

    def on_dismissed(self, reason: str) -> None:
        self.dismissed = reason
        self.ours.close()


def wait_until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.fixture
def lobby() -> Iterator[Lobby]:
    made = Lobby(3, lambda address: address == "known")
    yield made
    made.close()


def test_a_guest_stays_until_it_has_said_enough(lobby: Lobby) -> None:
    guest = Visitor()
    lobby.enter(guest)
    for byte in b"abc":
        guest.theirs.send(bytes([byte]))
        time.sleep(0.02)
    wait_until(lambda: lobby.count() == 0)
    assert guest.heard == b"abc"
    assert guest.dismissed == ""


def test_a_guest_whose_time_is_up_is_dismissed(lobby: Lobby) -> None:
    guest, other = Visitor(seconds=0.2), Visitor()
    lobby.enter(guest)
    lobby.enter(other)
    wait_until(lambda: guest.dismissed)
    assert guest.dismissed == "it took too long"
    assert other.dismissed == ""


def test_a_full_lobby_dismisses_the_oldest_strangers_first(lobby: Lobby) -> None:
    known = Visitor(address="known")
    strangers = [Visitor() for _unused in range(4)]
    lobby.enter(known)
    for stranger in strangers:
        lobby.enter(stranger)
    wait_until(lambda: strangers[1].dismissed)
    assert [bool(guest.dismissed) for guest in (known, *strangers)] == [False, True, True, False, False]
    assert lobby.count() == 3
    knowns = [Visitor(address="known") for _unused in range(3)]
    for guest in knowns:
        lobby.enter(guest)
    wait_until(lambda: known.dismissed)
    assert lobby.count() == 3


def test_room_can_be_made(lobby: Lobby) -> None:
    large = Lobby(100, lambda address: False)
    guests = [Visitor() for _unused in range(40)]
    for guest in guests:
        large.enter(guest)
    wait_until(lambda: len(large._guests) == 40)
    large.make_room()
    wait_until(lambda: large.count() == 20)
    assert [bool(guest.dismissed) for guest in guests] == [True] * 20 + [False] * 20
    large.close()


def test_closing_dismisses_everybody(lobby: Lobby) -> None:
    guest = Visitor()
    lobby.enter(guest)
    lobby.close()
    assert guest.dismissed == "the agent stops"
    late = Visitor()
    lobby.enter(late)
    assert late.dismissed == "the agent stops"
