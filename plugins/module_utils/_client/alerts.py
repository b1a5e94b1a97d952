# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What OpenSSL says of a failed handshake, in plain words.

`TLSV1_ALERT_PROTOCOL_VERSION` and its like are alerts that the other side sent (RFC 8446 §6.2); everything else is what
this side found wrong.
"""

from __future__ import annotations

_PREFIXES = ("TLSV13_ALERT_", "TLSV1_ALERT_", "SSLV3_ALERT_", "TLSV1_")
_MEANINGS = {
    "access denied": "it knows the certificate and refuses it",
    "bad certificate": "it finds the caller's certificate broken",
    "bad record mac": "what arrived is not what was sent",
    "certificate expired": "it finds the caller's certificate expired",
    "certificate required": "it serves nobody without a certificate",
    "certificate revoked": "it finds the caller's certificate revoked",
    "certificate unknown": "it does not accept the caller's certificate",
    "decode error": "it cannot read what was sent",
    "decrypt error": "a signature does not fit its certificate, or a device changed what was sent",
    "export restriction": "it allows weak ciphers only",
    "handshake failure": "it finds nothing acceptable in what was offered",
    "illegal parameter": "it finds something in the hello wrong",
    "inappropriate fallback": "it suspects that somebody forces an older version",
    "insufficient security": "it finds everything that was offered too weak",
    "internal error": "it failed by itself; its own log says why",
    "no application protocol": "it wants to know by ALPN what is spoken",
    "no certificate": "it got no certificate",
    "no renegotiation": "it does not negotiate anew",
    "protocol version": "it speaks none of the TLS versions that were offered",
    "record overflow": "it cannot take records of that size",
    "unexpected message": "it expected something else at this point",
    "unknown ca": "it does not know who signed the caller's certificate",
    "unrecognized name": "it serves no host of this name",
    "unsupported certificate": "it cannot use this kind of certificate",
    "unsupported extension": "it does not take an extension of the hello",
    "user cancelled": "somebody there broke off",
}


def in_words(reason: str) -> str:
    """OpenSSL's name of a failure, readable, with what an alert of the other side means."""
    for prefix in _PREFIXES:
        name = reason[len(prefix) :].lower().replace("_", " ")
        if reason.startswith(prefix) and (name in _MEANINGS or prefix != _PREFIXES[-1]):
            meaning = f": {_MEANINGS[name]}" if name in _MEANINGS else ""
            return f"the other side sent the alert '{name}'{meaning}"
    return reason.lower().replace("_", " ") if reason.isupper() or "_" in reason else reason
