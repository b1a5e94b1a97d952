# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing and running methods, and the words of every failure."""

from __future__ import annotations

import io
import os
import threading
import time
from typing import Any, ClassVar

import pytest

from module_utils._halibut.bson import Date, Guid
from module_utils._halibut.contracts import DataStream, ScriptStatusRequest, StartScriptCommandV2, Untyped
from module_utils._halibut.messages import Request
from tentacle_agent.dispatch import (
    SHUTTING_DOWN,
    TARGET_INVOCATION,
    Call,
    Context,
    Dispatcher,
    Download,
    Method,
    Peer,
    ServiceError,
    argument_name,
)

PEER = Peer("127.0.0.1", "A" * 40, "C000001")


class Sink:
    """Remembers what happened to it."""

    def __init__(self, breaks: bool = False) -> None:
        self.data, self.closed, self.discarded, self.breaks = b"", False, False, breaks

    def write(self, data: Any) -> None:
        if self.breaks:
            raise OSError(28, "No space left on device")
        self.data += bytes(data)

    def close(self) -> None:
        self.closed = True

    def discard(self) -> None:
        self.discarded = True


class Tester:
    """A service for these tests."""

    TYPE_NAME = "Tests.Tester"
    sink = Sink()

    def take(self, context: Context, stream: DataStream) -> str:
        return str(context.streams.pop(stream.id).data, "ascii")

    def fail(self, context: Context, how: str) -> None:
        raise {"service": ServiceError("It does not work."), "bug": KeyError("secret"),
               "system": PermissionError(13, "Permission denied", "/secret")}[how]

    METHODS: ClassVar[dict[str, Method]] = {}


@pytest.fixture
def tester() -> Tester:
    service = Tester()
    service.sink = Sink()
    service.METHODS = {  # type: ignore[misc]
        "echo": Method("Echo", (str,), lambda context, text: text, returns="System.String"),
        "void": Method("Void", (), lambda context: None),
        "fail": Method("Fail", (str,), service.fail),
        "take": Method("Take", (DataStream,), service.take, open_stream=lambda *_unused: service.sink,
                       discard_stream=Sink.discard, returns="System.String"),
        "status": Method("Status", (ScriptStatusRequest,), lambda *_unused: None),
        "startscript": Method("StartScript", (StartScriptCommandV2,), lambda *_unused: None),
        "file": Method("File", (), lambda *_unused: Download(DataStream(Guid(bytes(16)), 3), io.BytesIO(b"abc"))),
    }
    return service


def prepare(tester: Tester, method: str, *params: Any, service: str = "ITester") -> Call:
    request = Request("id", Guid(bytes(16)), service, method, params)
    return Dispatcher({"ITester": tester}).prepare(request, PEER)


def test_results_go_back_under_the_requests_id(tester: Tester) -> None:
    response = prepare(tester, "ECHO", "x").finish()
    assert (response.id, response.result, response.error) == ("id", "x", None)
    assert prepare(tester, "Void").finish().result is None
    assert prepare(tester, "Echo", None).finish().error is None


def test_a_download_is_handed_over_beside_the_answer(tester: Tester) -> None:
    call = prepare(tester, "File")
    response = call.finish()
    assert response.result == DataStream(Guid(bytes(16)), 3)
    assert call.download is not None
    file = call.download.file
    assert call.refuse("no").error is not None
    assert file.closed


@pytest.mark.parametrize("name", ["IOther", "itester", ""])
def test_unknown_services_get_the_originals_text(tester: Tester, name: str) -> None:
    error = prepare(tester, "Echo", "x", service=name).finish().error
    assert error is not None
    assert error.message == f"Error: {name} has not been registered through an IAutofacServiceSource"
    assert error.details == f"Octopus.Tentacle.Communications.UnknownServiceNameException: {error.message}"
    assert error.type_name is None


@pytest.mark.parametrize("name", ["Nothing", "EchoAsync", ""])
def test_unknown_methods_name_the_class(tester: Tester, name: str) -> None:
    error = prepare(tester, name).finish().error
    assert error is not None
    assert error.message == f"Method Tests.Tester::{name}Async not found"
    assert error.type_name == "Halibut.Exceptions.MethodNotFoundHalibutClientException"
    assert (error.details or "").startswith(error.type_name)


def test_wrong_arguments_list_the_candidate_and_what_came(tester: Tester) -> None:
    error = prepare(tester, "Echo", "x", "y").finish().error
    assert error is not None
    assert error.message == (
        "Could not decide which candidate to call out of the following methods:\n"
        " - System.Threading.Tasks.Task`1[System.String] EchoAsync(System.String, System.Threading.CancellationToken)\n"
        "The request arguments were:\nString, String\n"
    )
    assert error.type_name == "Halibut.Exceptions.AmbiguousMethodMatchHalibutClientException"
    error = prepare(tester, "Status", Untyped({})).finish().error
    assert error is not None
    assert " - System.Threading.Tasks.Task StatusAsync(Octopus.Tentacle.Contracts.ScriptStatusRequest, " in (
        error.message or "")
    assert (error.message or "").endswith("\nJObject\n")


