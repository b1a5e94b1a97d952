from __future__ import annotations

import contextlib
import enum
import struct
import types
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from module_utils._halibut import bson
from module_utils._halibut.bson import Date, Guid, Int64
from module_utils._halibut.errors import LocalProtocolError, RemoteProtocolError

GUID = uuid.UUID("8c381b65-bb84-4e47-a84b-d665b55f8b7f")
GUID_BYTES = bytes.fromhex("651b388c84bb474ea84bd665b55f8b7f")


def document(body: bytes) -> bytes:
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def element(kind: int, raw: bytes, name: bytes = b"a") -> bytes:
    return bytes([kind]) + name + b"\0" + raw


ROWS = [
    (None, b"\x0aa\0"),
    ("", b"\x02a\0\x01\0\0\0\0"),
    ("h\u00e9", b"\x02a\0\x04\0\0\0h\xc3\xa9\0"),
    ("nul\0inside", b"\x02a\0\x0b\0\0\0nul\0inside\0"),
    (True, b"\x08a\0\x01"),
    (False, b"\x08a\0\0"),
    (0, b"\x10a\0\0\0\0\0"),
    (-1, b"\x10a\0\xff\xff\xff\xff"),
    (2**31 - 1, b"\x10a\0\xff\xff\xff\x7f"),
    (-(2**31), b"\x10a\0\0\0\0\x80"),
    (2**31, b"\x12a\0\0\0\0\x80\0\0\0\0"),
    (-(2**63), b"\x12a\0" + b"\0" * 7 + b"\x80"),
    (Int64(1), b"\x12a\0\x01\0\0\0\0\0\0\0"),
    (1.5, b"\x01a\0" + struct.pack("<d", 1.5)),
    (Date(1795396550849), b"\x09a\0" + struct.pack("<q", 1795396550849)),
    (Guid(GUID_BYTES), b"\x05a\0\x10\0\0\0\x04" + GUID_BYTES),
    (b"\1\2", b"\x05a\0\x02\0\0\0\0\1\2"),
    (b"", b"\x05a\0\0\0\0\0\0"),
    ({}, b"\x03a\0\x05\0\0\0\0"),
    ([], b"\x04a\0\x05\0\0\0\0"),
    ([None, {"b": 1}], b"\x04a\0\x17\0\0\0\x0a0\0\x031\0\x0c\0\0\0\x10b\0\1\0\0\0\0\0"),
]


@pytest.mark.parametrize(("value", "raw"), ROWS)
def test_every_type_both_ways(value, raw):
    assert bson.encode({"a": value}) == document(raw)
    again = bson.decode(document(raw))["a"]
    assert again == value
    assert type(again) is type(value) or (type(value), type(again)) == (int, Int64)


def test_tuples_mappings_and_enumerations_are_written():
    class Colour(enum.IntEnum):
        RED = 7

    assert bson.encode({"a": (1, 2)}) == bson.encode({"a": [1, 2]})
    assert bson.encode({"a": types.MappingProxyType({"b": 1})}) == bson.encode({"a": {"b": 1}})
    assert bson.encode({"a": Colour.RED}) == bson.encode({"a": 7})


def test_long_arrays():
    assert bson.decode(bson.encode({"a": list(range(1500))}))["a"] == list(range(1500))


def test_lone_surrogates_are_replaced_as_in_dotnet():
    assert bson.decode(bson.encode({"a": "x\ud800y", "\udc80": "\ud83d\ude00"})) == {
        "a": "x\ufffdy",
        "\ufffd": "\U0001f600",
    }


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**63, -(2**63) - 1, 1j, Guid(b"short"), bytearray(b"x")])
def test_what_cannot_be_written(value):
    with pytest.raises(LocalProtocolError):
        bson.encode({"a": [value]})


def test_a_name_with_nul_cannot_be_written():
    with pytest.raises(LocalProtocolError, match="NUL"):
        bson.encode({"a\0b": 1})


def nested(levels: int, kind: type = dict) -> dict:
    value: object = kind()
    for _unused in range(levels - 2):
        value = {"a": value} if kind is dict else [value]
    return {"a": value}


@pytest.mark.parametrize("kind", [dict, list])
def test_depth_is_64_both_ways(kind):
    raw = bson.encode(nested(64, kind))
    assert bson.encode(bson.decode(raw)) == raw
    with pytest.raises(LocalProtocolError, match="64"):
        bson.encode(nested(65, kind))
    deeper = document(element(0x03 if kind is dict else 0x04, raw))
    with pytest.raises(RemoteProtocolError, match="64"):
        bson.decode(deeper)


def test_number_of_elements_is_limited_over_all_levels():
    raw = bson.encode({"a": [1, 2, {"b": 3}], "c": 4})
    assert bson.decode(raw, elements=6) == {"a": [1, 2, {"b": 3}], "c": 4}
    with pytest.raises(RemoteProtocolError, match="too many"):
        bson.decode(raw, elements=5)


def test_bytes_behind_the_document_are_ignored():
    assert bson.decode(bson.encode({"a": 1}) + b"more") == {"a": 1}


