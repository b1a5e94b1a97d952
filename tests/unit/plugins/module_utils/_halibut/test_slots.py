# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
from __future__ import annotations

import math
import uuid

import pytest

from module_utils._halibut import slots
from module_utils._halibut.bson import Date, Guid, Int64
from module_utils._halibut.errors import RemoteProtocolError
from module_utils._halibut.slots import Members
from module_utils._halibut.timespan import TimeSpan

GUID = Guid(bytes(range(16)))
NAMES = ("NoIsolation", "FullIsolation")
MEMBERS = Members("Thing", ("A.Thing, A", "B.Thing, B"), "Name", "length")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("x", "x"),
        ("", ""),
        (5, "5"),
        (Int64(-5), "-5"),
        (True, "True"),
        (1.5, "1.5"),
        (GUID, str(GUID)),
    ],
)
def test_text(value, expected):
    assert slots.text(value, "T") == expected
    assert type(slots.text(value, "T")) is type(expected)


@pytest.mark.parametrize("value", [[], {}, b"x", Date(1)])
def test_no_text(value):
    with pytest.raises(RemoteProtocolError, match=r"T is a value of type \w+, a text was expected"):
        slots.text(value, "T")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (Int64(2**62), 2**62),
        (2.0, 2),
        (2.5, 2),
        (3.5, 4),
        ("12", 12),
        (" -7 ", -7),
        (-(2**63), -(2**63)),
    ],
)
def test_int64(value, expected):
    assert slots.int64(value, "T") == expected
    assert type(slots.int64(value, "T")) is int


@pytest.mark.parametrize(
    "value", [None, True, Date(1), "x", "1.5", "9" * 19, [], {}, b"", math.nan, math.inf, 1e300, 2.0**63]
)
def test_no_int64(value):
    with pytest.raises(RemoteProtocolError, match="64 bits"):
        slots.int64(value, "T")


def test_int32():
    assert slots.int32(Int64(2**31 - 1), "T") == 2**31 - 1
    with pytest.raises(RemoteProtocolError, match="32 bits"):
        slots.int32(2**31, "T")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        (0.0, False),
        ("True", True),
        (" false ", False),
    ],
)
def test_boolean(value, expected):
    assert slots.boolean(value, "T") is expected


@pytest.mark.parametrize("value", [None, "yes", [], Date(1)])
def test_no_boolean(value):
    with pytest.raises(RemoteProtocolError, match="true or false"):
        slots.boolean(value, "T")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (1, 1),
        (77, 77),
        (-1, -1),
        ("FullIsolation", 1),
        ("fullisolation", 1),
        ("1", 1),
        (" NoIsolation ", 0),
        (1.0, 1),
    ],
)
def test_enumeration(value, expected):
    assert slots.enumeration(value, "T", NAMES) == expected


@pytest.mark.parametrize("value", [None, "Other", "", 2**31, [], "99999999999"])
def test_no_enumeration(value):
    with pytest.raises(RemoteProtocolError):
        slots.enumeration(value, "T", NAMES)


def test_time_span():
    assert slots.time_span("00:01:00", "T") == TimeSpan(600_000_000)
    for value in (None, 60, "soon", 1.0, {}):
        with pytest.raises(RemoteProtocolError, match="a time span"):
            slots.time_span(value, "T")


@pytest.mark.parametrize(
    "value", [GUID, bytes(GUID), str(GUID), str(GUID).upper(), "{" + str(GUID) + "}", GUID.uuid.hex]
)
def test_guid(value):
    assert slots.guid(value, "T") == GUID
    assert type(slots.guid(value, "T")) is Guid


@pytest.mark.parametrize("value", [None, "", "x", b"short", 1, {}])
def test_no_guid(value):
    with pytest.raises(RemoteProtocolError, match="a GUID"):
        slots.guid(value, "T")


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (Date(5), 5),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01", 1000),
        ("1970-01-01T01:00:00.1239999+01:00", 123),
        ("2026-11-23T01:15:50.849+00:00", 1795396550849),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_date(value, milliseconds):
    assert slots.date(value, "T") == milliseconds
    assert type(slots.date(value, "T")) is Date


@pytest.mark.parametrize(
    "value", [None, 5, Int64(5), "today", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+25:00", "0000-01-01T00:00:00"]
)
def test_no_date(value):
    with pytest.raises(RemoteProtocolError, match="a date"):
        slots.date(value, "T")


def test_items():
    assert slots.items(None, "T") is None
    assert slots.items([1], "T") == [1]
    assert slots.items({"$type": "List", "$values": [1]}, "T") == [1]
    for value in (
        {"$values": [1]},
        {"$type": "x", "$values": 1},
        {"$type": "x"},
        {},
        "x",
        1,
        {"$values": [], "$type": "x"},
    ):
        with pytest.raises(RemoteProtocolError, match="a list"):
            slots.items(value, "T")


@pytest.mark.parametrize(
    "value",
    [
        {"Name": 1, "length": 2},
        {"$type": "A.Thing, A", "Name": 1, "length": 2},
        {"$type": "B.Thing, B", "NAME": 1, "Length": 2, "unknown": 3},
        {"name": 1, "$type": "ignored when it is not first", "LENGTH": 2},
        {"Name": 1, "length": 2, "$type": "ignored"},
    ],
)
def test_members(value):
    members = MEMBERS.of(value)
    assert (members["Name"], members["length"]) == (1, 2)
    assert not {"unknown", "NAME"} & set(members)


def test_member_names_fold_ascii_only():
    assert "Kind" not in Members("T", (), "Kind").of({"\u212aind": 1, "x": 2})


@pytest.mark.parametrize(
    "value", [None, [], "x", 1, {"$type": "C.Thing, C"}, {"$type": None, "name": 1}, {"$type": ["x"]}]
)
def test_no_members(value):
    with pytest.raises(RemoteProtocolError, match="Thing"):
        MEMBERS.of(value)


def test_errors_never_quote_the_value():
    with pytest.raises(RemoteProtocolError) as caught:
        slots.time_span("SECRET", "T")
    assert "SECRET" not in str(caught.value)


def test_the_nil_guid():
    assert slots.NIL.uuid == uuid.UUID(int=0)
