# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the records of our own half of a TLS handshake tell that `ssl` does not.

A client sends a certificate message, if only an empty one, exactly when it was asked for a certificate. In TLS 1.2
(RFC 5246 §7.4) that message is readable; in TLS 1.3 (RFC 8446 §4.4) it is encrypted, but without it the client's last
flight holds the Finished message alone, whose size is known.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_FLIGHTS = 256 * 1024
_CHANGE, _HANDSHAKE, _ENCRYPTED = 0x14, 0x16, 0x17
_CERTIFICATE = 11
_OVERHEAD = 4 + 1 + 16  # handshake header, content type, tag of the cipher


def asked_for_certificate(said: bytes, version: str, cipher: str) -> bool | None:
    """Whether the server asked for a certificate, from all that the client said; None where that cannot be told."""
    found = list(split(said))
    if version == "TLSv1.3":
        sent = sum(len(payload) for kind, payload in found if kind == _ENCRYPTED)
        return sent > _OVERHEAD + (48 if cipher.endswith("SHA384") else 32) if sent else None
    if version == "TLSv1.2":
        plain = b""
        for kind, payload in found:
            if kind == _CHANGE:
                return _CERTIFICATE in messages(plain)
            plain += payload if kind == _HANDSHAKE else b""
    return None


def split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and payload of each complete record."""
    while len(data) >= 5:
        size = 5 + int.from_bytes(data[3:5], "big")
        if len(data) < size:
            return
        yield data[0], data[5:size]
        data = data[size:]


def messages(plain: bytes) -> list[int]:
    """The kinds of the handshake messages in the payload of readable records."""
    kinds = []
    while len(plain) >= 4:
        kinds.append(plain[0])
        plain = plain[4 + int.from_bytes(plain[1:4], "big") :]
    return kinds
