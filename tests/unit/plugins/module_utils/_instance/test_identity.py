"""Keys and certificates: made as the original makes them, taken as people have them."""

from __future__ import annotations

import base64
import datetime
import hashlib
import os
import pathlib
import ssl
import stat
import sys
from typing import Any

import pytest

pytest.importorskip("cryptography")
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from module_utils._instance import identity
from module_utils._instance.errors import IdentityError


@pytest.fixture(name="pem", scope="module")
def fixture_pem() -> bytes:
    return identity.create()


def _key(pem: bytes) -> Any:
    return serialization.load_pem_private_key(pem, None)


def _certificate(pem: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(identity.certificate_der(pem))


def test_a_certificate_is_like_the_original_s(pem: bytes) -> None:
    facts, certificate = identity.describe(pem), _certificate(pem)
    assert (facts["subject"], facts["issuer"]) == ("CN=Octopus Tentacle", "CN=Octopus Tentacle")
    assert (facts["key_type"], facts["key_size"], facts["curve"]) == ("rsa", 2048, None)
    assert (facts["signature_algorithm"], facts["extensions"], facts["self_signed"]) == (
        "sha256WithRSAEncryption",
        0,
        True,
    )
    assert certificate.version is x509.Version.v3
    assert 1 <= certificate.serial_number <= 2**63 - 1
    midnight = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT00:00:00Z")
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    assert facts["not_before"] in (yesterday.strftime("%Y-%m-%dT00:00:00Z"), midnight)
    assert int(facts["not_after"][:4]) - int(facts["not_before"][:4]) in (99, 100, 101)


def test_thumbprints_are_those_of_the_certificate(pem: bytes) -> None:
    der = ssl.PEM_cert_to_DER_cert(pem[pem.index(b"-----BEGIN CERT") :].decode())
    assert identity.certificate_der(pem) == der
    shown = identity.thumbprints_of(pem)
    assert shown.sha1 == hashlib.sha1(der).hexdigest().upper()
    assert shown.sha256 == hashlib.sha256(der).hexdigest().upper()
    assert identity.describe(pem)["thumbprint"] == identity.thumbprints_of(pem).sha1


def test_key_and_certificate_can_be_used_by_tls(pem: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "identity.pem"
    identity.save(str(path), pem)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(str(path))


def test_other_keys_subjects_and_dates() -> None:
    facts = identity.describe(identity.create("CN=web 01", "ec", days=2))
    assert (facts["key_type"], facts["key_size"], facts["curve"]) == ("ec", 256, "secp256r1")
    assert facts["subject"] == "CN=web 01"
    begin, end = (datetime.datetime.strptime(facts[k], "%Y-%m-%dT%H:%M:%SZ") for k in ("not_before", "not_after"))
    assert (end - begin).days == 3
    assert identity.describe(identity.create(key_size=3072))["key_size"] == 3072
    assert identity.describe(identity.create(key_type="ec", days=10**8))["not_after"].startswith("9999-")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"key_type": "dsa"}, "key type 'dsa' is not supported"),
        ({"key_size": 1024}, "RSA key of 1024 bits is not made"),
        ({"key_size": 10**6}, "is not made"),
        ({"days": 0}, "valid for one day at least"),
        ({"subject": "CN="}, "no usable subject"),
        ({"subject": "x" * 65}, "no usable subject"),
        ({"subject": "a\nb"}, "no usable subject"),
    ],
)
def test_impossible_wishes_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(IdentityError) as caught:
        identity.create(**arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize("password", [None, "", "secret", "pässwörd"])
def test_a_pfx_comes_back_as_it_went(pem: bytes, password: str | None) -> None:
    pfx = identity.export_pfx(pem, password)
    assert identity.import_pfx(pfx, password) == pem
    assert identity.import_any(pfx, password) == pem
    assert identity.import_any(base64.b64encode(pfx), password) == pem
    assert identity.import_base64(base64.encodebytes(pfx).decode(), password) == pem


def test_a_password_that_is_wrong_or_missing_is_named(pem: bytes) -> None:
    pfx = identity.export_pfx(pem, "right")
    for password in ("wrong", None):
        with pytest.raises(IdentityError, match="password") as caught:
            identity.import_pfx(pfx, password)
        assert caught.value.cause == "password_wrong"


def test_a_chain_in_a_pfx_is_left_out(pem: bytes) -> None:
    other = _certificate(identity.create("CN=other", "ec"))
    pfx = pkcs12.serialize_key_and_certificates(
        b"x", _key(pem), _certificate(pem), [other], serialization.NoEncryption()
    )
    assert identity.import_pfx(pfx) == pem


def test_a_pfx_without_key_is_refused(pem: bytes) -> None:
    pfx = pkcs12.serialize_key_and_certificates(
        b"x", None, None, [_certificate(pem)], serialization.BestAvailableEncryption(b"p")
    )
    with pytest.raises(IdentityError, match="no private key"):
        identity.import_pfx(pfx, "p")


def test_pem_in_any_order_with_any_company(pem: bytes) -> None:
    key, certificate = pem[: pem.index(b"-----BEGIN CERT")], pem[pem.index(b"-----BEGIN CERT") :]
    other = identity.create("CN=ca", "ec")
    other_certificate = other[other.index(b"-----BEGIN CERT") :]
    assert identity.import_any(certificate + key) == pem
    assert identity.import_pem(b"Bag Attributes\n" + other_certificate + certificate + key) == pem


def test_older_forms_of_keys_are_taken(pem: bytes) -> None:
    old = _key(pem).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    assert b"BEGIN RSA PRIVATE KEY" in old
    assert identity.import_pem(old + _certificate(pem).public_bytes(serialization.Encoding.PEM)) == pem


def test_encrypted_pem(pem: bytes) -> None:
    secret = _key(pem).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"right"),
    )
    text = secret + _certificate(pem).public_bytes(serialization.Encoding.PEM)
    assert identity.import_pem(text, "right") == pem
    for password in ("wrong", None):
        with pytest.raises(IdentityError) as caught:
            identity.import_pem(text, password)
        assert caught.value.cause == "password_wrong"
    assert identity.import_pem(pem, "not needed") == pem


