"""Script services over a temporary home, called as the dispatcher calls them."""

from __future__ import annotations

import os
import pathlib
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from module_utils._halibut import bson
from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import (
    COMPLETE,
    TYPES,
    CancelScriptCommandV2,
    CompleteScriptCommandV2,
    DataStream,
    ScriptFile,
    ScriptStatusRequestV2,
    ScriptStatusResponseV2,
    ScriptTicket,
    StartScriptCommandV2,
)
from module_utils._halibut.messages import Request, Response, read_response, response_document
from module_utils._halibut.objects import Contract
from module_utils._halibut.timespan import TimeSpan
from tentacle_agent.dispatch import Dispatcher, Peer
from tentacle_agent.isolation import IsolationMutex
from tentacle_agent.masking import Masker
from tentacle_agent.services.script import ScriptServices
from tentacle_agent.services.script.running_script import ScriptHost, account_name
from tentacle_agent.workspace import WorkspaceStore

PATIENCE = 20.0
Wish = Callable[[ScriptStatusResponseV2], bool]


class ServiceFailed(Exception):
    """The call was answered with an error; ``args`` are its message and details."""


def as_received(response: Response) -> Any:
    """The result as a client reads it; the lines of a large log become objects again only there."""
    bulk = response.result.bulk() if isinstance(response.result, Contract) else None
    if bulk is None:
        return response.result
    data = bulk.content.within(response_document(response), ("Message", "result", bulk.member))
    received = read_response(bson.decode(zlib.decompress(data, -15)), TYPES)
    return received.result if received else None


class Caller:
    """Calls both script services through a dispatcher, streams included."""

    def __init__(self, home: str, first_notice: float = 0.1) -> None:
        self.home = home
        self.work = pathlib.Path(home) / "Work"
        environment = {**os.environ, "TentacleHome": home}
        host = ScriptHost(IsolationMutex(), environment, account_name(), first_notice=first_notice, next_notice=0.3)
        self.services = ScriptServices(WorkspaceStore(home, reserve=0), host, Masker(()))
        self.dispatcher = Dispatcher({"IScriptService": self.services.v1, "IScriptServiceV2": self.services.v2})

    def call(self, service: str, method: str, *params: Any, contents: tuple[tuple[DataStream, bytes], ...] = ()) -> Any:
        request = Request("id", Guid(bytes(16)), service, method, params, None)
        call = self.dispatcher.prepare(request, Peer("127.0.0.1:1", "AB" * 20, "1"))
        for stream, data in contents:
            sink = call.open_stream(stream)
            for start in range(0, len(data), 1000):
                sink.write(data[start : start + 1000])
            sink.close()
        response = call.finish()
        if response.error is not None:
            raise ServiceFailed(response.error.message, response.error.details)
        return as_received(response)

    def start(self, ticket: str, body: str | None, wait: float | None = PATIENCE, files: dict[str, bytes] | None = None,
              password: str | None = None, **fields: Any) -> ScriptStatusResponseV2:
        sent = [(DataStream(Guid(os.urandom(16)), len(data)), name, data) for name, data in (files or {}).items()]
        fields.setdefault("task_id", "ServerTasks-1")
        command = StartScriptCommandV2(
            ScriptTicket(ticket), body, duration_to_wait=None if wait is None else TimeSpan.from_seconds(wait),
            files=tuple(ScriptFile(name, stream, password) for stream, name, _unused in sent), **fields,
        )
        contents = tuple((stream, data) for stream, _unused, data in sent)
        result: ScriptStatusResponseV2 = self.call("IScriptServiceV2", "StartScript", command, contents=contents)
        return result

    def status(self, ticket: str, after: int = 0) -> ScriptStatusResponseV2:
        result: ScriptStatusResponseV2 = self.call(
            "IScriptServiceV2", "GetStatus", ScriptStatusRequestV2(ScriptTicket(ticket), after))
        return result

    def cancel(self, ticket: str) -> ScriptStatusResponseV2:
        result: ScriptStatusResponseV2 = self.call(
            "IScriptServiceV2", "CancelScript", CancelScriptCommandV2(ScriptTicket(ticket), 0))
        return result

    def complete(self, ticket: str) -> None:
        assert self.call("IScriptServiceV2", "CompleteScript", CompleteScriptCommandV2(ScriptTicket(ticket))) is None

    def until(self, ticket: str, holds: Wish | None = None) -> ScriptStatusResponseV2:
        """Ask for the status until it is as wanted (without a wish: complete)."""
        limit = time.monotonic() + PATIENCE
        while True:
            status = self.status(ticket)
            if holds(status) if holds else status.state == COMPLETE:
                return status
            assert time.monotonic() < limit, status
            time.sleep(0.01)


def output(status: Any, source: int | None = None) -> list[str | None]:
    """The lines that a script wrote itself."""
    wanted = (0, 1) if source is None else (source,)
    lines = [line.text for line in status.logs if line.source in wanted]
    return lines[3:] if lines[:1] == ["##octopus[stdout-verbose]"] else lines


def has_line(text: str) -> Wish:
    return lambda status: any(text in (line.text or "") for line in status.logs)


@pytest.fixture
def caller(tmp_path: pathlib.Path) -> Iterator[Caller]:
    caller = Caller(str(tmp_path))
    yield caller
    for script in caller.services.running():
        script.cancel()
    assert caller.services.stop(PATIENCE) == 0
