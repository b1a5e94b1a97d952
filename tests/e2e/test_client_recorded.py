# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against recorded conversations of two .NET peers."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from agent_process import wait_until
from identities import MadeIdentity
from recorded_listener import RecordedListener

from module_utils._client.client import Client
from module_utils._client.endpoint import Endpoint, Timeouts
from module_utils._client.errors import (
    ClientError,
    NoMatchingMethod,
    ServiceCallError,
    ServiceInvocationError,
)
from module_utils._halibut.contracts import TYPES, DataStream
from module_utils._halibut.messages import Request, read_request, read_response, streams_of
from module_utils._halibut.objects import Contract

SOON = Timeouts(connect=5, handshake=5, receive=5, response=5, attempts=2, pause=0.05)


@dataclass(frozen=True)
class StreamList(Contract):
    """A list of data streams, as the contract of the recordings has it."""

    items: tuple[DataStream, ...]

    TYPE_NAMES: ClassVar[tuple[str, ...]] = tuple(
        f"System.Collections.Generic.List`1[[Halibut.DataStream, Halibut]], {library}"
        for library in ("System.Private.CoreLib", "mscorlib")
    )
    TYPE_NAME: ClassVar[str] = TYPE_NAMES[0]

    @classmethod
    def from_document(cls, value: Any) -> StreamList:
        return cls(tuple(DataStream.from_document(item) for item in value["$values"]))

    def to_document(self, as_slot: bool = False) -> dict[str, Any]:
        return {"$type": self.TYPE_NAME, "$values": [item.to_document() for item in self.items]}

    def streams(self) -> tuple[DataStream, ...]:
        return self.items


RECORDED_TYPES = {**TYPES, **dict.fromkeys(StreamList.TYPE_NAMES, StreamList)}
WHOLE = [f"{number:02}-" for number in (*range(1, 20), 32, 33)]


class Sinks:
    """Gives each incoming data stream a place of its own."""

    def __init__(self) -> None:
        self.all: list[io.BytesIO] = []

    def __call__(self, stream: DataStream) -> io.BytesIO:
        self.all.append(io.BytesIO())
        return self.all[-1]


def outcome_of(client: Client, request: Request, contents: Any, receive: Any) -> Any:
    """What a call gives: its result, or the agent's error."""
    try:
        return client.call(request.service, request.method, *request.params, streams=contents, receive=receive)
    except ServiceCallError as error:
        return error.error


def replayed(listener: RecordedListener, client: Client) -> None:
    """Make every recorded call with the recorded parameters, and compare every answer with the recorded one."""
    for asked, sent, answered, came in listener.conversations[0].exchanges():
        request = read_request({"Message": asked}, RECORDED_TYPES)
        expected = read_response({"Message": answered}, RECORDED_TYPES)
        assert request is not None
        assert expected is not None
        contents = {stream.id: io.BytesIO(data) for stream, data in zip(streams_of(request), sent)}
        taken = Sinks()
        outcome = outcome_of(client, request, contents, taken)
        assert outcome == (expected.error or expected.result)
        assert [sink.getvalue() for sink in taken.all] == came


@pytest.mark.parametrize("name", WHOLE)
def test_makes_recorded_calls(name: str, identity: MadeIdentity) -> None:
    with RecordedListener(identity.path, name) as listener:
        endpoint = Endpoint("127.0.0.1", listener.port, identity.thumbprint)
        with Client(endpoint, str(identity.path), timeouts=SOON, types=RECORDED_TYPES) as client:
            replayed(listener, client)
            assert client.connections == 1
    assert listener.problems == []
    assert listener.connections == 1
    recorded = [data for _dummy, sent, _dummy, _dummy in listener.conversations[0].exchanges() for data in sent]
    assert listener.streams == recorded