def test_a_key_of_somebody_else_is_refused(pem: bytes) -> None:
    other = identity.create()
    mixed = other[: other.index(b"-----BEGIN CERT")] + pem[pem.index(b"-----BEGIN CERT") :]
    with pytest.raises(IdentityError, match="does not belong"):
        identity.import_pem(mixed)


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", b"0\x82garbage", b"0" * 100, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
)
def test_rubbish_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(IdentityError):
        identity.import_any(data)


def test_damaged_parts_are_refused(pem: bytes) -> None:
    damaged = pem.replace(b"-----BEGIN CERTIFICATE-----\nMII", b"-----BEGIN CERTIFICATE-----\nAAA")
    with pytest.raises(IdentityError):
        identity.import_pem(damaged)
    with pytest.raises(IdentityError, match="no certificate"):
        identity.certificate_der(pem[:200])


def test_keys_that_servers_cannot_use_are_refused() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "x")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2040, 1, 1))
        .sign(key, None)
    )
    form = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(IdentityError, match="neither RSA nor elliptic-curve"):
        identity.import_pem(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))


def test_small_keys_are_noticed() -> None:
    assert identity.key_is_small({"key_type": "rsa", "key_size": 1024})
    assert not identity.key_is_small({"key_type": "rsa", "key_size": 2048})
    assert not identity.key_is_small({"key_type": "ec", "key_size": 256})


def test_made_keys_are_of_the_promised_kind(pem: bytes) -> None:
    assert isinstance(_key(pem), rsa.RSAPrivateKey)
    assert isinstance(_key(identity.create(key_type="ec")), ec.EllipticCurvePrivateKey)
    assert _certificate(pem).signature_hash_algorithm.name == hashes.SHA256.name


def test_a_new_file_is_for_its_owner_and_an_old_one_keeps_its_mode(pem: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "identity.pem"
    identity.save(str(path), pem)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    identity.save(str(path), pem + b"\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give directories away")
def test_a_new_file_is_readable_by_the_group_its_directory_was_given_to(pem: bytes, tmp_path: pathlib.Path) -> None:
    os.chown(tmp_path, 0, 4321)
    identity.save(str(tmp_path / "identity.pem"), pem)
    present = (tmp_path / "identity.pem").stat()
    assert (present.st_gid, stat.S_IMODE(present.st_mode)) == (4321, 0o640)


def test_without_the_library_thumbprints_still_work(pem: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert len(identity.thumbprints_of(pem).sha1) == 40
    for call in (identity.create, lambda: identity.import_any(pem), lambda: identity.describe(pem)):
        with pytest.raises(IdentityError, match="python3-cryptography") as caught:
            call()
        assert caught.value.cause == "cryptography_missing"
