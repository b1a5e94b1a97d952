"""The mistakes that an independent implementation is likely to make (docs/protocol/halibut-wire.md §10), one by one.

Those that only TLS or a service can meet (Q18, Q20, Q23, Q27) are tested where those are.
"""

from __future__ import annotations

import random
import zlib

import pytest

from module_utils._halibut import bson, contracts, envelope, messages, thumbprint
from module_utils._halibut.bson import Date, Guid, Int64
from module_utils._halibut.connection import Connection, Role, State
from module_utils._halibut.contracts import DataStream, ScriptTicket, StartScriptCommandV2
from module_utils._halibut.errors import LocalProtocolError, RemoteProtocolError, UnknownIdentity
from module_utils._halibut.events import (
    Accept,
    Goodbye,
    GoodbyeReceived,
    Hello,
    MessageEnded,
    Next,
    NextReceived,
    PageRequested,
    PeerClosed,
    PeerIdentified,
    PrefaceReceived,
    RequestReceived,
    ResponseReceived,
    StreamData,
    StreamEnd,
)
from module_utils._halibut.messages import Request, Response, ServerError
from module_utils._halibut.timespan import TimeSpan

GUID = Guid(bytes(range(16)))
CALL = Request("id", GUID, "ICapabilitiesServiceV2", "GetCapabilities")


def raw_deflate(data: bytes, mode: int = zlib.Z_FINISH) -> bytes:
    writer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return writer.compress(data) + writer.flush(mode)


def document_of(message) -> bytes:
    write = messages.request_document if isinstance(message, Request) else messages.response_document
    return bson.encode(write(message))


def greeted(role: Role) -> Connection:
    side = Connection(role)
    if role is Role.SERVICE:
        side.receive_data(b"MX\n\n")
        side.events()
        side.send(Accept())
        side.receive_data(b"MX-CLIENT 1.0\r\n\r\n")
    else:
        side.send(Hello())
        side.receive_data(b"MX-SERVER 1.0\r\n\r\n")
    side.events()
    side.data_to_send()
    return side


def called(service: Connection, request: Request = CALL) -> Connection:
    service.receive_data(raw_deflate(document_of(request)))
    service.events()
    return service


def test_q1_preface_and_identity_are_two_openings():
    service = Connection(Role.SERVICE)
    service.receive_data(b"MX-CLIENT 1.0\r\n\r\n")
    assert service.events() == [PrefaceReceived(b"MX-CLIENT 1.0")]
    service.send(Accept())
    assert service.events() == []
    assert service.state is State.IDENTITY
    assert service.data_to_send() == []


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_q2_the_preface_has_its_platforms_newline_all_else_has_crlf(newline):
    service = Connection(Role.SERVICE)
    service.receive_data(b"MX" + newline * 2)
    assert service.events() == [PrefaceReceived(b"MX")]
    service.send(Accept())
    service.receive_data(b"MX-CLIENT 1.0" + newline * 2)
    assert service.events() == ([PeerIdentified("MX-CLIENT", "1.0")] if newline == b"\r\n" else [])


def test_q3_an_identity_is_one_write_and_read_in_any_pieces():
    client = Connection(Role.CLIENT)
    client.send(Hello())
    assert client.data_to_send() == [b"MX\r\n\r\n", b"MX-CLIENT 1.0\r\n\r\n"]
    for byte in b"MX-SERVER 1.0\r\n\r":
        client.receive_data(bytes([byte]))
        assert client.events() == []
    client.receive_data(b"\n")
    assert client.events() == [PeerIdentified("MX-SERVER", "1.0")]


def test_q4_every_part_is_a_write_of_its_own():
    client = greeted(Role.CLIENT)
    client.send(Request("id", GUID, "S", "M", (DataStream(GUID, 2),)))
    client.send(StreamData(b"ab"))
    client.send(StreamEnd())
    sizes = [len(write) for write in client.data_to_send()]
    assert sizes[1:] == [16, 8, 2, 8]
    service = called(greeted(Role.SERVICE))
    service.send(Response("id"))
    service.receive_data(b"NEXT\r\n")
    assert service.events() == [NextReceived()]
    assert service.data_to_send()[1:] == [b"PROCEED\r\n"]


def test_q5_inflating_goes_on_to_the_final_block():
    """In most messages all output is there before the last compressed byte: it must not stay for the next reader."""
    draw = random.Random(5)
    early = 0
    for _unused in range(60):
        request = Request("".join(draw.choices("abcdef", k=draw.randint(1, 300))), GUID, "S", "M")
        raw = document_of(request)
        data = raw_deflate(raw)
        early += len(zlib.decompressobj(-15).decompress(data[:-1])) == len(raw)
        service = greeted(Role.SERVICE)
        service.receive_data(data[:-1])
        assert service.events() == []
        service.receive_data(data[-1:] + b"NEXT\r\n")
        assert service.events() == [RequestReceived(request), MessageEnded()]
        service.send(Response("id"))
        assert service.events() == [NextReceived()]
    assert early > 0


