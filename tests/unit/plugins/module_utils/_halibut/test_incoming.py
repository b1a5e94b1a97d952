from __future__ import annotations

import struct

import pytest

from module_utils._halibut import bson, envelope, events, incoming, messages
from module_utils._halibut.bson import Guid
from module_utils._halibut.buffer import Buffer
from module_utils._halibut.contracts import TYPES, DataStream, ScriptFile, StartScriptCommand
from module_utils._halibut.errors import RemoteProtocolError
from module_utils._halibut.incoming import MessageReader, RequestDecoder, ResponseDecoder
from module_utils._halibut.repeats import RequestMemory

A, B = Guid(b"a" * 16), Guid(b"b" * 16)
ENDPOINT = {"BaseUri": "https://localhost:10933/"}


def request_decoder():
    return RequestDecoder(TYPES, RequestMemory())


def request(*streams: DataStream, endpoint=None) -> messages.Request:
    files = tuple(ScriptFile("f", stream) for stream in streams)
    return messages.Request("id", A, "S", "M", (StartScriptCommand("x", files=files),), endpoint)


def encoded(message: messages.Request) -> bytes:
    return envelope.deflate(bson.encode(messages.request_document(message)))


def frame(name: Guid, data: bytes, length: int | None = None, trailer: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return name + struct.pack("<q", size) + data + struct.pack("<q", size if trailer is None else trailer)


def read(data: bytes, step: int = 1 << 30) -> tuple[bool, list, Buffer, MessageReader]:
    buffer = Buffer()
    reader = MessageReader(buffer, request_decoder())
    found: list = []
    done = False
    for pos in range(0, len(data), step):
        buffer.append(data[pos : pos + step])
        done = done or reader.read(found)
    return done, found, buffer, reader


def kinds(found: list) -> list[type]:
    return [type(event) for event in found if not isinstance(event, events.StreamData)]


def payload(found: list) -> bytes:
    return b"".join(bytes(event.data) for event in found if isinstance(event, events.StreamData))


def test_a_message_without_streams():
    done, found, buffer, _unused = read(encoded(request()) + b"NEXT\r\n")
    assert done
    assert kinds(found) == [events.RequestReceived, events.MessageEnded]
    assert found[0].request == request()
    assert buffer.take_line() == b"NEXT"


@pytest.mark.parametrize("step", [1, 5, 24, 1 << 20])
def test_streams_in_any_order_and_pieces(step):
    message = request(DataStream(A, 3), DataStream(B, 0))
    data = encoded(message) + frame(B, b"") + frame(A, b"abc")
    done, found, buffer, _unused = read(data, step)
    assert done
    assert kinds(found) == [
        events.RequestReceived,
        *[events.StreamStarted, events.StreamEnded] * 2,
        events.MessageEnded,
    ]
    assert payload(found) == b"abc"
    assert not buffer


def test_the_length_of_the_frame_counts():
    done, found, _unused, _unused = read(encoded(request(DataStream(A, 3))) + frame(A, b"other length"))
    assert done
    assert found[1] == events.StreamStarted(DataStream(A, 12))


def test_the_same_stream_twice():
    stream = DataStream(A, 1)
    done, found, _unused, _unused = read(encoded(request(stream, stream)) + frame(A, b"x") * 2)
    assert done
    assert payload(found) == b"xx"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame(B, b"abc"), "not announce"),
        (frame(A, b"abc", trailer=4), "another length"),
        (frame(A, b"", length=-1), "of -1 bytes"),
        (frame(A, b"", length=2**62), "bytes"),
    ],
)
def test_bad_frames(data, reason):
    with pytest.raises(RemoteProtocolError, match=reason):
        read(encoded(request(DataStream(A, 3))) + data)


def test_too_many_streams(monkeypatch):
    monkeypatch.setattr(incoming, "MAX_STREAMS", 1)
    assert not read(encoded(request(DataStream(A, 3))))[0]
    with pytest.raises(RemoteProtocolError, match="more than 1 data streams"):
        read(encoded(request(DataStream(A, 3), DataStream(B, 3))))


def test_where_a_connection_ended():
    whole = encoded(request(DataStream(A, 3)))
    for data, reason, in_streams in (
        (whole[:20], "within a message", False),
        (whole, "in front of a data stream", True),
        (whole + frame(A, b"abc")[:20], "in front of a data stream", True),
        (whole + frame(A, b"abc")[:26], f"within data stream {A}: 2 of 3 bytes", True),
        (whole + frame(A, b"abc")[:30], f"within data stream {A}: 3 of 3 bytes", True),
    ):
        done, _unused, _unused, reader = read(data)
        assert not done
        assert reader.in_streams is in_streams
        assert reason in str(reader.end_of_stream())


def test_one_reader_reads_message_after_message():
    buffer = Buffer()
    reader = MessageReader(buffer, request_decoder())
    for _unused in range(2):
        buffer.append(encoded(request(DataStream(A, 1))) + frame(A, b"x"))
        assert reader.read([])
        reader.start()
    assert not reader.in_streams


def test_the_endpoint_is_judged_once(monkeypatch):
    judged = []
    original = messages._validate_endpoint
    monkeypatch.setattr(messages, "_validate_endpoint", lambda endpoint: (judged.append(endpoint), original(endpoint)))
    decoder = request_decoder()
    for number, endpoint in enumerate((ENDPOINT, ENDPOINT, {**ENDPOINT, "Proxy": None}, ENDPOINT)):
        document = messages.request_document(request(endpoint=endpoint))
        document["Message"]["method"] = "M" * (number + 1)  # else it is recognised, and not read at all
        decoder.decode(bson.encode(document))
    assert len(judged) == 3


def test_an_endpoint_in_another_case_is_judged_every_time():
    document = messages.request_document(request())
    document["Message"]["ENDPOINT"] = {}
    del document["Message"]["endpoint"]
    with pytest.raises(RemoteProtocolError, match="BaseUri"):
        request_decoder().decode(bson.encode(document))


def test_null_messages():
    for decoder, reason in ((request_decoder(), "a request"), (ResponseDecoder(TYPES), "a response")):
        with pytest.raises(RemoteProtocolError, match=reason):
            decoder.decode(bson.encode({"Message": None}))


def test_requests_may_have_fewer_elements_than_responses(monkeypatch):
    monkeypatch.setattr(incoming, "MAX_REQUEST_ELEMENTS", 5)
    with pytest.raises(RemoteProtocolError, match="too many elements"):
        request_decoder().decode(bson.encode(messages.request_document(request())))
    response = messages.Response("id", "result")
    assert ResponseDecoder(TYPES).decode(bson.encode(messages.response_document(response))) == response
