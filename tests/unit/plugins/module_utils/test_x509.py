# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate reader against `cryptography`, and against damage of every kind."""

from __future__ import annotations

import contextlib
import datetime
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from module_utils import _x509

RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
SHA256_DIGEST = SHA256()
BEGIN, END = datetime.datetime(2026, 1, 2, 3, 4, 5), datetime.datetime(2126, 1, 1)


def name(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


SIMPLE = name((NameOID.COMMON_NAME, "Octopus Tentacle"))


def made(
    subject: x509.Name = SIMPLE, issuer: x509.Name | None = None, key=RSA, signer=None, digest=SHA256_DIGEST
) -> bytes:
    builder = x509.CertificateBuilder(issuer or subject, subject, key.public_key(), 0x0ABC, BEGIN, END)
    return builder.sign(signer or key, digest).public_bytes(Encoding.DER)


def test_reads_what_tentacle_makes() -> None:
    facts = _x509.parse(made())
    assert facts.subject == facts.issuer == "CN=Octopus Tentacle"
    assert facts.serial_number == "0ABC"
    assert facts.not_before == BEGIN.replace(tzinfo=datetime.timezone.utc)
    assert facts.not_after == END.replace(tzinfo=datetime.timezone.utc)
    assert (facts.key_type, facts.key_size, facts.curve) == ("RSA", 2048, None)
    assert (facts.signature_algorithm, facts.signature_hash) == ("sha256WithRSAEncryption", "sha256")
    assert facts.self_signed is True


def test_tells_self_signed_from_self_issued() -> None:
    assert _x509.parse(made(signer=OTHER)).self_signed is False
    assert _x509.parse(made(issuer=name((NameOID.COMMON_NAME, "Authority")))).self_signed is False
    assert _x509.parse(made(key=ec.generate_private_key(ec.SECP256R1()))).self_signed is None


@pytest.mark.parametrize(
    ("key", "digest", "expected"),
    [
        (ec.generate_private_key(ec.SECP256R1()), SHA256(), ("EC", 256, "P-256", "ecdsa-with-SHA256", "sha256")),
        (ec.generate_private_key(ec.SECP384R1()), SHA384(), ("EC", 384, "P-384", "ecdsa-with-SHA384", "sha384")),
        (ed25519.Ed25519PrivateKey.generate(), None, ("Ed25519", 256, None, "Ed25519", None)),
        (RSA, SHA512(), ("RSA", 2048, None, "sha512WithRSAEncryption", "sha512")),
        (dsa.generate_private_key(1024), SHA256(), ("DSA", 1024, None, "dsa-with-SHA256", "sha256")),
    ],
)
def test_reads_every_kind_of_key(key, digest, expected) -> None:
    facts = _x509.parse(made(key=key, digest=digest))
    read = (facts.key_type, facts.key_size, facts.curve, facts.signature_algorithm, facts.signature_hash)
    assert read == expected


def test_writes_names_the_last_part_first_and_escaped() -> None:
    subject = name(
        (NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, "Größe, GmbH"), (NameOID.COMMON_NAME, "a=b\x1b[31m")
    )
    assert _x509.parse(made(subject)).subject == "CN=a=b\\1B[31m, O=Größe\\, GmbH, C=DE"
    assert _x509.parse(made(name())).subject == ""


def test_every_cut_and_every_flipped_byte_is_a_sentence() -> None:
    der = made()
    for length in range(len(der)):
        with pytest.raises(ValueError, match=r"."):
            _x509.parse(der[:length])
    with pytest.raises(ValueError, match="behind the end"):
        _x509.parse(der + b"\0")
    for position in range(len(der)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(der)
            damaged[position] ^= flip
            with contextlib.suppress(ValueError):  # nothing else may come out
                _x509.parse(bytes(damaged))


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_facts_or_value_error(data: bytes) -> None:
    for candidate in (data, b"\x30\x82" + len(data).to_bytes(2, "big") + data):
        with pytest.raises(ValueError, match=r"."):
            _x509.parse(candidate)


def test_size_is_limited() -> None:
    with pytest.raises(ValueError, match="more than"):
        _x509.parse(bytes(_x509.MAX_CERTIFICATE + 1))


def test_uses_the_standard_library_alone() -> None:
    source = pathlib.Path(_x509.__file__).read_text(encoding="utf-8")
    assert "cryptography" not in source
