# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The identity that an agent is to get, or has already: whether it can be used.

This module util is **private** to the collection. Where this Python has ``cryptography``, an identity to import is
opened as it will be. Where it has not, its shape is looked at, which finds a wrong, cut or empty file.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from .. import _identity_file, _x509
from .._identity_library import HAS_CRYPTOGRAPHY
from .._instance import files, identity
from .._instance.errors import IdentityError, InstanceError
from .problem import Problem

_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_PFX_BEGINNING = b"\x02\x01\x03"  # version 3, the only one there is


class Source(NamedTuple):
    """Where an identity is imported from; at most one of ``content`` and ``pfx_path`` is given."""

    content: str | None = None
    pfx_path: str | None = None
    passphrase: str | None = None

    @property
    def given(self) -> bool:
        return bool(self.content or self.pfx_path)

    @property
    def option(self) -> str:
        return "certificate_content" if self.content else "certificate_pfx_path"


def check(source: Source, present: str, for_image: bool, purged: bool) -> list[Problem]:
    """What is wrong with the identity to import, or with the one in the file ``present``.

    An image must have none, unless it is going to be removed (``purged``).
    """
    try:
        if source.given:
            _open(source)
            return []
        facts = None if for_image and purged else _identity_file.read(present)
    except InstanceError as error:
        name = f"The identity in '{source.option}' cannot be imported. " if source.given else ""
        return [Problem(error.cause, f"{name}{error}")]
    if for_image and facts is not None:
        return [_in_the_image(present, str(facts["thumbprint"]))]
    return []


def _in_the_image(present: str, thumbprint: str) -> Problem:
    return Problem(
        "identity_present",
        f"This host cannot become an image: it has an identity, {thumbprint} in {present}, and every copy would have "
        "the same one, so that servers could not tell them apart. It is a host in use, or was started from another "
        "image, probably. If it is the right one, set 'purge_identity' to remove the identity.",
    )


def _open(source: Source) -> None:
    """Raise InstanceError for what cannot be imported."""
    data = source.content.encode("utf-8") if source.content else files.read(str(source.pfx_path))
    if HAS_CRYPTOGRAPHY:
        identity.import_any(data, source.passphrase)
    else:
        _look_at_shape(data)


def _look_at_shape(data: bytes) -> None:
    stripped = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"-----BEGIN " in stripped:
        _look_at_pem(stripped)
    elif stripped[:1] == b"0":
        _look_at_pfx(data)
    else:
        try:
            _look_at_pfx(base64.b64decode(b"".join(stripped.split()), validate=True))
        except (binascii.Error, ValueError):
            raise IdentityError(
                "It is neither PEM nor PFX nor base64 of a PFX. Export it again: as a PFX with its private key, or as "
                "PEM with key and certificate."
            ) from None


def _look_at_pem(pem: bytes) -> None:
    if not _KEY.search(pem):
        raise IdentityError(
            "The PEM text holds no private key; key and certificate are both needed, one after the other. Only the "
            "certificate was copied, or the text was cut, probably. Export both."
        )
    try:
        _x509.parse(identity.certificate_der(pem))
    except ValueError as error:
        raise IdentityError(f"The certificate in the PEM text is damaged: {error}. Export it again.") from error


def _look_at_pfx(data: bytes) -> None:
    """A PFX is one DER sequence that begins with its version, and is as long as it says."""
    first = data[1] if len(data) > 1 else 0
    width = first & 0x7F if first & 0x80 else 0
    length = int.from_bytes(data[2 : 2 + width], "big") if width else first
    inside = data[2 + width :]
    if data[:1] != b"0" or inside[:3] != _PFX_BEGINNING or len(inside) < length:
        raise IdentityError(
            f"It is no whole PFX file: {len(data)} bytes, of which the beginning promises {2 + width + length}. It was "
            "cut on the way, or is a file of another kind, probably. Export it again, as a PFX with its private key."
        )
