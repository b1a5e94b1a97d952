from __future__ import annotations

import random

import pytest

from module_utils._halibut import bson, messages, repeats
from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import TYPES, ScriptStatusRequestV2, ScriptTicket
from module_utils._halibut.errors import RemoteProtocolError
from module_utils._halibut.incoming import RequestDecoder
from module_utils._halibut.messages import Request
from module_utils._halibut.repeats import RequestMemory

A, B = Guid(b"a" * 16), Guid(b"b" * 16)
ENDPOINT = {"BaseUri": "https://localhost:10933/", "RetryCountLimit": 5}
CAPABILITIES = Request("0001", A, "ICapabilitiesServiceV2", "GetCapabilities", (), ENDPOINT)
STATUS = Request("0001", A, "IScriptServiceV2", "GetStatus", (ScriptStatusRequestV2(ScriptTicket("t"), 7),), ENDPOINT)


def written(request: Request) -> bytes:
    return bson.encode(messages.request_document(request))


def read(data: bytes, memory: RequestMemory) -> object:
    try:
        return RequestDecoder(TYPES, memory).decode(data)
    except RemoteProtocolError as error:
        return str(error)


@pytest.mark.parametrize("request_", [CAPABILITIES, STATUS], ids=lambda request: request.method)
def test_the_same_with_other_ids_is_recognised(request_):
    memory = RequestMemory()
    assert memory.recognise(written(request_)) is None
    read(written(request_), memory)
    again = Request("0002", B, request_.service, request_.method, request_.params, request_.endpoint)
    recognised = memory.recognise(written(again))
    assert recognised == again
    assert recognised.endpoint is memory.endpoint.validated


def test_another_call_replaces_the_last():
    memory = RequestMemory()
    read(written(CAPABILITIES), memory)
    assert read(written(STATUS), memory) == STATUS
    assert memory.recognise(written(CAPABILITIES)) is None
    assert memory.recognise(written(STATUS)) == STATUS


def test_whatever_is_changed_is_read_as_without_a_memory():
    """Each byte in turn, and 5,000 times some bytes, of a request that is remembered."""
    chance = random.Random(10933)
    for original in (written(CAPABILITIES), written(STATUS)):
        memory = RequestMemory()
        read(original, memory)
        known = memory.known
        for number in range(len(original) + 5000):
            data = bytearray(original)
            some = chance.choices(range(len(data)), k=chance.randint(1, 4))
            for position in [number] if number < len(data) else some:
                data[position] = chance.choice((0, 1, 2, 5, 0x41, 0xFF, chance.randrange(256)))
            memory.known = known
            assert read(bytes(data), memory) == read(bytes(data), RequestMemory())


@pytest.mark.parametrize("members", [
    {"service": "S", "id": "1", "activityId": A},  # another order
    {"id": None, "activityId": A},
    {"id": "1", "method": "M", "activityId": A},
    {"id": "1", "activityId": b"a" * 16},
    {"id": "1", "activityId": A, "ID": "2"},  # the last one counts
    {"id": "1", "activityId": A, "ActivityID": B},
])
def test_what_could_be_misunderstood_is_not_remembered(members):
    memory = RequestMemory()
    data = bson.encode({"Message": {"$type": messages.REQUEST_TYPE, **members, "params": []}})
    assert read(data, memory) == read(data, RequestMemory())
    assert memory.known is None


def test_no_other_document_and_no_large_one_is_remembered():
    memory = RequestMemory()
    memory.remember(bson.encode({"message": {"id": "1", "activityId": A}}), CAPABILITIES)
    memory.remember(bson.encode({"Message": {"id": "1", "activityId": A}}), CAPABILITIES)
    large = Request("1", A, "S", "M" * repeats.MAX_REMEMBERED, (), ENDPOINT)
    read(written(large), memory)
    assert memory.known is None


def test_an_id_that_is_no_text_is_not_recognised():
    memory = RequestMemory()
    data = written(CAPABILITIES)
    read(data, memory)
    assert memory.recognise(data.replace(b"0001", b"\xff001")) is None
