# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
"""Requests and responses, and their documents (docs/protocol/halibut-wire.md §4.3 to §4.6)."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Union

from . import slots
from .bson import Date, Guid, Int64, encode, encode_text
from .errors import LocalProtocolError, RemoteProtocolError
from .objects import Contract, DataStream, Prepared, Untyped
from .slots import TYPE, Members
from .values import value

REQUEST_TYPE = "Halibut.Transport.Protocol.RequestMessage, Halibut"
RESPONSE_TYPE = "Halibut.Transport.Protocol.ResponseMessage, Halibut"
_RESPONSE_TYPE = encode_text(b"$type", RESPONSE_TYPE)
_INT32 = struct.Struct("<i")
_ENVELOPE = Members("the envelope", (), "Message")
_REQUEST = Members("the request", (REQUEST_TYPE,), "id", "activityId", "endpoint", "service", "method", "params")
_RESPONSE = Members("the response", (RESPONSE_TYPE,), "id", "error", "result")
_ERROR = Members("the response's error", (), "message", "details", "HalibutErrorType")
_ENDPOINT = Members(
    "endpoint", (), "PollingRequestQueueTimeout", "RetryListeningSleepInterval", "RetryCountLimit",
    "ConnectionErrorRetryTimeout", "TcpClientConnectTimeout", "BaseUri", "RemoteThumbprint", "Proxy",
    "ForceResolveHost",
)
_PROXY = Members("endpoint.Proxy", (), "Host", "Port", "UserName", "Password", "Type")
_PROXY_TYPES = ("None", "HTTP", "SOCKS4", "SOCKS4A", "SOCKS5")
_ABSOLUTE_URI = r"\s*[A-Za-z][A-Za-z0-9+.-]*:."
_SCALARS = frozenset((type(None), str, bool, int, Int64, float, Guid, Date, bytes))

Types = Mapping[str, type[Contract]]


@value(frozen=True)
class ServerError:
    """Why a call failed. `details` begins with a sentence by which .NET clients classify it (§6.4)."""

    message: str | None
    details: str | None = None
    type_name: str | None = None


@value(frozen=True)
class Request:
    """A call. `endpoint` is what the client knows about the service: validated, not interpreted, not to be changed."""

    id: str | None
    activity_id: Guid
    service: str
    method: str
    params: tuple[Any, ...] = ()
    endpoint: Mapping[str, Any] | None = None


@value(frozen=True)
class Response:
    """The answer to a call: the request's `id`, and either a result (None for none) or an error."""

    id: str | None
    result: Any = None
    error: ServerError | None = None


Message = Union[Request, Response]


def streams_of(message: Message) -> tuple[DataStream, ...]:
    """The data streams that a message announces, in document order."""
    values: Sequence[Any] = message.params if isinstance(message, Request) else (message.result,)
    if not values:
        return ()
    return tuple([stream for value in values if isinstance(value, Contract) for stream in value.streams()])


# Reading ---------------------------------------------------------------------------------------------------------


def read_request(document: Any, types: Types, validated: Any = None) -> Request | None:
    """The request in a decoded document; None for the null message. Raises RemoteProtocolError.

    `validated` is an endpoint object that was read before, and is not judged again.
    """
    message = _message(document)
    if message is None:
        return None
    members = _REQUEST.of(message)
    endpoint = members.get("endpoint")
    if endpoint is not None and endpoint is not validated:
        _validate_endpoint(endpoint)
    params = slots.items(members.get("params"), "params")
    return Request(
        slots.text(members.get("id"), "id"),
        slots.guid(members.get("activityId", slots.NIL), "activityId"),
        slots.text(members.get("service"), "service") or "",
        slots.text(members.get("method"), "method") or "",
        tuple([read_slot(value, types) for value in params]) if params else (),
        endpoint,
    )


def read_response(document: Any, types: Types) -> Response | None:
    """The response in a decoded document; None for the null message. Raises RemoteProtocolError."""
    message = _message(document)
    if message is None:
        return None
    members = _RESPONSE.of(message)
    error = members.get("error")
    return Response(
        id=slots.text(members.get("id"), "id"),
        result=read_slot(members.get("result"), types),
        error=None if error is None else _read_error(error),
    )


