# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A listener that answers with recorded conversations: the other side of the client in tests.

It speaks TLS on a loopback port of its own. For each connection it plays one recorded conversation: it reads what the
client sends, segment by segment, and answers with the recorded server's documents, in the recorded TLS records. The
identifier of the request is carried over into the answer, and so is the ticket of a script, because both are the
client's own choice. What the client sent is compared with what the recorded client sent, and kept.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from typing import Any

from module_utils._halibut import bson

ROOT = pathlib.Path(__file__).resolve().parents[1] / "vectors"
FILES = {"client": "client-to-server.bin", "server": "server-to-client.bin"}
UNCOMPARED = ("id", "activityId", "endpoint")  # chosen anew for each call, and of no meaning to a listener


class Conversation:
    """One recorded conversation: its segments, and the bytes of each."""

    def __init__(self, name: str) -> None:
        (path,) = [found.parent for found in ROOT.rglob("conversation.json") if found.parent.name.startswith(name)]
        self.name = path.name
        self.story = json.loads((path / "conversation.json").read_text(encoding="utf-8"))
        self._data = {side: (path / file).read_bytes() for side, file in FILES.items()}
        self.segments: list[dict[str, Any]] = self.story["segments"]

    def bytes_of(self, segment: dict[str, Any]) -> bytes:
        return self._data[segment["from"]][segment["offset"] : segment["offset"] + segment["length"]]

    def document(self, segment: dict[str, Any]) -> dict[str, Any]:
        return bson.decode(zlib.decompress(self.bytes_of(segment), -15))

    def payload(self, segment: dict[str, Any]) -> bytes:
        return self.bytes_of(segment)[24:-8]

    def exchanges(self) -> Iterator[tuple[dict[str, Any], list[bytes], dict[str, Any] | None, list[bytes]]]:
        """Each request with the payloads of its streams, and its response with those of its own (None: none came)."""
        current: list[Any] = []
        for segment in self.segments:
            if segment["kind"] == "message" and segment["from"] == "client":
                if current:
                    yield tuple(current)
                current = [self.document(segment)["Message"], [], None, []]
            elif segment["kind"] == "message":
                current[2] = self.document(segment)["Message"]
            elif segment["kind"] == "datastream":
                current[1 if segment["from"] == "client" else 3].append(self.payload(segment))
        yield tuple(current)


