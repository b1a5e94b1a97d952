# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All addresses of a host at once."""

from __future__ import annotations

import socket
import time

from module_utils._client.transport import Address
from module_utils._verify.addresses import connect_all


def address(host: str, port: int) -> Address:
    return Address(socket.AF_INET, (host, port))


def test_keeps_the_first_that_connects_and_says_what_the_others_did() -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_, socket.create_server(("127.0.0.2", 0)) as also:
        port = open_.getsockname()[1]
        attempts = connect_all(
            [address("127.0.0.1", 1), address("127.0.0.1", port), address("127.0.0.2", also.getsockname()[1])], 2
        )
        assert [attempt.status for attempt in attempts] == ["refused", "connected", "connected"]
        assert [attempt.connection is not None for attempt in attempts] == [False, True, False]
        assert attempts[1].connection is not None
        attempts[1].connection.close()


def test_silence_is_only_said_of_who_had_the_whole_time() -> None:
    with socket.socket() as full, socket.create_server(("127.0.0.1", 0)) as open_:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _dummy in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        silent, good = address(*full.getsockname()), address(*open_.getsockname())
        begin = time.monotonic()
        both = connect_all([silent, good], 5)
        assert time.monotonic() - begin < 3
        assert [attempt.status for attempt in both] == [None, "connected"]
        assert both[1].connection is not None
        both[1].connection.close()
        assert [attempt.status for attempt in connect_all([silent], 0.3)] == ["silent"]
        for filler in fillers:
            filler.close()


def test_no_address_is_no_attempt() -> None:
    assert connect_all([], 1) == []