def _message(document: Any) -> Any:
    if type(document) is dict and len(document) == 1 and "Message" in document:
        return document["Message"]
    return _ENVELOPE.of(document).get("Message")


def _read_error(value: Any) -> ServerError:
    members = _ERROR.of(value)
    return ServerError(
        message=slots.text(members.get("message"), "error.message"),
        details=slots.text(members.get("details"), "error.details"),
        type_name=slots.text(members.get("HalibutErrorType"), "error.HalibutErrorType"),
    )


def read_slot(value: Any, types: Types) -> Any:
    """The value of a parameter or result, whose type the sender chose (§4.7)."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is not dict or next(iter(value), None) != TYPE:
        return Untyped(value)
    name = value[TYPE]
    contract = types.get(name) if type(name) is str else None
    if contract is None:
        raise RemoteProtocolError(f"The message cannot be read: type {str(name)[:120]!r} is not on the list.")
    return contract.from_document(value)


def _validate_endpoint(endpoint: Any) -> None:
    """Refuse what the original refuses: no absolute address, and values that its class cannot take (§4.6)."""
    members = _ENDPOINT.of(endpoint)
    for name in ("PollingRequestQueueTimeout", "RetryListeningSleepInterval", "ConnectionErrorRetryTimeout",
                 "TcpClientConnectTimeout"):
        if name in members:
            slots.time_span(members[name], f"endpoint.{name}")
    for name in ("RemoteThumbprint", "ForceResolveHost"):
        slots.text(members.get(name), f"endpoint.{name}")
    slots.int32(members.get("RetryCountLimit", 0), "endpoint.RetryCountLimit")
    uri = members.get("BaseUri")
    if type(uri) is not str or not re.match(_ABSOLUTE_URI, uri):
        raise slots.unconvertible(uri, "endpoint.BaseUri", "an absolute address")
    if members.get("Proxy") is not None:
        proxy = _PROXY.of(members["Proxy"])
        for name in ("Host", "UserName", "Password"):
            slots.text(proxy.get(name), f"endpoint.Proxy.{name}")
        slots.int32(proxy.get("Port", 0), "endpoint.Proxy.Port")
        slots.enumeration(proxy.get("Type", 0), "endpoint.Proxy.Type", _PROXY_TYPES)


# Writing ---------------------------------------------------------------------------------------------------------


def request_document(request: Request) -> dict[str, Any]:
    """The document of a request, members in the original's order. Raises LocalProtocolError."""
    return {"Message": {
        TYPE: REQUEST_TYPE,
        "id": request.id,
        "activityId": request.activity_id,
        "endpoint": request.endpoint,
        "service": request.service,
        "method": request.method,
        "params": [write_slot(value) for value in request.params],
    }}


def response_document(response: Response) -> dict[str, Any]:
    """The document of a response, every member written, null included. Raises LocalProtocolError."""
    error = response.error
    return {"Message": {
        TYPE: RESPONSE_TYPE,
        "id": response.id,
        "error": None if error is None else {
            "message": error.message,
            "details": error.details,
            "HalibutErrorType": error.type_name,
        },
        "result": write_slot(response.result),
    }}


def encode_response(response: Response) -> bytes:
    """The document of a response as bytes; a constant answer is put between the rest. Raises LocalProtocolError."""
    result = response.result
    if type(result) is not Prepared or response.error is not None or response.id is None:
        return encode(response_document(response))
    members = b"%b%b\x0aerror\0\x03result\0%b" % (_RESPONSE_TYPE, encode_text(b"id", response.id), result.encoded)
    size = len(members) + 5
    return b"%b\x03Message\0%b%b\0\0" % (_INT32.pack(size + 14), _INT32.pack(size), members)


def write_slot(value: Any) -> Any:
    """A parameter or result as BSON takes it. Raises LocalProtocolError for what a peer could not read."""
    if isinstance(value, Contract):
        return value.to_document(as_slot=True)
    if isinstance(value, Untyped):
        return value.value
    if type(value) in _SCALARS and type(value) is not bytes:
        return value
    raise LocalProtocolError(f"A value of type {type(value).__name__} cannot be a parameter or a result.")
