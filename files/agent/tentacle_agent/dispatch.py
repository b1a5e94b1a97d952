# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # overloads are chosen by exact types
"""From a request to an answer: find the service and the method, run it, word every failure as the original does.

A request with data streams is served in two steps, because nothing of a stream may wait in memory: `Dispatcher.prepare`
chooses the method from the message alone, `Call.open_stream` then gives each stream a place to go while it arrives,
and `Call.finish` runs the method when everything is there. What goes wrong on the way is remembered and told by
`finish`: the streams are read to their end in any case, so that the connection stays usable.

What peers are told follows (docs/protocol/halibut-wire.md §6.4) and (docs/protocol/tentacle-services.md §4.4): the
first line of `details` decides how a client sees a failure, whether it retries, and whether it falls back to an older
service, so those texts are constants. Failures that no service foresaw are answered with a sentence that tells nothing
about this host.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO, Callable, Protocol

from module_utils._halibut.bson import Date, Guid
from module_utils._halibut.contracts import DataStream, Untyped
from module_utils._halibut.messages import Request, Response, ServerError
from module_utils._halibut.values import value

LOG = logging.getLogger("tentacle_agent.dispatch")

SHUTTING_DOWN = "The Tentacle service is shutting down and cannot process this request."
START_SCRIPT = "startscript"
UNEXPECTED = "The agent could not finish this call because of an unexpected error; its log has more, connection {}."
TARGET_INVOCATION = (
    "System.Reflection.TargetInvocationException: Exception has been thrown by the target of an invocation."
)
END_OF_INNER = "   --- End of inner exception stack trace ---"
METHOD_NOT_FOUND = "Halibut.Exceptions.MethodNotFoundHalibutClientException"
AMBIGUOUS = "Halibut.Exceptions.AmbiguousMethodMatchHalibutClientException"
NULL_REFERENCE = "Object reference not set to an instance of an object."


@value(frozen=True)
class Peer:
    """Who asks: network address, SHA-1 thumbprint of the certificate, and our number of the connection."""

    address: str
    thumbprint: str
    connection_id: str


class Sink(Protocol):
    """Where the bytes of one incoming data stream go."""

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes. May raise; the rest of the stream is then read and thrown away."""

    def close(self) -> None:
        """The stream is whole."""


class ServiceError(Exception):
    """A failure that the peer is told: `str(error)` is its sentence, `type_name` the .NET type that it stands for."""

    def __init__(self, message: str, type_name: str = "System.InvalidOperationException") -> None:
        super().__init__(message)
        self.type_name = type_name

    @classmethod
    def null_reference(cls) -> ServiceError:
        """What the original says when it is given null where it needs a value."""
        return cls(NULL_REFERENCE, "System.NullReferenceException")


@value(frozen=True)
class Context:
    """What a method may know about its call. `streams` holds the filled sink of each stream, by the stream's id."""

    peer: Peer
    request: Request
    streams: dict[bytes, Any]


@value(frozen=True)
class Download:
    """A result whose content follows the answer: exactly `stream.length` bytes of `file`, which is then closed."""

    stream: DataStream
    file: BinaryIO


@value(frozen=True)
class Method:
    """One method of a service.

    `function(context, *params)` returns the result; `open_stream(context, stream, params)` the sink of an incoming
    stream (without it streams are read and thrown away); `discard_stream(sink)` undoes a sink when the call does not
    come about. `returns` is the .NET name of the result's type, empty for void; it is only used in an error's text.
    """

    name: str
    parameters: tuple[type, ...]
    function: Callable[..., Any]
    open_stream: Callable[[Context, DataStream, tuple[Any, ...]], Sink] | None = None
    discard_stream: Callable[[Any], None] | None = None
    returns: str = ""

    def accepts(self, params: tuple[Any, ...]) -> bool:
        """Whether these arguments fit: same count, each of its parameter's type; null fits every reference type."""
        if len(params) != len(self.parameters):
            return False
        for given, wanted in zip(params, self.parameters):
            if given is not None and not isinstance(given, wanted):
                return False
        return True

    def signature(self) -> str:
        """The method as .NET prints it."""
        task = "System.Threading.Tasks.Task"
        if self.returns:
            task += f"`1[{self.returns}]"
        types = [dotnet_name(parameter) for parameter in self.parameters] + ["System.Threading.CancellationToken"]
        return f"{task} {self.name}Async({', '.join(types)})"


