# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The caller's certificate and key, and the TLS settings that go with them.

The key stays in its file: only OpenSSL reads it. OpenSSL's security level is lowered for one purpose: to load or accept
a certificate that is weak (SHA-1, short key) but known by its digest. It is never lowered by default.
"""

from __future__ import annotations

import functools
import re
import ssl

from .. import _x509
from .._halibut import thumbprint
from .._halibut.values import value
from .errors import ClientError

_IGNORE_UNEXPECTED_EOF = 0x80  # .NET peers end without close_notify; newer Pythons have a name for it
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_TOO_WEAK = frozenset({"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"})


@value(frozen=True)
class Identity:
    """A caller's certificate: where it is, and what is known of it."""

    certificate: str
    key: str
    passphrase: str | None
    der: bytes
    facts: _x509.CertificateFacts

    @property
    def thumbprints(self) -> thumbprint.Thumbprints:
        return thumbprint.of_der(self.der)

    @property
    def weakness(self) -> str | None:
        """Why a modern peer may refuse this certificate; None where it will not."""
        return weakness(self.facts)


def weakness(facts: _x509.CertificateFacts) -> str | None:
    """What is weak about a certificate, as half a sentence; None where nothing is."""
    if facts.signature_hash in ("md5", "sha1"):
        return f"it is signed with {facts.signature_hash.upper().replace('SHA1', 'SHA-1')}"
    if facts.key_type in ("RSA", "DSA") and facts.key_size is not None and facts.key_size < 2048:
        return f"its {facts.key_type} key has only {facts.key_size} bits"
    return None


def load(certificate: str, key: str | None = None, passphrase: str | None = None) -> Identity:
    """Read a caller's certificate and prove that the key fits; ClientError (invalid_input) with a sentence."""
    try:
        with open(certificate, "rb") as file:
            text = file.read(_x509.MAX_CERTIFICATE)
    except OSError as error:
        raise _unusable(certificate, f"cannot be read: {error.strerror}") from error
    match = _CERTIFICATE.search(text)
    if match is None:
        raise _unusable(certificate, "holds no certificate in PEM form")
    try:
        der = ssl.PEM_cert_to_DER_cert(match[0].decode("ascii"))
        identity = Identity(certificate, key or certificate, passphrase, der, _x509.parse(der))
    except ValueError as error:
        raise _unusable(certificate, f"holds a certificate that cannot be read: {error}") from error
    _load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), identity)
    return identity


@functools.lru_cache(maxsize=16)  # reading the key takes as long as a handshake; all connections can share the settings
def context(
    identity: Identity | None = None, *, weak: bool = False, only: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """TLS settings of a client: 1.2 or newer, any certificate (the thumbprint decides), ours when there is one.

    The same settings are given for the same question, so nobody may change them.
    """
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    settings.minimum_version = only or ssl.TLSVersion.TLSv1_2
    if only:
        settings.maximum_version = only
    if ssl.OPENSSL_VERSION_INFO >= (3,):
        settings.options |= _IGNORE_UNEXPECTED_EOF
    if weak:
        settings.set_ciphers("DEFAULT:@SECLEVEL=0")
    if identity is not None:
        _load_into(settings, identity)
    return settings


def _load_into(settings: ssl.SSLContext, identity: Identity) -> None:
    asked = []

    def passphrase() -> str:
        asked.append(True)  # without this OpenSSL would ask on the terminal
        return identity.passphrase or ""

    try:
        try:
            settings.load_cert_chain(identity.certificate, identity.key, passphrase)
        except ssl.SSLError as error:
            if error.reason not in _TOO_WEAK:
                raise
            settings.set_ciphers("DEFAULT:@SECLEVEL=0")
            settings.load_cert_chain(identity.certificate, identity.key, passphrase)
    except ssl.SSLError as error:
        raise _unusable(identity.key, _why(error, bool(asked), identity.passphrase)) from error
    except OSError as error:
        raise _unusable(identity.key, f"cannot be read: {error.strerror}") from error


def _why(error: ssl.SSLError, asked: bool, passphrase: str | None) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "does not belong to the certificate: the public keys differ"
    if asked and not passphrase:
        return "is encrypted, and no passphrase was given"
    if asked:
        return "cannot be decrypted with the passphrase that was given"
    return f"holds no usable private key in PEM form ({error.reason or error})"


def _unusable(path: str, why: str) -> ClientError:
    return ClientError("invalid_input", f"The caller's identity cannot be used: {path} {why}.")
