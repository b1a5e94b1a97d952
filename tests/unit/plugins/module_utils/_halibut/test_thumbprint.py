from __future__ import annotations

import base64
import textwrap

import pytest

from module_utils._halibut import thumbprint

DER = b"\x30\x03\x02\x01\x05"
SHA1 = thumbprint.of_der(DER).sha1
SHA256 = thumbprint.of_der(DER).sha256
PEM = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(DER).decode()}\n-----END CERTIFICATE-----\n"


def test_of_der():
    assert len(SHA1) == 40
    assert len(SHA256) == 64
    assert (SHA1 + SHA256).upper() == SHA1 + SHA256


def colons(text: str) -> str:
    return ":".join(textwrap.wrap(text, 2))


@pytest.mark.parametrize(
    "spelling",
    [
        SHA1,
        SHA1.lower(),
        colons(SHA1),
        colons(SHA1).lower(),
        SHA1.replace("A", "a"),
        f" {SHA1}\n",
        "\u200e" + SHA1,
        "\ufeff" + SHA1,
        " ".join(textwrap.wrap(SHA1, 2)),
        "-".join(textwrap.wrap(SHA1, 4)),
        f"SHA1 Fingerprint={colons(SHA1)}",
        f"sha1={SHA1}",
        f"SHA-1: {SHA1}",
        f"sha1 {SHA1}",
        f"Thumbprint: {SHA1}",
        f"fingerprint={SHA1}",
        f"\u200eSHA1 thumbprint {SHA1}",
    ],
)
def test_spellings_of_sha1(spelling):
    assert thumbprint.normalise(spelling) == SHA1


@pytest.mark.parametrize(
    "spelling",
    [
        SHA256,
        colons(SHA256).lower(),
        f"sha256 Fingerprint={colons(SHA256)}",
        f"SHA-256:{SHA256}",
        PEM,
        "text in front\n" + PEM,
        PEM.replace("CERTIFICATE", "X509 CERTIFICATE"),
    ],
)
def test_spellings_of_sha256(spelling):
    assert thumbprint.normalise(spelling) == SHA256


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 hexadecimal digits"),
        (SHA1[:-1], "39 hexadecimal digits"),
        (SHA1 + "0", "41 hexadecimal digits"),
        ("G" * 40, "its character 1 is 'G'"),
        (colons(SHA1[:16] + "O" + SHA1[17:]), "its character 17 is 'O'"),
        ("sha512 " + SHA1, "its character 1 is 'S'"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", "no certificate"),
        ("-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----", "no base64"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "no DER"),
    ],
)
def test_what_is_no_thumbprint(text, reason):
    with pytest.raises(ValueError, match=reason):
        thumbprint.normalise(text)


def test_a_private_key_is_not_quoted():
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        thumbprint.normalise("-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----")
    assert "SECRET" not in str(caught.value)


def test_matches():
    assert thumbprint.matches(DER, {SHA1}) == SHA1
    assert thumbprint.matches(DER, {SHA1, SHA256}) == SHA256
    assert thumbprint.matches(DER, [SHA256]) == SHA256
    assert thumbprint.matches(DER, {"0" * 40}) is None
    assert thumbprint.matches(DER, ()) is None
