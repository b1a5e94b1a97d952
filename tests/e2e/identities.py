# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests, made on the spot."""

from __future__ import annotations

import datetime
import hashlib
import pathlib
import ssl
import subprocess
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


class MadeIdentity(NamedTuple):
    """A certificate and its key in one PEM file."""

    path: pathlib.Path
    thumbprint: str
    thumbprint_sha256: str
    der: bytes


def make(
    path: pathlib.Path,
    name: str = "Test",
    *,
    key: Any = None,
    digest: Any = None,
    passphrase: bytes | None = None,
    days: int = 3650,
) -> MadeIdentity:
    """A self-signed certificate without extensions, as Tentacle makes them; RSA 2048 and SHA-256 by default."""
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(1))
        .not_valid_after(today + datetime.timedelta(days))
        .sign(key, digest or hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    path.chmod(0o600)
    der = certificate.public_bytes(serialization.Encoding.DER)
    return MadeIdentity(path, hashlib.sha1(der).hexdigest().upper(), hashlib.sha256(der).hexdigest().upper(), der)


def with_sha1(path: pathlib.Path) -> MadeIdentity:
    """An identity from the time when SHA-1 was usual; made by the command line of OpenSSL, which still does so."""
    key = path.with_suffix(".key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha1", "-days", "9", "-subj", "/CN=Old",
         "-keyout", str(key), "-out", str(path)], check=True, capture_output=True)  # fmt: skip
    der = ssl.PEM_cert_to_DER_cert(path.read_text(encoding="ascii"))
    path.write_text(key.read_text(encoding="ascii") + path.read_text(encoding="ascii"), encoding="ascii")
    return MadeIdentity(path, hashlib.sha1(der).hexdigest().upper(), hashlib.sha256(der).hexdigest().upper(), der)


def elliptic() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def short() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)