@pytest.mark.parametrize(("value", "name"), [
    (None, "<null>"), (True, "Boolean"), (1, "Int64"), (1.5, "Double"), ("x", "String"), (Guid(bytes(16)), "Guid"),
    (Date(1), "DateTime"), (b"x", "Byte[]"), (Untyped([]), "JArray"), (Untyped({}), "JObject"),
    (DataStream(Guid(bytes(16)), 1), "DataStream"), (ScriptStatusRequest(None, 0), "ScriptStatusRequest"),
])
def test_arguments_are_named_as_dotnet_does(value: Any, name: str) -> None:
    assert argument_name(value) == name


def test_failures_of_methods_begin_with_the_sentence_that_stops_retries(tester: Tester) -> None:
    for how, message in (("service", "It does not work."), ("system", "Permission denied")):
        call = prepare(tester, "Fail", how)
        error = call.finish().error
        assert error is not None
        assert error.message == message
        assert (error.details or "").startswith(TARGET_INVOCATION + "\n ---> System.")
        assert error.type_name is None
        assert call.failure == message


def test_unexpected_failures_tell_nothing(tester: Tester) -> None:
    error = prepare(tester, "Fail", "bug").finish().error
    assert error is not None
    assert "secret" not in f"{error.message}{error.details}"
    assert "C000001" in (error.message or "")


def test_a_stream_reaches_its_method(tester: Tester) -> None:
    stream = DataStream(Guid(os.urandom(16)), 3)
    call = prepare(tester, "Take", stream)
    sink = call.open_stream(stream)
    sink.write(b"abc")
    sink.close()
    assert call.finish().result == "abc"
    assert tester.sink.closed
    assert not tester.sink.discarded


def test_a_stream_that_cannot_be_written_is_read_over_and_told_at_the_end(tester: Tester) -> None:
    tester.sink = Sink(breaks=True)
    stream = DataStream(Guid(os.urandom(16)), 3)
    call = prepare(tester, "Take", stream)
    sink = call.open_stream(stream)
    with pytest.raises(OSError, match="No space") as caught:
        sink.write(b"abc")
    sink.fail(caught.value)
    sink.write(b"def")
    error = call.finish().error
    assert error is not None
    assert error.message == "No space left on device"
    assert tester.sink.discarded


def test_streams_of_calls_that_fit_nothing_and_of_abandoned_ones_are_discarded(tester: Tester) -> None:
    stream = DataStream(Guid(os.urandom(16)), 3)
    sink = prepare(tester, "Echo", "x", stream).open_stream(stream)
    sink.write(b"abc")
    sink.close()
    call = prepare(tester, "Take", stream)
    call.open_stream(stream).write(b"a")
    call.abandon()
    assert tester.sink.discarded
    assert call.failure


def test_further_services_are_built_once_and_only_when_they_are_asked_for(tester: Tester) -> None:
    built: list[int] = []
    ready = threading.Barrier(4)

    def build_rest() -> dict[str, Any]:
        built.append(len(built))
        time.sleep(0.05)
        return {"ITester": tester}

    def ask() -> None:
        ready.wait()
        answers.append(dispatcher.prepare(Request("id", Guid(bytes(16)), "ITester", "Void", ()), PEER).finish().error)

    answers: list[Any] = []
    dispatcher = Dispatcher({"IFirst": tester}, build_rest)
    assert dispatcher.prepare(Request("id", Guid(bytes(16)), "IFirst", "Void", ()), PEER).finish().error is None
    assert not built
    threads = [threading.Thread(target=ask) for _unused in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [None] * 4
    dispatcher.complete()
    assert built == [0]


def test_a_failure_to_build_further_services_is_raised_and_tried_again(tester: Tester) -> None:
    outcomes = [OSError("no disk"), {"ITester": tester}]

    def build_rest() -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    dispatcher = Dispatcher({}, build_rest)
    with pytest.raises(OSError, match="no disk"):
        dispatcher.complete()
    assert dispatcher.prepare(Request("id", Guid(bytes(16)), "ITester", "Void", ()), PEER).finish().error is None


def test_a_stopping_agent_refuses_scripts_first_and_everything_later(tester: Tester) -> None:
    dispatcher = Dispatcher({"ITester": tester})

    def ask(method: str, *params: Any) -> str | None:
        error = dispatcher.prepare(Request("id", Guid(bytes(16)), "ITester", method, params), PEER).finish().error
        return error.message if error else None

    dispatcher.drain()
    assert ask("StartScript", None) == SHUTTING_DOWN
    assert ask("Void") is None
    dispatcher.stop()
    assert ask("Void") == SHUTTING_DOWN
    assert ask("StartScript", None) == SHUTTING_DOWN
