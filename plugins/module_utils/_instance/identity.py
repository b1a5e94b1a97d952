# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The agent's identity: its key and certificate, made, imported, exported and described.

This is the one file of ours that handles keys, and the one that needs the library ``cryptography`` (3.3 or newer),
which is loaded only inside the functions that need it: reading a thumbprint does without.

An identity is one PEM text: the private key (PKCS #8, not encrypted) followed by the certificate. Being one file, it is
replaced by one rename, and key and certificate always fit each other.

A certificate made here is what the original makes (docs/protocol/tentacle-services.md §5.6): self-signed, RSA 2048,
SHA-256, X.509 v3 without any extension, valid from yesterday's midnight for a hundred years. Nobody validates
its dates, subject or chain: servers compare the thumbprint alone.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import os
import re
from typing import TYPE_CHECKING, Any

from .._halibut import thumbprint as thumbprints
from . import files
from .errors import IdentityError

if TYPE_CHECKING:
    from cryptography import x509

SUBJECT = "CN=Octopus Tentacle"
KEY_TYPES = ("rsa", "ec")
SMALLEST_RSA_KEY = 2048
LARGEST_RSA_KEY = 16384
DAYS = 36524  # a hundred years, as the original's
_COMMON_NAME_LIMIT = 64
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.+?-----END \1PRIVATE KEY-----\s*", re.DOTALL)
_NEWEST_DATE = datetime.datetime(9999, 12, 31)


def create(subject: str = SUBJECT, key_type: str = "rsa", key_size: int = SMALLEST_RSA_KEY, days: int = DAYS) -> bytes:
    """A new key and self-signed certificate as PEM.

    ``subject`` is a common name, with or without ``CN=``. ``key_type`` "ec" makes a P-256 key and ignores ``key_size``;
    the original's documents ask for RSA, so EC is for servers known to take it. Raises IdentityError.
    """
    _require()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    common_name = subject[3:] if subject[:3].upper() == "CN=" else subject
    if not 1 <= len(common_name) <= _COMMON_NAME_LIMIT or not common_name.isprintable():
        raise IdentityError(
            f"'{subject}' is no usable subject: a common name has 1 to {_COMMON_NAME_LIMIT} characters."
        )
    if days < 1:
        raise IdentityError(f"A certificate has to be valid for one day at least, not {days}.")
    key = _new_key(key_type, key_size)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, common_name)])
    today = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(os.urandom(8), "big") % (2**63 - 1) + 1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(_later(today, days))
        .sign(key, hashes.SHA256())
    )
    return _as_pem(key, certificate)


def _later(start: datetime.datetime, days: int) -> datetime.datetime:
    try:
        return min(start + datetime.timedelta(days=days), _NEWEST_DATE)
    except OverflowError:
        return _NEWEST_DATE


def _new_key(key_type: str, key_size: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if key_type == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if key_type != "rsa":
        raise IdentityError(f"The key type '{key_type}' is not supported. Use one of: {', '.join(KEY_TYPES)}.")
    if not SMALLEST_RSA_KEY <= key_size <= LARGEST_RSA_KEY:
        raise IdentityError(
            f"An RSA key of {key_size} bits is not made. Use {SMALLEST_RSA_KEY} to {LARGEST_RSA_KEY}; "
            "2048 and 3072 are usual."
        )
    return rsa.generate_private_key(public_exponent=65537, key_size=key_size)


def import_any(data: bytes, password: str | None = None) -> bytes:
    """A PEM, PFX or base64 text of a PFX (the original's export), whichever it is, as our PEM. Raises IdentityError."""
    stripped = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"-----BEGIN " in stripped:
        return import_pem(stripped, password)
    if stripped[:1] == b"0":  # also the first byte of a DER sequence; no base64 of one begins so
        return import_pfx(data, password)
    return import_base64(stripped.decode("ascii", "replace"), password)


def import_base64(text: str, password: str | None = None) -> bytes:
    """A PFX written as base64 text, as ``new-certificate --export-file`` writes it. Raises IdentityError."""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise IdentityError(
            "The certificate is neither PEM nor PFX nor base64 of a PFX. "
            "Export it again: as a PFX with its private key, or as PEM with key and certificate."
        ) from None
    return import_pfx(data, password)


def import_pfx(data: bytes, password: str | None = None) -> bytes:
    """The key and its certificate from a PFX (PKCS #12) file; further certificates are left out.

    Raises IdentityError; its cause is "password_wrong" where another password may help.
    """
    _require()
    from cryptography.hazmat.primitives.serialization import pkcs12

    secrets = [password.encode("utf-8")] if password else [None, b""]  # without a password there are two conventions
    for secret in secrets:
        try:
            key, certificate, _others = pkcs12.load_key_and_certificates(data, secret)
            break
        except ValueError:
            continue
        except Exception as error:  # the library raises several kinds of its own for broken input
            raise IdentityError(f"The PFX file could not be read: {error}. Export it again.") from error
    else:
        raise IdentityError(
            "The PFX file could not be opened: its password is another one, or the file is damaged. "
            "Give the password it was exported with.",
            cause="password_wrong",
        )
    if key is None or certificate is None:
        raise IdentityError(
            "The PFX file holds no private key with its certificate. Export it again with 'include the private key'."
        )
    return _as_pem(_usable(key), certificate)


def import_pem(data: bytes, password: str | None = None) -> bytes:
    """A private key and its certificate from PEM, in any order; of several certificates the key's own is taken.

    Raises IdentityError; its cause is "password_wrong" where another password may help.
    """
    _require()
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    text = data.decode("ascii", "replace")
    block = _KEY.search(text)
    if block is None or not _CERTIFICATE.search(text):
        missing = "private key" if block is None else "certificate"
        raise IdentityError(
            f"The PEM text holds no {missing}; key and certificate are both needed, one after the other."
        )
    try:
        secret = password.encode("utf-8") if password and "ENCRYPTED" in block.group(0) else None
        key = serialization.load_pem_private_key(block.group(0).encode("ascii", "replace"), secret)
    except (ValueError, TypeError) as error:
        raise IdentityError(
            "The private key could not be read: its password is missing or another one, or the PEM is damaged.",
            cause="password_wrong",
        ) from error
    except Exception as error:  # UnsupportedAlgorithm and whatever a newer library invents
        raise IdentityError(f"The private key could not be read: {error}. Use an RSA or P-256 key.") from error
    try:
        certificates = [
            x509.load_pem_x509_certificate(found.group(0).encode()) for found in _CERTIFICATE.finditer(text)
        ]
    except ValueError as error:
        raise IdentityError("A certificate in the PEM text is damaged. Export it again.") from error
    fitting = [certificate for certificate in certificates if _fits(key, certificate)]
    if not fitting:
        raise IdentityError(
            "The certificate does not belong to the private key. Put the two together that were made together."
        )
    return _as_pem(_usable(key), fitting[0])


def export_pfx(pem: bytes, password: str | None = None) -> bytes:
    """The identity as a PFX file, encrypted only when there is a password. Raises IdentityError."""
    _require()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    key, certificate = _load(pem)
    encryption: Any = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password.encode("utf-8"))
    return pkcs12.serialize_key_and_certificates(b"tentacle", key, certificate, None, encryption)