def test_q6_deflate_data_have_a_final_block():
    for size in (10, 5000, 100_000):
        inflater = zlib.decompressobj(-15)
        inflater.decompress(envelope.deflate(bytes(size)))
        assert inflater.eof
    service = greeted(Role.SERVICE)
    service.receive_data(raw_deflate(document_of(CALL), zlib.Z_SYNC_FLUSH))
    assert service.events() == []
    service.receive_data(b"\x03\x00")
    assert service.events() == [RequestReceived(CALL), MessageEnded()]


def test_q7_large_messages_avoid_the_sizes_that_dotnet_leaves_unread():
    service = called(greeted(Role.SERVICE))
    noise = random.Random(7).getrandbits(8 * 100_000).to_bytes(100_000, "little").hex()
    for length in range(140_000, 140_040):
        service.send(Response("id", noise[:length]))
        (write,) = service.data_to_send()
        assert len(write) % 8192 not in (1, 2)
        service.receive_data(b"NEXT\r\n")
        service.events()
        service.data_to_send()
        called(service)


def test_q7_a_last_byte_in_a_record_of_its_own_is_read():
    client = greeted(Role.CLIENT)
    client.send(CALL)
    response = Response("id", "x" * 200_000)
    data = raw_deflate(document_of(response))
    client.receive_data(data[:-1])
    assert client.events() == []
    client.receive_data(data[-1:])
    assert client.events() == [ResponseReceived(response), MessageEnded()]
    client.send(Next())
    client.receive_data(b"PROCEED\r\n")
    assert len(client.events()) == 1


def test_q8_type_first_and_mixed_casing():
    request = messages.request_document(
        Request("i", GUID, "S", "M", (ScriptTicket("t"), DataStream(GUID, 1)), {"BaseUri": "x:y"})
    )
    assert list(request) == ["Message"]
    assert list(request["Message"]) == ["$type", "id", "activityId", "endpoint", "service", "method", "params"]
    assert [list(value) for value in request["Message"]["params"]] == [["$type", "TaskId"], ["$type", "id", "length"]]
    response = messages.response_document(Response("i", None, ServerError("m")))["Message"]
    assert list(response) == ["$type", "id", "error", "result"]
    assert list(response["error"]) == ["message", "details", "HalibutErrorType"]


def test_q9_guids_are_mixed_endian_on_the_wire():
    import uuid

    value = uuid.UUID("8c381b65-bb84-4e47-a84b-d665b55f8b7f")
    expected = bytes.fromhex("651b388c84bb474ea84bd665b55f8b7f")
    assert expected in bson.encode({"id": Guid.from_uuid(value)})
    client = greeted(Role.CLIENT)
    client.send(Request("id", GUID, "S", "M", (DataStream(Guid.from_uuid(value), 0),)))
    assert client.data_to_send()[1] == expected


@pytest.mark.parametrize("number", [7, Int64(7)])
def test_q10_int32_and_int64_are_the_same_on_input(number):
    read = contracts.ScriptStatusRequestV2.from_document({"LastLogSequence": number})
    assert read.last_log_sequence == 7
    stream = DataStream.from_document({"id": GUID, "length": number})
    assert stream.length == 7
    assert messages.read_slot(number, contracts.TYPES) == 7


def test_q11_enumerations_are_names_as_keys_and_numbers_as_values():
    document = StartScriptCommandV2(ScriptTicket("t"), "x", isolation=1, scripts={"Bash": "y"}).to_document()
    assert document["Scripts"] == {"Bash": "y"}
    assert document["Isolation"] == 1
    assert StartScriptCommandV2.from_document({"Scripts": {"Bash": "y"}, "Isolation": "FullIsolation"}).isolation == 1
    with pytest.raises(RemoteProtocolError):
        StartScriptCommandV2.from_document({"Scripts": {"Zsh": "y"}})


def test_q12_dates_are_milliseconds_and_durations_have_a_dot_behind_the_days():
    line = contracts.ProcessOutput.from_document({"Occurred": "2026-11-23T02:15:50.8491239+01:00"})
    assert line.occurred == Date(1795396550849)
    assert TimeSpan.from_seconds(86_400).format() == "1.00:00:00"
    assert TimeSpan.parse("24.20:31:23.6470000").total_seconds == 2_147_483.647


def test_q13_exactly_the_types_of_the_first_contract_have_their_old_name():
    old = {name for name in contracts.TYPES if name.startswith("Octopus.Shared.")}
    assert len(old) == 8  # of the twelve, four are no objects that can be sent
    assert not any("V2" in name for name in old)
    assert all(contract.TYPE_NAME in old for contract in map(contracts.TYPES.get, old))


@pytest.mark.parametrize("library", ["mscorlib", "System.Private.CoreLib"])
def test_q14_both_names_of_the_core_library(library):
    wrapped = {"$type": f"System.String[], {library}", "$values": ["a"]}
    assert StartScriptCommandV2.from_document({"Arguments": wrapped}).arguments == ("a",)