class RecordedListener:
    """Plays the given conversations, one for each connection in turn; the last one again and again.

    `compare=False` is for callers whose requests differ from the recorded ones on purpose, such as the modules: each
    call is answered with the next recorded answer to a call of that method, whichever conversation it is from.
    """

    def __init__(self, certificate: pathlib.Path, *names: str, compare: bool = True) -> None:
        self.conversations = [Conversation(name) for name in names]
        self.problems: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.streams: list[bytes] = []
        self.controls: list[bytes] = []
        self.connections = 0
        self._compare = compare
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        self._answers = [exchange for conversation in self.conversations for exchange in conversation.exchanges()]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> RecordedListener:
        self._thread.start()
        return self

    def __exit__(self, *_dummy: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            connection.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                raw, _dummy = self._socket.accept()
            except OSError:
                return
            conversation = self.conversations[min(self.connections, len(self.conversations) - 1)]
            self.connections += 1
            raw.settimeout(20)
            self._open.append(raw)
            with contextlib.suppress(OSError, ssl.SSLError, EOFError, ValueError, StopIteration):
                tls = self._context.wrap_socket(raw, server_side=True)
                self._open.append(tls)
                play = _Play(self, conversation, tls)
                if self._compare:
                    play.run()
                else:
                    play.answer(self._answers)
                tls.close()


class _Play:
    """One conversation on one connection."""

    def __init__(self, listener: RecordedListener, conversation: Conversation, tls: ssl.SSLSocket) -> None:
        self._listener = listener
        self._conversation = conversation
        self._tls = tls
        self._buffer = b""
        self._request: dict[str, Any] = {}

    def run(self) -> None:
        closes = self._conversation.story["closes"]
        for segment in self._conversation.segments:
            if segment["from"] == "server":
                self._say(segment)
            elif closes and closes[0]["from"] == "server" and closes[0]["t"] <= segment["t"]:
                return  # the recorded listener had ended the connection by then
            else:
                self._hear(segment)
        if any(close["from"] == "tap" for close in closes):
            self._read_to_end()  # the recorded listener kept the connection open until the recording was given up

    def answer(self, answers: list[Any]) -> None:
        """Answer whatever call comes, with the first recorded answer to such a call that is left."""
        self._read_line(b"\n\n", blank=False)
        self._read_line(b"\r\n", blank=True)
        self._tls.sendall(b"MX-SERVER 1.0\r\n\r\n")
        while True:
            self._request = self._read_message()["Message"]
            self._listener.requests.append(self._request)
            self._listener.streams += [self._read_stream() for _dummy in range(_count_streams(self._request["params"]))]
            name = self._request["service"], self._request["method"]
            found = next(one for one in answers if (one[0]["service"], one[0]["method"]) == name)
            answers.remove(found)
            message = {**found[2], "id": self._request["id"]}
            _carry_ticket(self._request, message)
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            self._tls.sendall(packer.compress(bson.encode({"Message": message})) + packer.flush())
            if self._read_line(b"\r\n", blank=False) != b"NEXT":
                return
            self._tls.sendall(b"PROCEED\r\n")

    def _say(self, segment: dict[str, Any]) -> None:
        data, records = self._conversation.bytes_of(segment), list(segment["records"])
        if segment["kind"] == "message":
            document = self._conversation.document(segment)
            message = document["Message"]
            message["id"] = self._request["id"]
            _carry_ticket(self._request, message)
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            data = packer.compress(bson.encode(document)) + packer.flush()
            records = [16384] * (len(data) // 16384) + [len(data) % 16384]
        for size in filter(None, records):
            self._tls.sendall(data[:size])
            data = data[size:]

    def _hear(self, segment: dict[str, Any]) -> None:
        kind = segment["kind"]
        if kind == "message":
            self._request = self._read_message()["Message"]
            self._listener.requests.append(self._request)
            self._check(self._conversation.document(segment)["Message"])
        elif kind == "datastream":
            self._listener.streams.append(self._read_stream())
        elif kind == "raw":
            self._listener.streams.append(self._read_to_end())
        else:
            ending = b"\n\n" if segment["text"] in ("MX\n\n", "MX\r\n\r\n") else b"\r\n"
            self._listener.controls.append(self._read_line(ending, blank=kind == "identity" and ending == b"\r\n"))

    def _check(self, recorded: dict[str, Any]) -> None:
        mine = {name: value for name, value in self._request.items() if name not in UNCOMPARED}
        theirs = {name: value for name, value in recorded.items() if name not in UNCOMPARED}
        if mine != theirs or list(mine) != list(theirs):
            self._listener.problems.append(f"{self._conversation.name}: recorded {theirs}, sent {mine}")
        for name in UNCOMPARED:
            if type(self._request.get(name)) is not type(recorded[name]):
                self._listener.problems.append(f"{self._conversation.name}: {name} is of another type")

    def _more(self) -> None:
        data = self._tls.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data

    def _read_line(self, ending: bytes, blank: bool) -> bytes:
        """A line; the preface may have either newline, as the platform of the client has it."""
        ending = ending * 2 if blank else ending
        while True:
            for candidate in (ending, b"\r\n\r\n") if ending == b"\n\n" else (ending,):
                line, found, rest = self._buffer.partition(candidate)
                if found:
                    self._buffer = rest
                    return line
            self._more()

    def _read_message(self) -> dict[str, Any]:
        inflater, text = zlib.decompressobj(-15), b""
        while not inflater.eof:
            if not self._buffer:
                self._more()
            text += inflater.decompress(self._buffer)
            self._buffer = inflater.unused_data
        return bson.decode(text)

    def _read_stream(self) -> bytes:
        while len(self._buffer) < 24:
            self._more()
        length = int.from_bytes(self._buffer[16:24], "little")
        while len(self._buffer) < length + 32:
            self._more()
        payload, self._buffer = self._buffer[24 : 24 + length], self._buffer[32 + length :]
        return payload

    def _read_to_end(self) -> bytes:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._more()
        return self._buffer


def _count_streams(value: Any) -> int:
    if isinstance(value, dict):
        if {"id", "length"} == set(value) - {"$type"}:
            return 1
        return sum(_count_streams(item) for item in value.values())
    return sum(_count_streams(item) for item in value) if isinstance(value, list) else 0


def _carry_ticket(request: dict[str, Any], message: dict[str, Any]) -> None:
    """The caller's ticket in the place of the recorded one (script service V2: the client chooses tickets)."""
    command = next((value for value in request.get("params") or () if isinstance(value, dict)), {})
    ticket = command.get("ScriptTicket") or command.get("Ticket")
    result = message.get("result")
    if isinstance(result, dict) and isinstance(result.get("Ticket"), dict) and ticket:
        result["Ticket"] = ticket
