# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Other services that may answer at an agent's port, known by their first bytes. What is not known stays unnamed."""

from __future__ import annotations

_GREETINGS = (
    (b"SSH-", "an SSH server"),
    (b"RFB ", "a VNC server"),
    (b"+OK", "a POP3 server"),
    (b"* OK", "an IMAP server"),
    (b"220 ", "a mail or FTP server"),
    (b"220-", "a mail or FTP server"),
    (b"-ERR", "a Redis server"),
    (b"AMQP", "an AMQP broker"),
    (b"@RSYNCD", "an rsync server"),
)
_SHOWN = 16  # bytes of an answer that is no text
_SETTINGS = 4  # the kind of frame that an HTTP/2 server says first (RFC 9113 §3.4)


def is_http(first: bytes) -> bool:
    """Whether an answer begins as HTTP or HTML does."""
    return first.lstrip()[:5].upper() in (b"HTTP/", b"<HTML", b"<!DOC")


def named_service(first: bytes) -> str | None:
    """Which well-known service greets like this; None where it is none that is known."""
    for greeting, name in _GREETINGS:
        if first.startswith(greeting):
            return name
    if len(first) > 5 and first[3] == 0 and first[4] in (0x0A, 0xFF):
        return "a MySQL or MariaDB server"
    if len(first) >= 9 and first[3] == _SETTINGS and first[5:9] == bytes(4) and first[0] == 0 and first[2] % 6 == 0:
        return "an HTTP/2 server"
    return None


def printable(data: bytes, limit: int = 60) -> str:
    """The first line of foreign bytes, quoted, harmless for a terminal; what is no text is shown as numbers."""
    line = data[:limit].split(b"\r\n", 1)[0].split(b"\n", 1)[0]
    if sum(byte < 32 or byte > 126 for byte in line) * 2 > len(line):
        return f"the bytes {data[:_SHOWN].hex(' ')}" + (" ..." if len(data) > _SHOWN else "")
    text = "".join(char if char.isprintable() else "." for char in line.decode("latin-1"))
    return f'"{text}"' + (" ..." if len(data) > len(line) + 2 else "")
