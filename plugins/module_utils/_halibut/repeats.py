# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Recognising a request that says the same as the one before (docs/protocol/halibut-wire.md §4.3).

A server asks the same few things again and again, on all its connections: two such requests differ in `id` and
`activityId` alone. Comparing their other bytes takes a fifth of the time that reading them takes. Only requests with
the members in the original's order are remembered; all others are read like any, so what is accepted stays the same.
"""

from __future__ import annotations

import re
import struct

from .bson import Guid, Memory, encode_text
from .messages import REQUEST_TYPE, Request
from .values import value

_INT32 = struct.Struct("<i")
_MESSAGE = b"\x03Message\0"
_TYPE_AND_ID = encode_text(b"$type", REQUEST_TYPE) + b"\x02id\0"
_ACTIVITY = b"\0\x05activityId\0\x10\0\0\0\x04"
_ANOTHER_ID = rb"(?i)[\0-\x1f](?:id|activityid)\0"
_MEMBERS = 4 + len(_MESSAGE) + 4  # offset of the message's first member, behind the sizes of both documents
_ID = _MEMBERS + len(_TYPE_AND_ID) + 4  # offset of the text of `id`
_GUID = 16
MAX_REMEMBERED = 4096


@value(frozen=True)
class Known:
    """A request and its bytes around the two ids."""

    size: int
    head: bytes
    id_end: int
    activity: int
    tail: bytes
    request: Request


class RequestMemory:
    """What connections remember of requests; several of them may share one, also in several threads.

    `endpoint` and the parameters of a request that is recognised are shared: nobody may change them.
    """

    __slots__ = ("endpoint", "known")

    def __init__(self) -> None:
        self.endpoint = Memory(b"endpoint")
        self.known: Known | None = None

    def recognise(self, data: bytes) -> Request | None:
        """The request in `data`, when it is the last one with other ids; None: it has to be read."""
        known = self.known
        if known is None or len(data) != known.size:
            return None
        request, id_end, activity = known.request, known.id_end, known.activity
        behind = activity + _GUID
        if data[behind:] != known.tail or data[:_ID] != known.head or data[id_end:activity] != _ACTIVITY:
            return None
        try:
            text = data[_ID:id_end].decode()
        except UnicodeDecodeError:
            return None
        return Request(text, Guid(data[activity:behind]), request.service, request.method, request.params,
                       request.endpoint)

    def remember(self, data: bytes, request: Request) -> None:
        """Keep a request that was read from `data`, unless one of its ids could be written twice."""
        if len(data) > MAX_REMEMBERED or data[4:_MEMBERS - 4] != _MESSAGE or data[_MEMBERS:_ID - 4] != _TYPE_AND_ID:
            return
        id_end = _ID + _INT32.unpack_from(data, _ID - 4)[0] - 1
        activity = id_end + len(_ACTIVITY)
        if data[id_end:activity] != _ACTIVITY:
            return
        tail = data[activity + _GUID:]
        if re.search(_ANOTHER_ID, tail) is None:
            self.known = Known(len(data), data[:_ID], id_end, activity, tail, request)
