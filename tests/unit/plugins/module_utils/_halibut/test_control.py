from __future__ import annotations

import pytest

from module_utils._halibut import control
from module_utils._halibut.control import Identity, PrefaceReader
from module_utils._halibut.errors import RemoteProtocolError, UnknownIdentity
from module_utils._halibut.limits import MAX_PREFACE


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"MX-CLIENT 1.0", Identity("MX-CLIENT", "1.0", None)),
        (b"MX-SERVER 1.0", Identity("MX-SERVER", "1.0", None)),
        (b"MX-CLIENT", Identity("MX-CLIENT", "", None)),
        (b"  MX-CLIENT   9.9  something else", Identity("MX-CLIENT", "9.9", None)),
        (b"MX-SUBSCRIBER 1.0 poll://abc/", Identity("MX-SUBSCRIBER", "1.0", "poll://abc/")),
    ],
)
def test_identities(line, expected):
    assert control.parse_identity(line) == expected


@pytest.mark.parametrize(
    "line", [b"MX-OTHER 1.0", b"mx-client 1.0", b"MX-SUBSCRIBER 1.0", b"GET / HTTP/1.1", b"\xff\0"]
)
def test_unknown_identities_linger(line):
    with pytest.raises(UnknownIdentity) as caught:
        control.parse_identity(line)
    assert caught.value.linger


def test_an_identity_of_spaces():
    with pytest.raises(RemoteProtocolError) as caught:
        control.parse_identity(b"   ")
    assert not caught.value.linger


def test_quote_is_short_and_plain():
    assert control.quote(b"a\r\n\xff\x1b") == r"'a\r\n\xff\x1b'"
    assert control.quote(b"x" * 61) == f"'{'x' * 60}'..."


@pytest.mark.parametrize(
    ("data", "taken", "halibut", "line"),
    [
        (b"MX\n\nrest", 4, True, b"MX"),
        (b"MX\r\n\r\nrest", 6, True, b"MX"),
        (b"M\rX\n\r\r\n", 7, True, b"MX"),
        (b"MX and more\r\n\r\n", 15, True, b"MX and more"),
        (b"mx\n\n", 4, False, b"mx"),
        (b"\n\n", 2, False, b""),
        (b"\r\n\r\nMX\r\n\r\n", 4, False, b""),
        (b"\nMX\n\n", 5, False, b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nbody", 27, False, b"GET / HTTP/1.1"),
        (b"\n\nMX", 2, False, b""),
    ],
)
def test_prefaces(data, taken, halibut, line):
    whole = PrefaceReader()
    assert whole.feed(data) == taken
    assert whole.complete
    assert whole.speaks_halibut is halibut
    assert whole.line == line
    single = PrefaceReader()
    used = 0
    while not single.complete:
        used += single.feed(data[used : used + 1])
    assert used == taken
    assert single.line == line


def test_a_preface_without_an_end():
    reader = PrefaceReader()
    assert reader.feed(b"MX\n") == 3
    assert not reader.complete
    assert len(reader) == 3


def test_a_preface_is_limited():
    reader = PrefaceReader()
    assert reader.feed(b"\r" * 9) == 9
    assert len(reader) == 0
    assert reader.feed(b"a" * (MAX_PREFACE + 9)) == MAX_PREFACE
    assert reader.complete
