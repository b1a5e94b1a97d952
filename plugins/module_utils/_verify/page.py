# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The page that a Tentacle shows to anyone who does not speak Halibut (docs/protocol/halibut-wire.md §2.3)."""

from __future__ import annotations

import re
import time
from typing import Any

from .._client.endpoint import Endpoint
from .._client.services import printable
from .._client.transport import TlsStream
from .._halibut.values import value

MAX_PAGE = 64 * 1024
_TITLE = re.compile(rb"<title[^>]*>\s*(.*?)\s*</title>", re.IGNORECASE | re.DOTALL)
_DEFAULT = b"<html><body><p>Hello!</p></body></html>"  # what the library itself shows


@value(frozen=True)
class Page:
    """What came back. `status` None: no HTTP; `tentacle` None: nothing was shown, which an agent may be told to do."""

    status: int | None
    title: str | None
    server: str | None
    tentacle: bool | None
    data: bytes = b""
    http: str | None = None
    via: str | None = None

    @property
    def foreign(self) -> bool:
        """True where somebody else than a Tentacle answered."""
        return self.tentacle is False

    @property
    def sentence(self) -> str:
        if self.tentacle is None:
            return "No page is shown: it is hidden."
        if self.tentacle:
            return f"The page is a Tentacle's (status {self.status}, title {self.title or 'none'})."
        shown = f"title {self.title}" if self.title else printable(self.data)
        server = self.server or "not named"
        return f"The page is not a Tentacle's (status {self.status or 'none'}, {shown}, server {server})."

    def as_dict(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "http": self.http,
            "title": self.title,
            "server": self.server,
            "via": self.via,
            "tentacle": self.tentacle,
        }


def fetch(stream: TlsStream, endpoint: Endpoint, timeout: float) -> Page:
    """Ask as a browser does, and read to the end, `timeout` seconds at most. Raises OSError."""
    deadline = time.monotonic() + timeout
    data = b""
    try:
        stream.write([f"GET / HTTP/1.0\r\nHost: {endpoint}\r\nConnection: close\r\n\r\n".encode("ascii")], timeout)
        while len(data) < MAX_PAGE:
            piece = stream.read(max(deadline - time.monotonic(), 0.001))
            if not piece:
                break
            data += piece
    except OSError:
        if not data:  # what came counts, however it ended
            raise
    finally:
        stream.close()
    return judge(data)


def judge(data: bytes) -> Page:
    """Tell a Tentacle's page from others: HTTP/1.0, status 200, and one of the bodies that are known."""
    if not data:
        return Page(None, None, None, None)
    head, _dummy, body = data.partition(b"\r\n\r\n")
    match = re.match(rb"HTTP/(\d\.\d) (\d{3})", head)
    title = _TITLE.search(body)
    known = (title is not None and b"tentacle" in title[1].lower()) or _DEFAULT in body
    return Page(
        status=int(match[2]) if match else None,
        title=_clean(title[1]) if title else None,
        server=_header(head, b"Server"),
        tentacle=bool(match) and known,
        data=data[:512],
        http=match[1].decode("ascii") if match else None,
        via=_header(head, b"Via"),
    )


def _header(head: bytes, name: bytes) -> str | None:
    match = re.search(rb"^" + name + rb":[ \t]*([^\r\n]*)", head, re.IGNORECASE | re.MULTILINE)
    return _clean(match[1]) if match else None


def _clean(raw: bytes) -> str:
    text = raw[:120].decode("utf-8", "replace")
    return "".join(char for char in text if char.isprintable())
