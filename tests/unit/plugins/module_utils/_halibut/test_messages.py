from __future__ import annotations

import pytest

from module_utils._halibut import bson, messages
from module_utils._halibut.bson import Date, Guid, Int64
from module_utils._halibut.contracts import (
    TYPES,
    CapabilitiesResponseV2,
    DataStream,
    ScriptTicket,
    Untyped,
    UploadResult,
)
from module_utils._halibut.errors import LocalProtocolError, RemoteProtocolError
from module_utils._halibut.messages import Request, Response, ServerError, read_request, read_response
from module_utils._halibut.objects import Prepared

GUID = Guid(bytes(range(16)))
ENDPOINT = {
    "PollingRequestQueueTimeout": "00:02:00",
    "RetryListeningSleepInterval": "00:00:01",
    "RetryCountLimit": 5,
    "ConnectionErrorRetryTimeout": "00:05:00",
    "TcpClientConnectTimeout": "00:01:00",
    "BaseUri": "https://localhost:10933/",
    "RemoteThumbprint": "A" * 40,
    "Proxy": None,
    "ForceResolveHost": None,
    "IsWebSocketEndpoint": False,
}
PROXY = {"Host": "proxy", "Port": 8080, "UserName": None, "Password": None, "Type": 1}
REQUEST = Request("id-1", GUID, "IFileTransferService", "UploadFile", ("path", DataStream(GUID, 5)), ENDPOINT)


def test_request_round_trips():
    document = messages.request_document(REQUEST)
    assert list(document["Message"]) == ["$type", "id", "activityId", "endpoint", "service", "method", "params"]
    assert read_request(document, TYPES) == REQUEST
    assert messages.streams_of(REQUEST) == (DataStream(GUID, 5),)


@pytest.mark.parametrize("result", [None, "x", 5, True, 1.5, CapabilitiesResponseV2(("a",)), DataStream(GUID, 0)])
def test_response_round_trips(result):
    response = Response("id-1", result)
    document = messages.response_document(response)
    assert list(document["Message"]) == ["$type", "id", "error", "result"]
    assert read_response(document, TYPES) == response


def test_error_round_trips():
    response = Response("id-1", None, ServerError("m", "d", "t"))
    document = messages.response_document(response)
    assert list(document["Message"]["error"]) == ["message", "details", "HalibutErrorType"]
    assert read_response(document, TYPES) == response
    assert messages.streams_of(response) == ()


def test_errors_of_older_peers_have_fewer_members():
    response = read_response({"Message": {"error": {"message": "m"}}}, TYPES)
    assert response == Response(None, None, ServerError("m"))


def test_null_messages():
    for document in ({"Message": None}, {}, {"Other": 1}):
        assert read_request(document, TYPES) is None
        assert read_response(document, TYPES) is None


def test_envelope_in_another_case_and_with_more():
    document = messages.request_document(REQUEST)
    assert read_request({"message": document["Message"]}, TYPES) == REQUEST
    assert read_request({"x": 1, **document}, TYPES) == REQUEST