@pytest.mark.parametrize(
    "document",
    [
        b"\x0e\0\0\0\x0aMessage\0\0",
        b"\x05\0\0\0\0",
        b"no document",
        bson.encode({"Message": {"params": [{"$type": "System.IO.FileInfo, mscorlib"}]}}),
        bson.encode({"Message": {"endpoint": {}}}),
    ],
)
def test_q15_what_fails_before_the_call_is_closed_in_silence(document):
    service = greeted(Role.SERVICE)
    service.receive_data(raw_deflate(document))
    with pytest.raises(RemoteProtocolError):
        service.events()
    assert service.data_to_send() == []
    with pytest.raises(LocalProtocolError):
        service.send(Response("id"))


def test_q16_nothing_is_said_to_a_stranger():
    service = Connection(Role.SERVICE)
    service.receive_data(b"MX\r\n\r\nMX-CLIENT 1.0\r\n\r\n")
    assert service.events() == [PrefaceReceived(b"MX")]
    assert service.events() == []
    assert service.data_to_send() == []


def test_q16_a_refused_client_sees_an_end_where_the_identity_should_be():
    client = Connection(Role.CLIENT)
    client.send(Hello())
    client.receive_eof()
    assert client.events() == [PeerClosed()]


def test_q17_end_can_appear_anywhere():
    service = greeted(Role.SERVICE)
    service.receive_data(b"END\r\n")
    assert service.events() == [GoodbyeReceived()]
    half = greeted(Role.SERVICE)
    half.receive_data(
        raw_deflate(document_of(Request("i", GUID, "S", "M", (DataStream(GUID, 100),))))
        + GUID
        + b"d\0\0\0\0\0\0\0xEND\r\n"
    )
    assert len(half.events()) == 3
    half.receive_eof()
    with pytest.raises(RemoteProtocolError, match="6 of 100 bytes"):
        half.events()
    client = greeted(Role.CLIENT)
    client.send(Request("i", GUID, "S", "M", (DataStream(GUID, 100),)))
    client.send(Goodbye())
    assert client.data_to_send()[-1] == b"END\r\n"


def test_q17_no_message_can_be_mistaken_for_goodbye():
    with pytest.raises(zlib.error):
        zlib.decompressobj(-15).decompress(b"END\r\n")


@pytest.mark.parametrize("name", ["another", None])
def test_q19_the_response_may_have_any_id(name):
    client = greeted(Role.CLIENT)
    client.send(CALL)
    client.receive_data(raw_deflate(document_of(Response(name, "result"))))
    assert client.events() == [ResponseReceived(Response(name, "result")), MessageEnded()]


def test_q21_case():
    assert thumbprint.normalise("ab" * 20) == "AB" * 20
    for control in (b"next\r\n", b"end\r\n", b"Next\r\n"):
        service = called(greeted(Role.SERVICE))
        service.send(Response("id"))
        service.receive_data(control)
        with pytest.raises(RemoteProtocolError):
            service.events()
    lower = Connection(Role.SERVICE)
    lower.receive_data(b"mx\r\n\r\n")
    assert lower.events() == [PageRequested(b"mx")]


def test_q22_every_member_is_written_and_any_may_be_missing():
    assert set(messages.response_document(Response(None))["Message"]) == {"$type", "id", "error", "result"}
    assert messages.read_response({"Message": {}}, contracts.TYPES) == Response(None)
    assert set(StartScriptCommandV2(None, None).to_document()) > {"Arguments", "IsolationMutexName", "TaskId"}


def test_q24_the_end_of_the_stream_is_an_ordinary_end():
    for side in (greeted(Role.SERVICE), greeted(Role.CLIENT)):
        side.receive_eof()
        if side.state is State.READY:  # a client notices when it listens
            side.send(CALL)
            with pytest.raises(RemoteProtocolError, match="before the response"):
                side.events()
        else:
            assert side.events() == [PeerClosed()]


def test_q25_void_and_null_are_the_same():
    assert messages.response_document(Response("id"))["Message"]["result"] is None
    assert messages.response_document(Response("id", None)) == messages.response_document(Response("id"))


def test_q26_a_stream_is_never_announced_twice():
    client = greeted(Role.CLIENT)
    stream = DataStream(GUID, 1)
    with pytest.raises(LocalProtocolError, match="twice"):
        client.send(Request("id", GUID, "S", "M", (stream, stream)))
    assert client.data_to_send() == []
    client.send(CALL)


def test_q28_a_bad_identity_asks_for_patience():
    service = Connection(Role.SERVICE)
    service.receive_data(b"MX\r\n\r\n")
    service.events()
    service.send(Accept())
    service.receive_data(b"MX-OTHER 1.0\r\n\r\n")
    with pytest.raises(UnknownIdentity) as caught:
        service.events()
    assert caught.value.linger
