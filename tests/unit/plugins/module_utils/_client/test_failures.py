# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures of sockets, TLS and the protocol as causes; and errors of an agent as exceptions."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from module_utils._client import alerts, failures, services
from module_utils._client.errors import (
    ClientError,
    NoMatchingMethod,
    ServiceCallError,
    ServiceInvocationError,
    service_call_error,
)
from module_utils._halibut.errors import LocalProtocolError, RemoteProtocolError
from module_utils._halibut.messages import ServerError
from module_utils._verify.causes import CAUSES, SIDES

INVOCATION = "System.Reflection.TargetInvocationException: Exception has been thrown by the target of an invocation."


def ssl_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TimeoutError(), "filtered"),
        (socket.timeout(), "filtered"),
        (OSError(errno.ETIMEDOUT, "x"), "filtered"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refused"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "reset"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "network"),
        (OSError(errno.ENETUNREACH, "x"), "network"),
        (PermissionError(errno.EPERM, "x"), "filtered"),
        (OSError(errno.EMFILE, "Too many open files"), "unknown"),
    ],
)
def test_connecting(error: OSError, cause: str) -> None:
    failure = failures.not_connected(error, "web01:10933", 5)
    assert failure.cause == cause
    assert "web01:10933" in str(failure)
    assert failure.unsent


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", "tls_no_common"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "tls_no_common"),
        ("UNSUPPORTED_PROTOCOL", "tls_no_common"),
        ("DH_KEY_TOO_SMALL", "tls_no_common"),
        ("TLSV1_ALERT_UNKNOWN_CA", "unknown"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "unknown"),
        ("TLSV1_ALERT_INTERNAL_ERROR", "unknown"),
        ("TLSV1_UNRECOGNIZED_NAME", "unknown"),
    ],
)
def test_shaking_hands(reason: str, cause: str) -> None:
    failure = failures.no_handshake(ssl_error(reason), b"\x15\x03\x03", "web01:1", None)
    assert failure.cause == cause
    assert "_" not in str(failure)


def test_alerts_are_said_in_words() -> None:
    said = alerts.in_words("TLSV1_ALERT_PROTOCOL_VERSION")
    assert said.startswith("the other side sent the alert 'protocol version': it speaks none of")
    assert "serves no host of this name" in alerts.in_words("TLSV1_UNRECOGNIZED_NAME")
    assert alerts.in_words("TLSV1_ALERT_NEW_THING") == "the other side sent the alert 'new thing'"
    assert alerts.in_words("NO_SHARED_CIPHER") == "no shared cipher"
    assert alerts.in_words("TLSV1_OWN_TROUBLE") == "tlsv1 own trouble"


def test_a_refusal_after_the_hello_was_answered_is_not_about_versions() -> None:
    """Servers that demand a certificate send this alert in TLS 1.2, after they chose version and cipher."""
    error = ssl_error("SSLV3_ALERT_HANDSHAKE_FAILURE")
    failure = failures.no_handshake(error, b"\x16\x03\x03\x00\x10\x02", "web01:1", None)
    assert failure.cause == "unknown"
    assert "tls_offloaded" in failure.also


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03", "an HTTP/2 server"),
        (b"\x00\x00\x13\x04\x00\x00\x00\x00\x00", None),
        (b"J\0\0\0\x0a8.0.36\0", "a MySQL or MariaDB server"),
        (b"220 mail", "a mail or FTP server"),
        (b"hello", None),
        (b"", None),
    ],
)
def test_names_services(first: bytes, name: str | None) -> None:
    assert services.named_service(first) == name


def test_an_end_after_the_hello_is_how_a_stranger_is_refused() -> None:
    assert failures.not_identified(None, b"", "a:1", None).cause == "server_not_trusted"
    assert failures.not_identified(ConnectionResetError(), b"", "a:1", None).cause == "server_not_trusted"
    assert failures.not_identified(TimeoutError(), b"", "a:1", None).cause == "unknown"
    assert failures.not_identified(None, b"HTTP/1.1 400", "a:1", None).cause == "http_injected"
    assert failures.not_identified(None, b"220 x", "a:1", None).cause == "port_mismatch"
    assert failures.not_identified(None, b"\x00\x01", "a:1", None).cause == "unknown"


def test_what_follows_a_request_may_have_run() -> None:
    for error, cause in (
        (None, "reset"),
        (TimeoutError(), "unknown"),
        (RemoteProtocolError("odd"), "unknown"),
        (ssl_error("X_Y"), "reset"),
    ):
        failure = failures.not_exchanged(error, "a:1", "I.M", 5)
        assert failure.cause == cause
        assert not failure.unsent
    assert failures.not_exchanged(LocalProtocolError("x"), "a:1", "I.M", 5).unsent


def test_foreign_bytes_are_harmless_for_a_terminal() -> None:
    shown = services.printable(b"a\x1b[31m\x07b\xff\r\nnext")
    assert shown == '"a.[31m.bÿ" ...'
    assert "\x1b" not in str(failures.not_tls(b"SSH-\x1b", "a:1"))


@pytest.mark.parametrize(
    ("message", "details", "type_name", "kind"),
    [
        ("x", None, "Halibut.Exceptions.ServiceNotFoundHalibutClientException", NoMatchingMethod),
        ("x", None, "Halibut.Exceptions.AmbiguousMethodMatchHalibutClientException", NoMatchingMethod),
        ("Service not found: IFoo", None, None, NoMatchingMethod),
        ("Service A::B not found", None, None, NoMatchingMethod),
        ("x", "System.Reflection.AmbiguousMatchException: y", None, NoMatchingMethod),
        ("x", INVOCATION + "\n ---> System.IO.IOException: y", None, ServiceInvocationError),
        ("x", "System.InvalidOperationException: y", None, ServiceCallError),
        (None, None, "Some.Unknown.Type", ServiceCallError),
    ],
)
def test_errors_of_an_agent(message: str | None, details: str | None, type_name: str | None, kind: type) -> None:
    error = service_call_error(ServerError(message, details, type_name), "I.M on a:1")
    assert error.__class__ is kind
    assert error.cause == "agent_error"
    assert "I.M on a:1" in str(error)


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("No space left on device", "disk_full"),
        ("There is not enough space on the disk.", "disk_full"),
        ("There is not enough space for '/x/y': 65536 bytes, a tenth more and 1 MB have to be free.", "disk_full"),
        ("Could not open /x/y: Permission denied", "permissions"),
        ("Read-only file system", "permissions"),
        ("Space is curved", "agent_error"),
    ],
)
def test_messages_of_the_system_are_causes(message: str, word: str) -> None:
    assert service_call_error(ServerError(message, None, None), "I.M on a:1").cause == word


def test_every_cause_is_complete_and_every_word_used_is_listed() -> None:
    for word, cause in CAUSES.items():
        assert cause.word == word
        assert cause.side is None or cause.side in SIDES
        assert cause.summary.endswith(".")
        assert cause.remedy.endswith(".")
    assert {"ok", "unknown"} <= set(CAUSES)
    with pytest.raises(KeyError):
        str(ClientError("no_such_word", "x").side)