class Service(Protocol):
    """A service: its .NET type name, and its methods by their lower-case names on the wire."""

    TYPE_NAME: str

    @property
    def METHODS(self) -> Mapping[str, Method]:
        """Methods by lower-case name."""


def dotnet_name(parameter: type) -> str:
    """Full .NET name of a parameter's type, from the names under which the type travels."""
    if parameter is str:
        return "System.String"
    names = getattr(parameter, "TYPE_NAMES", ())
    full = next((name for name in names if name.startswith("Octopus.Tentacle.")), next(iter(names), ""))
    return str(full).partition(",")[0] or f"Halibut.{parameter.__name__}"


def argument_name(value: Any) -> str:
    """How .NET names the type of a decoded argument (docs/protocol/halibut-wire.md §6.2)."""
    if value is None:
        return "<null>"
    if isinstance(value, Untyped):
        return "JArray" if isinstance(value.value, (list, tuple)) else "JObject"
    for kind, name in ((bool, "Boolean"), (Date, "DateTime"), (int, "Int64"), (float, "Double"), (str, "String"),
                       (Guid, "Guid"), (bytes, "Byte[]")):
        if isinstance(value, kind):
            return name
    return dotnet_name(type(value)).rpartition(".")[2]


def unknown_service(name: str | None) -> ServerError:
    """The original's answer for a service that it does not have; its client counts it as unknown and retries."""
    text = f"Error: {name or ''} has not been registered through an IAutofacServiceSource"
    return ServerError(text, f"Octopus.Tentacle.Communications.UnknownServiceNameException: {text}", None)


def unknown_method(service: Service, name: str | None) -> ServerError:
    """No method of that name."""
    text = f"Method {service.TYPE_NAME}::{name or ''}Async not found"
    return ServerError(text, f"{METHOD_NOT_FOUND}: {text}", METHOD_NOT_FOUND)


def ambiguous(method: Method, params: tuple[Any, ...]) -> ServerError:
    """The arguments do not fit the one method of that name."""
    text = (
        "Could not decide which candidate to call out of the following methods:\n"
        f" - {method.signature()}\n"
        f"The request arguments were:\n{', '.join(argument_name(value) for value in params)}\n"
    )
    details = f"{AMBIGUOUS}: {text}\n ---> System.Reflection.AmbiguousMatchException: {text}\n{END_OF_INNER}"
    return ServerError(text, details, AMBIGUOUS)


def failed(message: str, type_name: str) -> ServerError:
    """The method itself failed: a client must see the target-invocation sentence first, else it retries for minutes."""
    return ServerError(message, f"{TARGET_INVOCATION}\n ---> {type_name}: {message}\n{END_OF_INNER}", None)


class DiscardingSink:
    """Takes the bytes of a stream that nobody wants."""

    def write(self, data: bytes | memoryview) -> None:
        """Forget them."""

    def close(self) -> None:
        """Nothing was kept."""


class GuardedSink:
    """Passes a stream on to the method's sink, until that fails; then it only notes the failure for `Call.finish`."""

    def __init__(self, call: Call, sink: Sink) -> None:
        self._call = call
        self._sink = sink
        self.write = sink.write  # the hot path has no frame of its own; see fail()

    def close(self) -> None:
        """The stream is whole."""
        try:
            self._sink.close()
        except Exception as error:
            self._call.note(error)

    def fail(self, error: Exception) -> None:
        """The sink's write raised: remember why, and take the rest of the stream without keeping it."""
        self._call.note(error)
        self.write = DiscardingSink().write


