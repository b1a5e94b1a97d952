# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Values that the original encrypted with its machine's key (docs/protocol/tentacle-services.md §5.4).

On Linux that is AES-256-CBC with the characters of ``/etc/machine-id`` as key and a constant vector, or, where that
file was of no use, with a key and vector that the original generated. It hides values from other machines, not from
whoever can read both files; we only read it, and never write it.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from typing import NamedTuple

from .errors import IdentityError

MACHINE_ID = "/etc/machine-id"
_MACHINE_ID_LENGTH = 32
_MACHINE_ID_VECTOR = b"743677397A244326"
_LARGEST_KEY_FILE = 4096


class KeyFiles(NamedTuple):
    """Where the two kinds of key lie; either may be missing."""

    machine_id: str
    generated: str


def decrypt_with_machine_key(text: str, key_files: KeyFiles) -> str:
    """The value behind ``text``, which is base64 of the encrypted bytes. Each key of the machine is tried in turn.

    Raises IdentityError where none of them fits or the library ``cryptography`` is missing.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise IdentityError(
            "The original's encrypted certificate is no base64 text: the file is damaged. Restore it from a backup."
        ) from None
    tried = []
    for place, key, vector in _keys(key_files):
        tried.append(place)
        value = _decrypt(data, key, vector)
        if value is not None:
            return value
    raise IdentityError(
        "The original's certificate could not be decrypted with a key of this machine (tried: "
        f"{', '.join(tried) or 'none, for neither key file can be read'}). The configuration was copied from another "
        "machine, or its machine-id has changed since. Run this as root on the machine that the configuration was "
        "made on, or import the certificate from a PFX file.",
        cause="password_wrong",
    )


def _keys(key_files: KeyFiles) -> Iterator[tuple[str, bytes, bytes]]:
    """Place, key and vector of everything that this machine may have encrypted with."""
    lines = _read(key_files.machine_id).splitlines()
    if lines and len(lines[0].strip()) == _MACHINE_ID_LENGTH:
        yield key_files.machine_id, lines[0].strip(), _MACHINE_ID_VECTOR
    key, dot, vector = _read(key_files.generated).strip().partition(b".")
    if dot:
        try:
            yield key_files.generated, base64.b64decode(key, validate=True), base64.b64decode(vector, validate=True)
        except (binascii.Error, ValueError):
            return


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LARGEST_KEY_FILE)


def _decrypt(data: bytes, key: bytes, vector: bytes) -> str | None:
    """The text, or None where this is not the key: then padding or text make no sense."""
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as error:
        raise IdentityError(
            f"Reading the original's certificate needs the Python library 'cryptography': {error}. "
            "On Debian and Ubuntu: apt install python3-cryptography.",
            cause="cryptography_missing",
        ) from error
    try:
        decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
        padded = decryptor.update(data) + decryptor.finalize()
    except ValueError:  # a key, vector or text of impossible length
        return None
    size = padded[-1] if padded else 0
    if not 1 <= size <= 16 or padded[-size:] != bytes([size]) * size:
        return None
    try:
        return padded[:-size].decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
