# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of log lines that are deflated while they grow: the same bytes as those that are not."""

from __future__ import annotations

import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from module_utils._halibut import bson
from module_utils._halibut.bson import Date
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.contracts import ProcessOutput, ScriptStatusResponse, ScriptStatusResponseV2, ScriptTicket
from module_utils._halibut.envelope import Inflater
from module_utils._halibut.errors import LocalProtocolError
from module_utils._halibut.events import Accept, Hello, Received, ResponseReceived
from module_utils._halibut.limits import READ_SIZE
from module_utils._halibut.log_list import LogList, Row
from module_utils._halibut.messages import Request, Response, response_document

TEXTS = st.none() | st.text(max_size=40) | st.text(st.characters(categories=["Cs", "Ll"]), max_size=5)
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1 << 45).map(Date), TEXTS), max_size=30)
PATH = ("Message", "result", "Logs")


def deflated(rows: list[Row]) -> LogList:
    found = LogList()
    for start in range(0, len(rows), 7):
        found.extend(rows[start : start + 7])
    return found


def answer(logs: object) -> Response:
    return Response("id", ScriptStatusResponseV2(ScriptTicket("t"), logs, 7, 2, -1))  # type: ignore[arg-type]


@given(ROWS)
def test_the_bytes_are_those_of_the_objects(rows: list[Row]) -> None:
    bulk = deflated(rows)
    assert len(bulk) == len(rows)
    expected = bson.encode(response_document(answer([ProcessOutput(*row) for row in rows])))
    for _unused in range(2):  # what was encoded can be enclosed again
        assert zlib.decompress(bulk.within(response_document(answer(bulk)), PATH), -15) == expected


@pytest.mark.parametrize("response", [ScriptStatusResponse, ScriptStatusResponseV2])
def test_a_client_receives_the_objects(response: type) -> None:
    rows: list[Row] = [(number % 3, Date(number // 10), f"line {number} ☃") for number in range(30_000)]
    client, service = Connection(Role.CLIENT), Connection(Role.SERVICE)

    def pass_on(sender: Connection, receiver: Connection) -> list[Received]:
        for data in sender.data_to_send():
            receiver.receive_data(bytes(data))
        found: list[Received] = []
        while events := receiver.events():
            found += events
        return found

    client.send(Hello())
    pass_on(client, service)
    service.send(Accept())
    service.events()
    pass_on(service, client)
    client.send(Request("1", bson.Guid(bytes(16)), "s", "m"))
    pass_on(client, service)
    service.send(Response("1", response(ScriptTicket("t"), deflated(rows), 30_000, 2, 0)))
    assert service.state is State.AWAIT_CONTROL
    (received,) = [event for event in pass_on(service, client) if isinstance(event, ResponseReceived)]
    assert received.response == Response(
        "1", response(ScriptTicket("t"), [ProcessOutput(*row) for row in rows], 30_000, 2, 0))


def test_no_size_is_one_that_a_net_peer_does_not_read_to_its_end() -> None:
    """The id grows until the size has passed a multiple of 8,192 by a few bytes (§10, Q7 of the wire's page)."""
    bulk = deflated([(0, Date(0), os.urandom(40_000).hex())])
    document = response_document(answer(bulk))
    noise, length, seen = os.urandom(2 * READ_SIZE).hex(), 0, set()
    while not {8, 9, 10} <= seen and length < len(noise):
        document["Message"]["id"] = noise[:length]
        data = bulk.within(document, PATH)
        seen.add(len(data) % READ_SIZE)
        length += 1 if len(data) % READ_SIZE > READ_SIZE - 200 or len(data) % READ_SIZE < 20 else 100
        inflater = Inflater()
        assert inflater.feed(data + b"NEXT")
        assert inflater.unused == b"NEXT"
    assert not seen & {1, 2}
    assert {6, 7} & seen


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="too large"):
        bson.encode_around(response_document(answer([])), PATH, 1 << 31)
