# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The one place where failures of sockets, TLS and the protocol become causes.

There is a function for each stage of a connection, because the same event means different things in different
stages: an end of the stream after the preface is how a Tentacle refuses a stranger (docs/protocol/halibut-wire.md §10,
Q16), the same end during the handshake is not. Where the evidence fits several causes the first one is the most likely,
and `also` names the others; where none is likely the word is `unknown`.
"""

from __future__ import annotations

import errno
import socket
import ssl

from .._halibut.errors import LocalProtocolError, RemoteProtocolError
from .errors import ClientError
from .identity import Identity
from .services import is_http, named_service, printable
from .transport import is_tls

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL)
_CUT = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
_TIMEOUTS = (TimeoutError, socket.timeout)  # two classes before Python 3.10

_NO_COMMON = frozenset(
    {
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        "UNSUPPORTED_PROTOCOL",
        "NO_PROTOCOLS_AVAILABLE",
        "WRONG_SSL_VERSION",
        "VERSION_TOO_LOW",
        "NO_SHARED_CIPHER",
        "UNKNOWN_CIPHER_RETURNED",
        "WRONG_CIPHER_RETURNED",
        "NO_CIPHERS_AVAILABLE",
        "DH_KEY_TOO_SMALL",
        "WRONG_SIGNATURE_TYPE",
        "NO_SUITABLE_SIGNATURE_ALGORITHM",
        "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",
        "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
        "UNSUPPORTED_PROTOCOL_VERSION",
        "BAD_ECPOINT",
        "WRONG_CURVE",
    }
)
_TOO_WEAK = frozenset(
    {
        "EE_KEY_TOO_SMALL",
        "CA_KEY_TOO_SMALL",
        "CA_MD_TOO_WEAK",
        "DH_KEY_TOO_SMALL",
        "WRONG_SIGNATURE_TYPE",
        "NO_SUITABLE_SIGNATURE_ALGORITHM",
        "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",
    }
)
_OUR_CERTIFICATE = frozenset(
    {
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_ACCESS_DENIED",
        "SSLV3_ALERT_NO_CERTIFICATE",
    }
)


def not_resolved(error: OSError | UnicodeError, host: str) -> ClientError:
    """A name that gave no address."""
    why = getattr(error, "strerror", None) or str(error)
    retried = getattr(error, "errno", None) == socket.EAI_AGAIN
    return ClientError("dns", f"The name {host} cannot be resolved here: {why}.", unsent=retried)


def not_connected(error: OSError, where: str, timeout: float) -> ClientError:
    """TCP failed."""
    if isinstance(error, _TIMEOUTS) or error.errno == errno.ETIMEDOUT:
        return ClientError(
            "filtered",
            f"{where} did not answer within {timeout:g} s: neither a connection nor a refusal.",
            also=("wrong_address",),
            unsent=True,
        )
    if isinstance(error, ConnectionRefusedError):
        return ClientError(
            "refused",
            f"{where} refused the connection.",
            also=("not_listening", "filtered", "port_mismatch", "wrong_address"),
            unsent=True,
        )
    if isinstance(error, _CUT):
        return ClientError("reset", f"The connection to {where} was reset while it was being made.", unsent=True)
    if error.errno in _UNREACHABLE:
        return ClientError(
            "network", f"{where} cannot be reached: {error.strerror}.", also=("filtered", "wrong_address"), unsent=True
        )
    if isinstance(error, PermissionError):
        return ClientError(
            "filtered", f"This machine itself forbids the connection to {where}: {error.strerror}.", unsent=True
        )
    return ClientError("unknown", f"{where} cannot be connected to: {error.strerror or error}.", unsent=True)


def no_handshake(error: OSError, first: bytes, where: str, identity: Identity | None) -> ClientError:
    """TLS could not be agreed; `first` are the first bytes that came."""
    if first and not is_tls(first):
        return not_tls(first, where)
    if first[:1] == b"\x16" and first[5:6] == b"\x01":
        return ClientError("port_mismatch", f"{where} sends back what it is sent: an echo service.")
    if isinstance(error, _TIMEOUTS):
        return ClientError(
            "unknown",
            f"{where} accepts the connection, but does not answer the TLS hello.",
            also=("port_taken_zombie", "agent_crash", "filtered"),
            unsent=True,
        )
    if isinstance(error, _CUT):
        return ClientError(
            "reset",
            f"{where} accepts the connection and resets it during the TLS handshake.",
            also=("tls_no_common", "port_mismatch"),
            unsent=True,
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or _ended(error):
        return ClientError(
            "unknown",
            f"{where} accepts the connection and closes it without a word during the TLS handshake.",
            also=("tls_no_common", "agent_crash", "port_mismatch"),
            unsent=True,
        )
    return _tls_failure(error, where, identity, agreed=first[:1] == b"\x16")


def not_tls(first: bytes, where: str) -> ClientError:
    """An answer to the TLS hello that is no TLS."""
    shown = printable(first)
    if is_http(first):
        return ClientError(
            "http_injected", f"{where} answers the TLS hello with HTTP: {shown}", also=("port_mismatch", "port_taken")
        )
    name = named_service(first)
    if name:
        return ClientError("port_mismatch", f"{where} is {name}: it says {shown}", also=("port_taken", "wrong_address"))
    return ClientError(
        "unknown",
        f"{where} answers the TLS hello with something else: {shown}",
        also=("port_mismatch", "port_taken", "http_injected"),
    )


def no_page(error: Exception, where: str) -> ClientError:
    """TLS was agreed, but a request for the page was not answered as any Tentacle does, shown or hidden."""
    if isinstance(error, _TIMEOUTS):
        return ClientError(
            "unknown", f"{where} agrees on TLS, and says nothing afterwards.", also=("agent_crash", "port_mismatch")
        )
    if isinstance(error, ssl.SSLError):
        return _tls_failure(error, where, None)
    return ClientError(
        "unknown", f"{where} agrees on TLS, and breaks off afterwards: {error}.", also=("reset", "tls_offloaded")
    )


def not_halibut(data: bytes, where: str) -> ClientError:
    """Something inside TLS that is neither HTTP nor Halibut."""
    name = named_service(data)
    if name:
        return ClientError(
            "port_mismatch", f"{where} is {name} behind TLS: it says {printable(data)}", also=("port_taken",)
        )
    return ClientError(
        "unknown",
        f"{where} speaks TLS, but neither HTTP nor Halibut: it says {printable(data)}",
        also=("port_mismatch", "port_taken"),
    )


def not_identified(error: Exception | None, seen: bytes, where: str, identity: Identity | None) -> ClientError:
    """No `MX-SERVER` came after our preface and identity; `seen` is what came, `error` None for a plain end."""
    if is_http(seen):
        return ClientError(
            "http_injected",
            f"{where} answers the Halibut hello with HTTP: {printable(seen)}",
            also=("port_mismatch", "tls_offloaded"),
        )
    if seen:
        return not_halibut(seen, where)
    if isinstance(error, _TIMEOUTS):
        return ClientError(
            "unknown",
            f"{where} agrees on TLS, but does not answer the Halibut hello.",
            also=("agent_crash", "port_mismatch"),
            unsent=True,
        )
    if isinstance(error, ssl.SSLError) and error.reason in _OUR_CERTIFICATE:
        return _tls_failure(error, where, identity)
    if isinstance(error, RemoteProtocolError):
        return ClientError("unknown", f"{where} breaks the protocol: {error}")
    return _refused_as_stranger(where, identity)


def _refused_as_stranger(where: str, identity: Identity | None) -> ClientError:
    if identity is None:
        return ClientError(
            "server_not_trusted",
            f"{where} closed the connection after the hello: an agent does so to everyone who presents no certificate.",
            unsent=True,
        )
    also: tuple[str, ...] = ("tls_offloaded", "agent_crash")
    weak = identity.weakness
    note = ""
    if weak:
        also = ("weak_server_certificate", *also)
        note = f" The certificate is also weak: {weak}."
    return ClientError(
        "server_not_trusted",
        f"{where} closed the connection without a word after the hello: an agent does so "
        f"to everyone whose certificate it does not trust. The one presented has the thumbprint "
        f"{identity.thumbprints.sha1}.{note}",
        also=also,
        unsent=True,
    )


def not_proceeding(error: Exception | None, where: str) -> ClientError:
    """A pooled connection cannot be used again: harmless, a new one is made (§10, Q18)."""
    return ClientError(
        "idle_drop", f"{where} did not take up the idle connection again ({error or 'it has closed it'}).", unsent=True
    )


def not_exchanged(error: Exception | None, where: str, called: str, timeout: float) -> ClientError:
    """A request was begun, and no complete response came: whether it was carried out is not known."""
    if isinstance(error, _TIMEOUTS):
        return ClientError(
            "unknown",
            f"{where} did not answer {called} within {timeout:g} s; whether it ran is not known.",
            also=("idle_drop", "agent_crash"),
        )
    if isinstance(error, RemoteProtocolError):
        return ClientError("unknown", f"{where} answered {called} with something unreadable: {error}")
    if isinstance(error, LocalProtocolError):
        return ClientError("invalid_input", f"{called} cannot be sent: {error}", unsent=True)
    if isinstance(error, ssl.SSLError):
        return ClientError("reset", f"{where} broke off TLS during {called}: {error.reason or error}.")
    return ClientError(
        "reset",
        f"{where} closed the connection during {called}; whether it ran is not known.",
        also=("agent_crash", "server_not_trusted"),
    )


def _tls_failure(error: OSError, where: str, identity: Identity | None, *, agreed: bool = True) -> ClientError:
    """`agreed`: the other side had chosen version and cipher before, so that the failure is about something else."""
    from .alerts import in_words  # only here: a check of a good agent fails in the other ways too

    reason = getattr(error, "reason", None) or str(error)
    if agreed and reason == "SSLV3_ALERT_HANDSHAKE_FAILURE":
        return ClientError(
            "unknown",
            f"{where} chose a TLS version and cipher, and then refused: {in_words(reason)}. Servers that demand a "
            "certificate do so.",
            also=("tls_offloaded", "port_mismatch", "weak_server_certificate"),
        )
    if reason in _NO_COMMON or reason in _TOO_WEAK:
        return ClientError("tls_no_common", f"{where} and this machine could not agree on TLS: {in_words(reason)}.")
    if reason in _OUR_CERTIFICATE:
        weak = identity.weakness if identity else None
        if weak:
            return ClientError(
                "weak_server_certificate",
                f"{where} refuses the caller's certificate in TLS itself ({in_words(reason)}); {weak}.",
                also=("tls_offloaded", "port_mismatch"),
            )
        return ClientError(
            "unknown",
            f"{where} refuses the caller's certificate in TLS itself ({in_words(reason)}), which no Tentacle does.",
            also=("tls_offloaded", "port_mismatch"),
        )
    return ClientError(
        "unknown",
        f"The TLS handshake with {where} failed: {in_words(reason)}.",
        also=("port_mismatch", "tls_intercepted"),
    )


def is_no_common(error: OSError) -> bool:
    """True if the two ends found no TLS version or cipher in common."""
    return getattr(error, "reason", None) in _NO_COMMON


def is_weakness(error: OSError) -> bool:
    """True if OpenSSL gave up because something was weak, which a pinned certificate may be."""
    return getattr(error, "reason", None) in _TOO_WEAK


def _ended(error: OSError) -> bool:
    return isinstance(error, ssl.SSLError) and "EOF" in str(error).upper()