def save(path: str, pem: bytes, group: files.Account = None) -> None:
    """Write an identity file in one step, readable as ``files.write_secret`` says. Raises StorageError."""
    files.write_secret(path, pem, group)


def certificate_der(pem: bytes) -> bytes:
    """The DER bytes of the first certificate of a PEM text; the library is not needed. Raises IdentityError."""
    found = _CERTIFICATE.search(pem.decode("ascii", "replace"))
    try:
        if found:
            return base64.b64decode("".join(found.group(1).split()), validate=True)
    except (binascii.Error, ValueError):
        pass
    raise IdentityError("There is no certificate in the identity file. Make one with new-certificate, or import one.")


def thumbprints_of(pem: bytes) -> thumbprints.Thumbprints:
    """SHA-1 and SHA-256 of the certificate, upper-case digits; the library is not needed. Raises IdentityError."""
    return thumbprints.of_der(certificate_der(pem))


def describe(pem: bytes) -> dict[str, Any]:
    """Facts of a certificate, always the same keys; no secret among them. Raises IdentityError.

    ``thumbprint``, ``thumbprint_sha256``, ``subject``, ``issuer``, ``serial_number`` (hexadecimal), ``not_before`` and
    ``not_after`` (ISO 8601, UTC), ``key_type`` ("rsa", "ec" or another), ``key_size`` (bits), ``curve`` or None,
    ``signature_algorithm`` (such as "sha256WithRSAEncryption"), ``extensions`` (how many), ``self_signed``.
    """
    _require()
    from cryptography import x509

    der = certificate_der(pem)
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise IdentityError("The certificate in the identity file is damaged. Import it again.") from error
    pins, public = thumbprints.of_der(der), certificate.public_key()
    algorithm = certificate.signature_algorithm_oid
    return {
        "thumbprint": pins.sha1,
        "thumbprint_sha256": pins.sha256,
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial_number": f"{certificate.serial_number:X}",
        "not_before": _moment(certificate, "not_valid_before"),
        "not_after": _moment(certificate, "not_valid_after"),
        "key_type": _key_type(public),
        "key_size": getattr(public, "key_size", None),
        "curve": getattr(getattr(public, "curve", None), "name", None),
        "signature_algorithm": getattr(algorithm, "_name", algorithm.dotted_string),
        "extensions": len(certificate.extensions),
        "self_signed": certificate.subject == certificate.issuer,
    }


def key_is_small(facts: dict[str, Any]) -> bool:
    """Whether ``facts`` of ``describe`` show a key below what is recommended today."""
    return facts["key_type"] == "rsa" and (facts["key_size"] or 0) < SMALLEST_RSA_KEY


def _moment(certificate: x509.Certificate, name: str) -> str:
    """A date of the certificate; newer libraries have it with a time zone under another name."""
    moment = getattr(certificate, name + "_utc", None) or getattr(certificate, name)
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _key_type(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return "rsa"
    return "ec" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__.lstrip("_").lower()


def _usable(key: Any) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        return key
    raise IdentityError("The private key is neither RSA nor elliptic-curve (P-256); servers could not connect with it.")


def _fits(key: Any, certificate: x509.Certificate) -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return bool(key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form))


def _load(pem: bytes) -> tuple[Any, x509.Certificate]:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_pem_private_key(pem, None), x509.load_der_x509_certificate(certificate_der(pem))
    except (ValueError, TypeError) as error:
        raise IdentityError("Key or certificate of the identity file is damaged. Import or make it anew.") from error


def _as_pem(key: Any, certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    secret: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + certificate.public_bytes(Encoding.PEM)


def _require() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise IdentityError(
            f"Making or importing a certificate needs the Python library 'cryptography' (3.3 or newer): {error}. "
            "On Debian and Ubuntu: apt install python3-cryptography; on Red Hat's family: "
            "dnf install python3-cryptography.",
            cause="cryptography_missing",
        ) from error
