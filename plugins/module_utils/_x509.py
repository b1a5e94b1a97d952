# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Read the facts of an X.509 certificate from its DER bytes, with nothing but the standard library.

Only what a diagnosis needs: names, serial number, dates, key, signature hash, and whether the certificate signed
itself. The reader is strict (definite lengths, shortest form, nothing behind the end) and raises only ValueError. It
never decides about trust: that is done by the digest of the whole certificate.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

MAX_CERTIFICATE = 256 * 1024  # bytes; the largest seen in practice are below 10 KiB
MAX_KEY_BITS = 16384  # largest RSA key whose signature is computed: beyond that it would take seconds

_INTEGER, _BITS, _NULL, _OID = 0x02, 0x03, 0x05, 0x06
_SEQUENCE, _SET, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x31, 0x17, 0x18

_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "T",
    "2.5.4.42": "G",
    "1.2.840.113549.1.9.1": "E",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}
_KEYS = {
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.10": "RSA",
    "1.2.840.10045.2.1": "EC",
    "1.2.840.10040.4.1": "DSA",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}
_CURVES = {
    "1.2.840.10045.3.1.7": ("P-256", 256),
    "1.3.132.0.34": ("P-384", 384),
    "1.3.132.0.35": ("P-521", 521),
    "1.3.132.0.10": ("secp256k1", 256),
    "1.2.840.10045.3.1.1": ("P-192", 192),
    "1.3.132.0.33": ("P-224", 224),
}
_SIGNATURES = {
    "1.2.840.113549.1.1.4": ("md5WithRSAEncryption", "md5"),
    "1.2.840.113549.1.1.5": ("sha1WithRSAEncryption", "sha1"),
    "1.2.840.113549.1.1.14": ("sha224WithRSAEncryption", "sha224"),
    "1.2.840.113549.1.1.11": ("sha256WithRSAEncryption", "sha256"),
    "1.2.840.113549.1.1.12": ("sha384WithRSAEncryption", "sha384"),
    "1.2.840.113549.1.1.13": ("sha512WithRSAEncryption", "sha512"),
    "1.2.840.10045.4.1": ("ecdsa-with-SHA1", "sha1"),
    "1.2.840.10045.4.3.2": ("ecdsa-with-SHA256", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa-with-SHA384", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa-with-SHA512", "sha512"),
    "1.2.840.10040.4.3": ("dsa-with-SHA1", "sha1"),
    "2.16.840.1.101.3.4.3.2": ("dsa-with-SHA256", "sha256"),
    "1.2.840.113549.1.1.10": ("rsassaPss", None),
    "1.3.101.112": ("Ed25519", None),
    "1.3.101.113": ("Ed448", None),
}
# DigestInfo of PKCS#1 v1.5: what precedes the digest inside the signature.
_DIGEST_INFO = {
    "md5": "3020300c06082a864886f70d020505000410",
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


class CertificateFacts(NamedTuple):
    """What a certificate says about itself. None: not said, or not known to this reader."""

    subject: str
    issuer: str
    serial_number: str  # hexadecimal, upper case
    not_before: datetime.datetime  # UTC, with time zone
    not_after: datetime.datetime
    key_type: str  # RSA, EC, DSA, Ed25519, Ed448, or the dotted object identifier
    key_size: int | None  # bits
    curve: str | None
    signature_algorithm: str  # the usual name, or the dotted object identifier
    signature_hash: str | None  # md5, sha1, sha256 ...; None where the algorithm fixes or hides it
    self_signed: bool | None  # proven by the signature (RSA); False when the issuer is another; else None


class _Element(NamedTuple):
    tag: int
    body: bytes
    raw: bytes  # with tag and length


def parse(der: bytes) -> CertificateFacts:
    """Read one certificate; ValueError with a sentence for anything that is not exactly one certificate."""
    if len(der) > MAX_CERTIFICATE:
        raise ValueError(f"the certificate has {len(der)} bytes, more than the {MAX_CERTIFICATE} that are read")
    try:
        return _parse(bytes(der))
    except (IndexError, OverflowError, UnicodeError) as error:
        raise ValueError(f"the certificate is damaged: {error}") from error


def _parse(der: bytes) -> CertificateFacts:
    outer = _only(der, _SEQUENCE)
    signed, algorithm, signature = _children(outer.body, 3)
    fields = list(_elements(_expect(signed, _SEQUENCE).body))
    if fields and fields[0].tag == 0xA0:  # the version; absent in version 1
        del fields[0]
    if len(fields) < 6:
        raise ValueError("the certificate lacks fields")
    serial, _dummy, issuer, validity, subject, key = fields[:6]
    begin, end = _children(_expect(validity, _SEQUENCE).body, 2)
    key_type, key_size, curve, rsa = _key(_expect(key, _SEQUENCE))
    name, digest = _signature(_expect(algorithm, _SEQUENCE))
    self_signed: bool | None = False
    if _expect(issuer, _SEQUENCE).raw == _expect(subject, _SEQUENCE).raw:
        self_signed = _signed_by(rsa, signed.raw, digest, _bits(signature)) if rsa and digest else None
    return CertificateFacts(
        subject=_name(subject),
        issuer=_name(issuer),
        serial_number=_hexadecimal(serial),
        not_before=_time(begin),
        not_after=_time(end),
        key_type=key_type,
        key_size=key_size,
        curve=curve,
        signature_algorithm=name,
        signature_hash=digest,
        self_signed=self_signed,
    )


# Elements of DER


def _elements(data: bytes) -> Iterator[_Element]:
    position = 0
    while position < len(data):
        element = _read(data, position)
        yield element
        position += len(element.raw)


def _read(data: bytes, start: int) -> _Element:
    tag, first = data[start], data[start + 1]
    if tag & 0x1F == 0x1F:
        raise ValueError("the certificate holds a tag of several bytes")
    position = start + 2
    length = first
    if first & 0x80:
        count = first & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("the certificate holds a length of unknown form")
        octets = data[position : position + count]
        length = int.from_bytes(octets, "big")
        position += count
        if len(octets) != count or octets[0] == 0 or length < 0x80:
            raise ValueError("the certificate holds a length that is not in shortest form")
    if position + length > len(data):
        raise ValueError("the certificate ends in the middle of a field")
    return _Element(tag, data[position : position + length], data[start : position + length])


def _only(data: bytes, tag: int) -> _Element:
    element = _expect(_read(data, 0), tag)
    if len(element.raw) != len(data):
        raise ValueError("there are bytes behind the end of the certificate")
    return element


def _expect(element: _Element, tag: int) -> _Element:
    if element.tag != tag:
        raise ValueError(f"the certificate holds tag 0x{element.tag:02x} where 0x{tag:02x} is expected")
    return element


def _children(data: bytes, count: int) -> list[_Element]:
    children = list(_elements(data))
    if len(children) != count:
        raise ValueError(f"the certificate holds {len(children)} fields where {count} are expected")
    return children


def _bits(element: _Element) -> bytes:
    body = _expect(element, _BITS).body
    if body[0] != 0:
        raise ValueError("the certificate holds a bit string that does not end at a byte")
    return body[1:]


def _number(element: _Element) -> int:
    return int.from_bytes(_expect(element, _INTEGER).body, "big", signed=True)


def _hexadecimal(element: _Element) -> str:
    body = _expect(element, _INTEGER).body
    if not body:
        raise ValueError("the certificate holds an empty number")
    return (body.lstrip(b"\0") or b"\0").hex().upper()


def _identifier(element: _Element) -> str:
    body = _expect(element, _OID).body
    if not body or body[-1] & 0x80:
        raise ValueError("the certificate holds a damaged object identifier")
    arcs, value = [], 0
    for octet in body:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


# Fields of a certificate


def _name(element: _Element) -> str:
    """The name as .NET and RFC 4514 write it: the last part first."""
    parts = []
    for group in _elements(element.body):
        pairs = []
        for pair in _elements(_expect(group, _SET).body):
            kind, value = _children(_expect(pair, _SEQUENCE).body, 2)
            identifier = _identifier(kind)
            pairs.append(f"{_NAMES.get(identifier, identifier)}={_escaped(_text(value))}")
        parts.append(" + ".join(pairs))
    return ", ".join(reversed(parts))


def _text(element: _Element) -> str:
    if element.tag == 0x1E:
        return element.body.decode("utf-16-be")
    if element.tag == 0x1C:
        return element.body.decode("utf-32-be")
    if element.tag in (0x0C, 0x13, 0x16, 0x12, 0x1A):
        return element.body.decode("utf-8")
    if element.tag == 0x14:
        return element.body.decode("latin-1")
    return "#" + element.raw.hex()


def _escaped(text: str) -> str:
    """One line that cannot be read as two parts, and carries nothing that a terminal would obey."""
    text = "".join("\\" + char if char in ',+"\\<>;' else char for char in text)
    return "".join(char if char.isprintable() else f"\\{ord(char):02X}" for char in text)


def _time(element: _Element) -> datetime.datetime:
    text = element.body.decode("ascii")
    if element.tag == _UTC_TIME:
        if len(text) != 13:
            raise ValueError(f"the certificate holds a date of unknown form: {text!r}")
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != _GENERALIZED_TIME:
        raise ValueError(f"the certificate holds tag 0x{element.tag:02x} where a date is expected")
    if len(text) != 15 or not text.endswith("Z") or not text[:14].isdigit():
        raise ValueError(f"the certificate holds a date of unknown form: {text!r}")
    year, month, day, hour, minute, second = int(text[:4]), *(int(text[at : at + 2]) for at in range(4, 14, 2))
    return datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.timezone.utc)


