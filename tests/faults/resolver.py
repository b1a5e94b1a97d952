# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server of a few lines: answers A and AAAA queries from a table, everything else does not exist."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence

Records = Mapping[str, Sequence[str]]  # a name and its addresses of both families
_TYPES = {1: socket.AF_INET, 28: socket.AF_INET6}
_ANSWERED, _NO_SUCH_NAME, _NOT_NOW = 0x8180, 0x8183, 0x8182
BROKEN = "broken"  # in place of an address: the server fails for this name


@contextlib.contextmanager
def responder(address: str, records: Records, port: int = 53) -> Iterator[None]:
    """Answer at an address of the network that the caller is in, until the end of the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((address, port))
        thread = threading.Thread(target=_serve, args=(listener, records), daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _serve(listener: socket.socket, records: Records) -> None:
    while True:
        try:
            query, sender = listener.recvfrom(512)
        except OSError:
            return
        if not query:
            return
        listener.sendto(answer(query, records), sender)


def answer(query: bytes, records: Records) -> bytes:
    """The reply to one query with one question, as resolvers send them."""
    labels, place = [], 12
    while query[place]:
        labels.append(query[place + 1 : place + 1 + query[place]].decode("ascii"))
        place += 1 + query[place]
    question = query[12 : place + 5]
    kind = struct.unpack_from("!H", query, place + 1)[0]
    known = records.get(".".join(labels).lower())
    if known is None or BROKEN in known:
        code = _NO_SUCH_NAME if known is None else _NOT_NOW
        return query[:2] + struct.pack("!5H", code, 1, 0, 0, 0) + question
    family = _TYPES.get(kind)
    found = [text for text in known if family == (socket.AF_INET6 if ":" in text else socket.AF_INET)]
    head = query[:2] + struct.pack("!5H", _ANSWERED, 1, len(found), 0, 0) + question
    for text in found:
        data = socket.inet_pton(_TYPES[kind], text)
        head += struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
    return head