def error_of(name: str, number: int, identity: MadeIdentity) -> ServiceCallError:
    """The exception for one recorded error answer."""
    found: list[ServiceCallError] = []
    with RecordedListener(identity.path, name) as listener:
        client = Client(Endpoint("127.0.0.1", listener.port), timeouts=SOON, types=RECORDED_TYPES)
        with client:
            for asked, sent, _dummy, _dummy in listener.conversations[0].exchanges():
                request = read_request({"Message": asked}, RECORDED_TYPES)
                assert request is not None
                contents = {stream.id: io.BytesIO(data) for stream, data in zip(streams_of(request), sent)}
                try:
                    client.call(request.service, request.method, *request.params, streams=contents)
                except ServiceCallError as error:
                    found.append(error)
    return found[number]


@pytest.mark.parametrize(
    ("name", "number", "kind", "cause"),
    [
        ("32-", 0, ServiceInvocationError, "agent_error"),
        ("32-", 4, ServiceInvocationError, "agent_error"),
        ("32-", 6, NoMatchingMethod, "agent_error"),
        ("32-", 7, NoMatchingMethod, "agent_error"),
        ("32-", 8, NoMatchingMethod, "agent_error"),
        ("16-", 0, ServiceInvocationError, "permissions"),
        ("17-", 0, ServiceCallError, "agent_error"),
        ("18-", 0, NoMatchingMethod, "agent_error"),
        ("18-", 1, NoMatchingMethod, "agent_error"),
    ],
)
def test_classifies_recorded_errors(
    name: str, number: int, kind: type[Exception], cause: str, identity: MadeIdentity
) -> None:
    error = error_of(name, number, identity)
    assert error.__class__ is kind
    assert error.cause == cause
    assert error.side == "agent"


def failing_call(name: str, identity: MadeIdentity, timeouts: Timeouts = SOON, **arguments: Any) -> ClientError:
    with RecordedListener(identity.path, name) as listener:
        client = Client(Endpoint("127.0.0.1", listener.port), timeouts=timeouts)
        ((asked, _dummy, _dummy, _dummy),) = listener.conversations[0].exchanges()
        request = read_request({"Message": asked}, RECORDED_TYPES)
        assert request is not None
        with client, pytest.raises(ClientError) as caught:
            client.call(request.service, request.method, *request.params, **arguments)
        assert listener.connections == 1  # never repeated: the request had begun
    return caught.value


def test_refuses_a_result_of_unknown_type(identity: MadeIdentity) -> None:
    error = failing_call("34-", identity)
    assert error.cause == "unknown"
    assert "Probe.Contracts.Everything" in str(error)


def test_a_stream_that_is_too_short_ends_in_a_timeout(identity: MadeIdentity) -> None:
    begin = time.monotonic()
    error = failing_call("35-", identity, Timeouts(receive=1, response=2))
    assert error.cause == "unknown"
    assert 0.9 < time.monotonic() - begin < 4


def test_a_stream_that_is_too_long_is_noticed_at_its_trailer(identity: MadeIdentity) -> None:
    error = failing_call("36-", identity)
    assert error.cause == "unknown"
    assert "something unreadable" in str(error)


def test_a_stream_whose_writer_fails_is_an_end(identity: MadeIdentity) -> None:
    assert failing_call("37-", identity).cause == "reset"


def test_a_source_that_is_too_short_is_the_callers_fault(identity: MadeIdentity) -> None:
    with RecordedListener(identity.path, "38-") as listener:
        client = Client(Endpoint("127.0.0.1", listener.port), timeouts=SOON)
        ((asked, _dummy, _dummy, _dummy),) = listener.conversations[0].exchanges()
        request = read_request({"Message": asked}, RECORDED_TYPES)
        assert request is not None
        (stream,) = streams_of(request)
        with client, pytest.raises(ClientError) as caught:
            client.call(request.service, request.method, *request.params, streams={stream.id: io.BytesIO(b"x")})
        assert caught.value.cause == "invalid_input"
        wait_until(lambda: bool(listener.streams))
    assert listener.streams[0][24:] == b"x"  # identifier, length, and what there was; no trailer