def test_minimal_request():
    assert read_request({"Message": {}}, TYPES) == Request(None, Guid(bytes(16)), "", "")


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("id", [], "id is"),
        ("activityId", None, "activityId is null"),
        ("activityId", "x", "activityId is"),
        ("service", {}, "service is"),
        ("method", [], "method is"),
        ("params", "x", "params is"),
        ("params", {}, "params is"),
        ("params", [{"$type": "System.IO.FileInfo, System.Private.CoreLib"}], "not on the list"),
        ("params", [{"$type": 5}], "not on the list"),
        ("endpoint", "x", "endpoint is"),
        ("endpoint", {}, "BaseUri is null"),
    ],
)
def test_requests_that_cannot_be_read(member, value, reason):
    document = messages.request_document(REQUEST)
    document["Message"][member] = value
    with pytest.raises(RemoteProtocolError, match=reason):
        read_request(document, TYPES)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        5,
        {"Message": 5},
        {"Message": []},
        {"Message": {"$type": "x"}},
        {"Message": {"error": []}},
        {"Message": {"error": {"message": []}}},
    ],
)
def test_documents_that_are_no_response(document):
    with pytest.raises(RemoteProtocolError):
        read_response(document, TYPES)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Proxy": PROXY},
        {"Proxy": {}},
        {"BaseUri": "poll://abc/"},
        {"Unknown": []},
        {"RetryCountLimit": "5"},
        {"PollingRequestMaximumMessageProcessingTimeout": 5},
    ],
)
def test_endpoints(changes):
    document = messages.request_document(REQUEST)
    document["Message"]["endpoint"] = {**ENDPOINT, **changes}
    assert read_request(document, TYPES).endpoint == {**ENDPOINT, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"BaseUri": None},
        {"BaseUri": "localhost"},
        {"BaseUri": "/path"},
        {"BaseUri": 5},
        {"BaseUri": ""},
        {"RetryCountLimit": None},
        {"PollingRequestQueueTimeout": None},
        {"TcpClientConnectTimeout": "soon"},
        {"RemoteThumbprint": []},
        {"Proxy": "x"},
        {"Proxy": {"Host": []}},
        {"Proxy": {"Port": None}},
        {"Proxy": {"Type": "FTP"}},
        {"ForceResolveHost": {}},
    ],
)
def test_endpoints_that_are_refused(changes):
    document = messages.request_document(REQUEST)
    document["Message"]["endpoint"] = {**ENDPOINT, **changes}
    with pytest.raises(RemoteProtocolError, match="endpoint"):
        read_request(document, TYPES)


def test_a_validated_endpoint_is_not_judged_again():
    document = messages.request_document(REQUEST)
    document["Message"]["endpoint"] = bad = {}
    assert read_request(document, TYPES, bad).endpoint is bad


@pytest.mark.parametrize("value", [None, "x", True, 5, Int64(5), 1.5, GUID, Date(1), b"x"])
def test_scalars_in_slots(value):
    assert messages.read_slot(value, TYPES) is value


@pytest.mark.parametrize("value", [[1], {}, {"a": 1}, {"a": 1, "$type": "Halibut.DataStream, Halibut"}])
def test_what_has_no_type_stays_untyped(value):
    assert messages.read_slot(value, TYPES) == Untyped(value)
    assert messages.write_slot(Untyped(value)) is value


def test_streams_of_untyped_values_are_not_streams():
    assert messages.streams_of(Response("x", Untyped({"id": GUID, "length": 5}))) == ()


@pytest.mark.parametrize("value", [object(), [1], {"a": 1}, b"bytes", (1,)])
def test_what_cannot_be_in_a_slot(value):
    with pytest.raises(LocalProtocolError, match="cannot be a parameter or a result"):
        messages.write_slot(value)


@pytest.mark.parametrize("value", [UploadResult("a", None, 0), ScriptTicket("a")])
def test_objects_in_slots_begin_with_their_type(value):
    document = messages.write_slot(value)
    assert next(iter(document)) == "$type"
    assert messages.read_slot(document, TYPES) == value


def test_a_prepared_result_is_written_as_the_object_itself():
    answer = CapabilitiesResponseV2(("IScriptService", "IFileTransferService"))
    written = [bson.encode(messages.response_document(Response("1", result))) for result in (answer, Prepared(answer))]
    assert written[0] == written[1]
    assert messages.streams_of(Response("1", Prepared(answer))) == ()
    for response in (Response("1", Prepared(answer)), Response(None, Prepared(answer)), Response("1", answer),
                     Response("\ud800", Prepared(answer)), Response("1", Prepared(answer), ServerError("m"))):
        assert messages.encode_response(response) == bson.encode(messages.response_document(response))
    assert messages.read_response(bson.decode(written[1]), TYPES) == Response("1", answer)
