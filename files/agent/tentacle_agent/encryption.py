# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Script files that arrive in the clear and are stored encrypted (docs/protocol/tentacle-services.md §2.7).

The server sends variables together with a password, and tells the tool that reads them the same password. The file is
`IV__`, 16 random bytes, and then AES-128-CBC with PKCS#7 padding under a key derived from the password. What is
encrypted is the text as UTF-8: a byte-order mark of UTF-8, UTF-16 or UTF-32 says how to read it and is not kept, and
bytes that are no text become U+FFFD.

The parameters are the reader's, not our choice: they keep a secret from a casual look, not from somebody with time.
`cryptography` is imported when the first such file arrives and not before.
"""

from __future__ import annotations

import codecs
import hashlib
import os
from typing import Any

PREFIX = b"IV__"
SALT = b"Octopuss"
ITERATIONS = 1000
KEY_BYTES = 16
BLOCK_BYTES = 16
_MARKS = (  # Longer marks first: UTF-32's little-endian mark begins like UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_MARK = 4


class EncryptionUnavailable(Exception):
    """The library that encrypts is not installed; str() says which and how to get it."""


def derive_key(password: str) -> bytes:
    """The AES key for a password."""
    return hashlib.pbkdf2_hmac("sha1", password.encode("utf-8", "surrogatepass"), SALT, ITERATIONS, KEY_BYTES)


class TextEncryptor:
    """Encrypts one file piece by piece; what goes in and what comes out are never held whole."""

    def __init__(self, password: str, vector: bytes | None = None) -> None:
        """``vector`` is for tests; left out it is random. Raises EncryptionUnavailable."""
        vector = os.urandom(BLOCK_BYTES) if vector is None else vector
        self._cipher = _cipher(derive_key(password), vector)
        self._output = PREFIX + vector
        self._head: bytes | None = b""
        self._decode: Any = None
        self._rest = b""

    def update(self, data: bytes) -> bytes:
        """Take the next bytes of the file as it was sent; return the next bytes of the encrypted one."""
        if self._head is not None:
            self._head += data
            if len(self._head) < _LONGEST_MARK:
                return b""
            data, self._head = self._recognise(self._head), None
        return self._encrypt(self._decode(data).encode("utf-8", "replace"))

    def finish(self) -> bytes:
        """The last bytes of the encrypted file."""
        data = b""
        if self._head is not None:
            data, self._head = self._recognise(self._head), None
        encrypted = self._encrypt(self._decode(data, True).encode("utf-8", "replace"))
        padding = BLOCK_BYTES - len(self._rest)
        last: bytes = self._cipher.update(self._rest + bytes([padding]) * padding) + self._cipher.finalize()
        return encrypted + last

    def _recognise(self, head: bytes) -> bytes:
        """Choose how to read the text from its first bytes; return what follows the mark."""
        mark, encoding = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", "utf-8"))
        self._decode = codecs.getincrementaldecoder(encoding)("replace").decode
        return head[len(mark) :]

    def _encrypt(self, plain: bytes) -> bytes:
        plain = self._rest + plain
        whole = len(plain) - len(plain) % BLOCK_BYTES
        self._rest = plain[whole:]
        encrypted: bytes = self._output + self._cipher.update(plain[:whole])
        self._output = b""
        return encrypted


def _cipher(key: bytes, vector: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as error:
        raise EncryptionUnavailable(
            "A script file was to be stored encrypted, but the agent's Python has no 'cryptography'. "
            "Install it (on Debian and Ubuntu python3-cryptography by apt, on Red Hat the same by dnf) and send the "
            "script again."
        ) from error
    return Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