class Call:
    """One request on its way to an answer. Use: `open_stream` for each stream, then `finish` or `abandon`."""

    __slots__ = ("_error", "_method", "context", "download", "failure", "request")

    def __init__(self, request: Request, peer: Peer, method: Method | None, error: ServerError | None) -> None:
        self.request = request
        self.context = Context(peer, request, {})
        self.download: Download | None = None
        self.failure: str | None = None
        self._method = method
        self._error = error

    def open_stream(self, stream: DataStream) -> GuardedSink | DiscardingSink:
        """Give an incoming stream its sink. Never raises: what fails is told by `finish`."""
        method = self._method
        if self._error is not None or method is None or method.open_stream is None:
            return DiscardingSink()
        try:
            sink = method.open_stream(self.context, stream, self.request.params)
        except Exception as error:
            self.note(error)
            return DiscardingSink()
        self.context.streams[stream.id] = sink
        return GuardedSink(self, sink)

    def note(self, error: Exception) -> None:
        """Remember the first failure for the answer."""
        if self._error is None:
            self._error = self._explain(error)

    def finish(self) -> Response:
        """Run the method and return its answer. Never raises."""
        request, method = self.request, self._method
        if self._error is None and method is not None:
            try:
                result = method.function(self.context, *request.params)
                if type(result) is Download:
                    self.download = result
                    result = result.stream
                return Response(request.id, result)
            except Exception as error:
                self.note(error)
        self._discard()
        self.failure = self._error.message if self._error is not None else None
        return Response(request.id, None, self._error)

    def refuse(self, reason: str) -> Response:
        """The answer that takes the place of one that cannot be sent; for a sentence of our own."""
        if self.download is not None:
            self.download.file.close()
            self.download = None
        self.failure = reason
        return Response(self.request.id, None, failed(reason, "System.InvalidOperationException"))

    def abandon(self) -> None:
        """The connection ended before the request was whole: nothing half-written stays."""
        self.failure = "the connection ended before the request was complete"
        self._discard()

    def _discard(self) -> None:
        method = self._method
        if method is None or method.discard_stream is None:
            return
        for sink in self.context.streams.values():
            try:
                method.discard_stream(sink)
            except Exception:
                LOG.exception("%s could not remove what is left of a broken upload", self.context.peer.connection_id)
        self.context.streams.clear()

    def _explain(self, error: Exception) -> ServerError:
        """An exception as the peer may see it."""
        if isinstance(error, ServiceError):
            return failed(str(error), error.type_name)
        if isinstance(error, OSError) and error.strerror:
            LOG.warning("%s %s.%s failed: %s", self.context.peer.connection_id, self.request.service,
                        self.request.method, error)
            return failed(error.strerror, "System.IO.IOException")
        LOG.error("%s %s.%s failed", self.context.peer.connection_id, self.request.service, self.request.method,
                  exc_info=error)
        return failed(UNEXPECTED.format(self.context.peer.connection_id), "System.Exception")


class Dispatcher:
    """Knows the services by their case-sensitive wire names (docs/protocol/halibut-wire.md §6.1).

    `build_rest` gives the services that take longer to build. It is called by `complete` or by the first request for
    something else than `services`, until it has succeeded once; both raise what it raises.
    """

    def __init__(
        self, services: Mapping[str, Service], build_rest: Callable[[], Mapping[str, Service]] | None = None
    ) -> None:
        self._services = dict(services)
        self._build_rest = build_rest
        self._building = threading.Lock()
        self._draining = False
        self._stopped = False

    def complete(self) -> None:
        """Build the services that are not there yet, or wait until another thread has."""
        with self._building:
            if self._build_rest is not None:
                self._services.update(self._build_rest())
                self._build_rest = None

    def prepare(self, request: Request, peer: Peer) -> Call:
        """Choose the method for a request; one that fits nothing gets a call that says so."""
        if self._draining and (self._stopped or (request.method or "").lower() == START_SCRIPT):
            error = ServerError(SHUTTING_DOWN, f"System.InvalidOperationException: {SHUTTING_DOWN}", None)
            return Call(request, peer, None, error)
        service = self._services.get(request.service or "")
        if service is None:
            self.complete()
            service = self._services.get(request.service or "")
        if service is None:
            return Call(request, peer, None, unknown_service(request.service))
        method = service.METHODS.get((request.method or "").lower())
        if method is None:
            return Call(request, peer, None, unknown_method(service, request.method))
        if not method.accepts(request.params):
            return Call(request, peer, None, ambiguous(method, request.params))
        return Call(request, peer, method, None)

    def drain(self) -> None:
        """From now on no script is started; all else goes on, so that clients can see running ones to their end."""
        self._draining = True

    def stop(self) -> None:
        """From now on every call is answered with the original's sentence about shutting down."""
        self._draining = self._stopped = True