def test_last_of_equal_members_wins():
    assert bson.decode(document(element(0x10, b"\1\0\0\0") + element(0x10, b"\2\0\0\0"))) == {"a": 2}


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (0x06, b"", None),
        (0x07, b"123456789012", b"123456789012"),
        (0x0B, b"^a\0i\0", "/^a/i"),
        (0x0D, b"\2\0\0\0x\0", "x"),
        (0x0E, b"\2\0\0\0x\0", "x"),
        (0x11, b"\5\0\0\0\0\0\0\0", 5),
        (0x05, b"\x10\0\0\0\x03" + GUID_BYTES, GUID_BYTES),
        (0x05, b"\x02\0\0\0\x04xy", b"xy"),
    ],
)
def test_tolerated_types(kind, raw, value):
    assert bson.decode(document(element(kind, raw) + element(0x10, b"\1\0\0\0", b"z"))) == {"a": value, "z": 1}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\5",
        b"\5\0\0\0",
        b"\4\0\0\0\0",
        b"\5\0\0\0\1",
        b"\xff\xff\xff\xff\0",
        b"\x06\0\0\0\0",
        b"\0\0\0\x80\0",
        document(b"\x10a\0\1\0"),  # number cut short
        document(b"\x10a"),  # name without end
        document(element(0x02, b"\0\0\0\0")),  # text without NUL
        document(element(0x02, b"\xff\xff\xff\xff")),
        document(element(0x02, b"\2\0\0\0xx")),
        document(element(0x02, b"\xff\0\0\0x\0")),
        document(element(0x02, b"\2\0\0\0\xff\0")),  # no UTF-8
        document(element(0x10, b"\1\0\0\0", b"\xff")),
        document(element(0x05, b"\xff\0\0\0\0xx")),
        document(element(0x05, b"\xff\xff\xff\xff\0xx")),
        document(element(0x03, b"\x06\0\0\0\0")),
        document(element(0x03, b"\x30\0\0\0\0")),
        document(element(0x04, b"\5\0\0\0\1")),
        document(element(0x0C, b"")),
        document(element(0x13, b"")),
        document(element(0x0B, b"abc")),
        document(element(0x0E, b"\0\0\0\0")),
        document(element(0x0E, b"\2\0\0\0xx")),
        document(element(0x07, b"short")),
        document(element(0x01, b"short")),
        document(element(0x08, b"")),
        document(element(0x09, b"short")),
    ],
)
def test_what_is_no_document(raw):
    with pytest.raises(RemoteProtocolError) as caught:
        bson.decode(raw)
    assert str(caught.value).startswith("The message ")


def test_memory_gives_the_same_object_for_the_same_bytes():
    memory = bson.Memory(b"e")
    first = bson.decode(bson.encode({"m": {"e": {"x": 1}, "y": 1}}), memory=memory)
    again = bson.decode(bson.encode({"m": {"e": {"x": 1}, "y": 2}}), memory=memory)
    other = bson.decode(bson.encode({"m": {"e": {"x": 2}}}), memory=memory)
    assert first["m"]["e"] is again["m"]["e"]
    assert other["m"]["e"] == {"x": 2}
    assert again["m"]["y"] == 2


def test_memory_is_for_one_place_only():
    memory = bson.Memory(b"e")
    assert bson.decode(bson.encode({"e": {"x": 1}, "m": {"n": {"e": {"x": 1}}}}), memory=memory)
    assert memory.last[0] is None
    assert bson.decode(bson.encode({"m": {"e": [1]}}), memory=memory) == {"m": {"e": [1]}}


@pytest.mark.parametrize("size", [0, 4, -9, -(2**31)])
def test_memory_that_is_empty_knows_no_document_without_a_size(size):
    document = bytearray(bson.encode({"m": {"e": {}}}))
    at = document.index(b"\x05\0\0\0\0")
    document[at : at + 4] = struct.pack("<i", size)
    with pytest.raises(RemoteProtocolError, match=f"bad container at offset {at}"):
        bson.decode(bytes(document), memory=bson.Memory(b"e"))


def test_memory_does_not_take_an_array_for_an_object():
    memory = bson.Memory(b"e")
    document = bson.encode({"m": {"e": {"0": 1}}})
    bson.decode(document, memory=memory)
    assert bson.decode(document.replace(b"\x03e\0", b"\x04e\0"), memory=memory) == {"m": {"e": [1]}}


def test_guid():
    value = Guid.from_uuid(GUID)
    assert value == GUID_BYTES
    assert value.uuid == GUID
    assert str(value) == str(GUID)
    made = Guid.new(bytes(range(16)))
    assert made.uuid.version == 4
    assert made == Guid.new(bytes(range(16)))


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(),
    st.binary(max_size=40),
    st.floats(allow_nan=False),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.integers(-(2**63), 2**63 - 1).map(Date),
    st.binary(min_size=16, max_size=16).map(Guid),
)
NAMES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=8)
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(NAMES, inner, max_size=5)),
        max_leaves=20,
    ),
    max_size=6,
)


@given(DOCUMENTS)
def test_any_document_survives(value):
    raw = bson.encode(value)
    again = bson.decode(raw)
    assert again == value
    assert bson.encode(again) == raw


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_a_document_or_an_error(raw):
    for data in (raw, document(raw), document(element(0x03, document(raw)))):
        with contextlib.suppress(RemoteProtocolError):
            assert isinstance(bson.decode(data), dict)


@given(DOCUMENTS, st.data())
@settings(max_examples=300)
def test_any_damage_is_a_document_or_an_error(value, data):
    raw = bytearray(bson.encode(value))
    for _unused in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RemoteProtocolError):
        assert isinstance(bson.decode(bytes(raw)), dict)
