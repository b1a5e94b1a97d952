# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Thumbprints of certificates: made, written in any spelling, compared (docs/protocol/halibut-wire.md §1.3)."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Collection

from .values import value

_PEM = "(?s)-----BEGIN (X509 )?CERTIFICATE-----(.*?)-----END (X509 )?CERTIFICATE-----"
_LABEL = r"(?i)^(?:sha[- ]?(?:1|256)\b)?\s*(?:(?:finger|thumb)[- ]?print)?\s*=?"
_SEPARATORS = "[\\s:\\-\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+"


@value(frozen=True)
class Thumbprints:
    """Both thumbprints of one certificate, in upper-case hex: SHA-1 (Halibut's own) and SHA-256."""

    sha1: str
    sha256: str


@functools.lru_cache(maxsize=16)
def of_der(der: bytes) -> Thumbprints:
    """The thumbprints of a certificate in DER; those of the last few are remembered, for they come again and again."""
    return Thumbprints(hashlib.sha1(der).hexdigest().upper(), hashlib.sha256(der).hexdigest().upper())


def normalise(text: str) -> str:
    """Any spelling of a thumbprint as upper-case hex: 40 digits for SHA-1, 64 for SHA-256.

    Understood are colons, spaces, dashes, lower case, a label in front (`SHA1 Fingerprint=`), the invisible marks that
    the certificate window of Windows copies along, and a whole certificate in PEM, which gives its SHA-256.
    Raises ValueError with a sentence.
    """
    if len(text) in (40, 64) and not text.strip("0123456789ABCDEF"):
        return text  # as configurations keep it: the expressions below are not even compiled when an agent starts
    if "-----BEGIN" in text:
        return of_der(_der_of_pem(text)).sha256
    words = re.sub(_SEPARATORS, " ", text).strip()
    digits = re.sub(_SEPARATORS, "", re.sub(_LABEL, "", words, count=1)).upper()
    wrong = re.search("[^0-9A-F]", digits)
    if wrong:
        raise ValueError(
            f"{text[:80]!r} is no thumbprint: its character {wrong.start() + 1} is {wrong[0]!r}, and only the "
            "hexadecimal digits 0 to 9 and A to F are expected."
        )
    if len(digits) not in (40, 64):
        raise ValueError(
            f"{text[:80]!r} is no thumbprint: it has {len(digits)} hexadecimal digits, "
            "40 (SHA-1) or 64 (SHA-256) are expected."
        )
    return digits


def _der_of_pem(text: str) -> bytes:
    match = re.search(_PEM, text)
    if match is None:
        raise ValueError("The PEM text holds no certificate; a block that begins with 'BEGIN CERTIFICATE' is expected.")
    try:
        der = base64.b64decode("".join(match[2].split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("The certificate in the PEM text is damaged: it is no base64.") from None
    if der[:1] != b"\x30":
        raise ValueError("The certificate in the PEM text is damaged: it is no DER sequence.")
    return der


def matches(der: bytes, pins: Collection[str]) -> str | None:
    """The normalised pin that fits this certificate, or None. SHA-256 pins win over SHA-1 ones."""
    shown = of_der(der)
    if shown.sha256 in pins:
        return shown.sha256
    return shown.sha1 if shown.sha1 in pins else None
