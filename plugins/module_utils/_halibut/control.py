# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Preface, identities and control lines (docs/protocol/halibut-wire.md §2, §3)."""

from __future__ import annotations

from .errors import RemoteProtocolError, UnknownIdentity
from .limits import MAX_PREFACE
from .values import value

PREFACE = b"MX\r\n\r\n"
CLIENT_IDENTITY = b"MX-CLIENT 1.0\r\n\r\n"
SERVER_IDENTITY = b"MX-SERVER 1.0\r\n\r\n"
NEXT = b"NEXT"
PROCEED = b"PROCEED"
END = b"END"
NEXT_LINE = b"NEXT\r\n"
PROCEED_LINE = b"PROCEED\r\n"
END_LINE = b"END\r\n"

CLIENT = "MX-CLIENT"
SERVER = "MX-SERVER"
SUBSCRIBER = "MX-SUBSCRIBER"


@value(frozen=True)
class Identity:
    """Who a peer says it is."""

    kind: str
    version: str
    subscription: str | None


def parse_identity(line: bytes) -> Identity:
    """Read an identity line without its end. The version is never judged and may be missing; more words are ignored.

    Raises RemoteProtocolError; UnknownIdentity for a kind of peer that does not exist (§3.3).
    """
    words = [word for word in line.decode("latin-1").split(" ") if word]
    if not words:
        raise RemoteProtocolError("The peer sent an empty line where its identity was expected.")
    kind, version = words[0], words[1] if len(words) > 1 else ""
    if kind in (CLIENT, SERVER):
        return Identity(kind, version, None)
    if kind == SUBSCRIBER and len(words) > 2:
        return Identity(kind, version, words[2])
    raise UnknownIdentity(f"The peer identifies itself as {quote(line)}, which is no kind of Halibut peer.")


def quote(line: bytes) -> str:
    """The beginning of what a peer sent, safe for a log."""
    return ascii(line[:60].decode("latin-1")) + ("..." if len(line) > 60 else "")


class PrefaceReader:
    """Reads the first request up to its blank line, whoever sends it (§2.1).

    Carriage returns are discarded; the end is a newline behind a newline, 20,000 characters, or the end of the stream.
    """

    __slots__ = ("_text", "complete")

    def __init__(self) -> None:
        self._text = bytearray()
        self.complete = False

    def feed(self, data: bytes) -> int:
        """Take bytes up to the end of the first request; returns how many were taken."""
        text = self._text
        for taken, byte in enumerate(data, 1):
            if byte == 0x0D:
                continue
            text.append(byte)
            if (byte == 0x0A and text[-2:] == b"\n\n") or len(text) >= MAX_PREFACE:
                self.complete = True
                return taken
        return len(data)

    def __len__(self) -> int:
        return len(self._text)

    @property
    def speaks_halibut(self) -> bool:
        """Only the first two characters matter, in this case (§2.2)."""
        return self._text[:2] == b"MX"

    @property
    def line(self) -> bytes:
        """The first line, without its end."""
        return bytes(self._text.split(b"\n", 1)[0])