def _key(element: _Element) -> tuple[str, int | None, str | None, tuple[int, int] | None]:
    algorithm, key = _children(element.body, 2)
    identifier, *parameters = _elements(_expect(algorithm, _SEQUENCE).body)
    dotted = _identifier(identifier)
    kind = _KEYS.get(dotted, dotted)
    if kind == "RSA":
        modulus, exponent = (_number(part) for part in _children(_only(_bits(key), _SEQUENCE).body, 2))
        return kind, modulus.bit_length(), None, (modulus, exponent)
    if kind == "EC" and parameters and parameters[0].tag == _OID:
        curve = _identifier(parameters[0])
        name, size = _CURVES.get(curve, (curve, None))
        return kind, size, name, None
    if kind == "DSA" and parameters and parameters[0].tag == _SEQUENCE:
        return kind, _number(_children(parameters[0].body, 3)[0]).bit_length(), None, None
    return kind, {"Ed25519": 256, "Ed448": 456}.get(kind), None, None


def _signature(element: _Element) -> tuple[str, str | None]:
    identifier, *_dummy = _elements(element.body)
    dotted = _identifier(identifier)
    return _SIGNATURES.get(dotted, (dotted, None))


def _signed_by(rsa: tuple[int, int], signed: bytes, digest: str, signature: bytes) -> bool | None:
    """Whether the RSA key made this signature (PKCS#1 v1.5); None where it cannot be computed."""
    modulus, exponent = rsa
    size = (modulus.bit_length() + 7) // 8
    if digest not in _DIGEST_INFO or modulus < 3 or modulus.bit_length() > MAX_KEY_BITS or not 1 < exponent < 1 << 64:
        return None
    try:
        hashed = hashlib.new(digest, signed, usedforsecurity=False).digest()
    except ValueError:  # a host whose policy has no such digest
        return None
    tail = b"\0" + bytes.fromhex(_DIGEST_INFO[digest]) + hashed
    expected = b"\0\1" + b"\xff" * (size - 2 - len(tail)) + tail
    return pow(int.from_bytes(signature, "big"), exponent, modulus) == int.from_bytes(expected, "big")
