"""Check the recorded Halibut conversations in this folder (Python 3.9+, standard library only).

For every conversation the two byte files are read again from scratch, and must agree with conversation.json:
segments tile both files without a gap, messages inflate and decode to the stored documents, data streams have the
stored identifier, length and hash, and every data stream that a message announces follows it.

    check.py            check everything
    check.py NAME ...   check these conversations (a part of the name is enough)
    check.py -v         also print one line for each segment
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys
import uuid
import zlib

HERE = pathlib.Path(__file__).resolve().parent
FILES = {"client": "client-to-server.bin", "server": "server-to-client.bin"}
KINDS = {"identity", "control", "message", "datastream", "http", "raw"}
CONTROL = {b"NEXT\r\n", b"PROCEED\r\n", b"END\r\n"}


class Mismatch(Exception):
    """The bytes are not what they should be."""


# ---------------------------------------------------------------- BSON (canonical extended JSON on the Python side)

def decode_bson(data):
    """Decode one BSON document to canonical extended JSON, strictly; the order of members is kept."""
    value, end = _decode_container(data, 0, dict)
    if end != len(data):
        raise Mismatch(f"{len(data) - end} bytes after the document")
    return value


def _decode_container(data, start, kind):
    (size,) = struct.unpack_from("<i", data, start)
    end = start + size
    if size < 5 or end > len(data) or data[end - 1] != 0:
        raise Mismatch(f"bad container at offset {start}")
    pos, items = start + 4, []
    while data[pos]:
        tag, pos = data[pos], pos + 1
        nul = data.index(0, pos)
        name, pos = data[pos:nul].decode("utf-8"), nul + 1
        value, pos = _decode_value(tag, data, pos)
        items.append((name, value))
    if pos != end - 1:
        raise Mismatch(f"container at offset {start} has a wrong size")
    if kind is list:
        if [name for name, _unused in items] != [str(i) for i in range(len(items))]:
            raise Mismatch(f"array keys out of order at offset {start}")
        return [value for _unused, value in items], end
    if len({name for name, _unused in items}) != len(items):
        raise Mismatch(f"a member occurs twice at offset {start}")
    return dict(items), end


def _decode_value(tag, data, pos):
    if tag == 0x01:
        return {"$numberDouble": repr(struct.unpack_from("<d", data, pos)[0])}, pos + 8
    if tag == 0x02:
        (size,) = struct.unpack_from("<i", data, pos)
        if size < 1 or data[pos + 3 + size] != 0:
            raise Mismatch(f"bad string at offset {pos}")
        return data[pos + 4:pos + 3 + size].decode("utf-8"), pos + 4 + size
    if tag == 0x03:
        return _decode_container(data, pos, dict)
    if tag == 0x04:
        return _decode_container(data, pos, list)
    if tag == 0x05:
        size, subtype = struct.unpack_from("<iB", data, pos)
        raw = data[pos + 5:pos + 5 + size]
        text = base64.b64encode(raw).decode("ascii")
        return {"$binary": {"base64": text, "subType": f"{subtype:02x}"}}, pos + 5 + size
    if tag == 0x08:
        return bool(data[pos]), pos + 1
    if tag == 0x09:
        return {"$date": {"$numberLong": str(struct.unpack_from("<q", data, pos)[0])}}, pos + 8
    if tag == 0x0A:
        return None, pos
    if tag == 0x10:
        return {"$numberInt": str(struct.unpack_from("<i", data, pos)[0])}, pos + 4
    if tag == 0x12:
        return {"$numberLong": str(struct.unpack_from("<q", data, pos)[0])}, pos + 8
    raise Mismatch(f"element type 0x{tag:02x} at offset {pos} is not used by Halibut")


# ---------------------------------------------------------------- Halibut framing

def inflate(data, pos):
    """Inflate the raw deflate stream at pos; return the bytes and the offset behind its final block."""
    reader = zlib.decompressobj(-15)
    out = reader.decompress(data[pos:])
    if not reader.eof:
        raise Mismatch(f"deflate stream at {pos} has no final block")
    return out, len(data) - len(reader.unused_data)


def stream_ids(value):
    """The identifiers of all DataStream objects in a document, in document order."""
    if isinstance(value, list):
        return [i for item in value for i in stream_ids(item)]
    if not isinstance(value, dict):
        return []
    if set(value) - {"$type"} == {"id", "length"} and "$binary" in (value["id"] or ()):
        return [guid(base64.b64decode(value["id"]["$binary"]["base64"]))]
    return [i for item in value.values() for i in stream_ids(item)]


def guid(raw):
    return str(uuid.UUID(bytes_le=bytes(raw)))


def read_identity(data, pos):
    """An identity is the preface `MX` + blank line (either newline), or an MX- line + blank line (CR LF only)."""
    for ending in (b"\r\n\r\n", b"\n\n"):
        if data[pos:pos + 2] == b"MX" and data[pos + 2:pos + 2 + len(ending)] == ending:
            return pos + 2 + len(ending)
    end = data.index(b"\r\n\r\n", pos) + 4
    if not data[pos:end].startswith((b"MX-CLIENT ", b"MX-SERVER ", b"MX-SUBSCRIBER ")):
        raise Mismatch(f"no identity at {pos}")
    return end


def read_segment(kind, data, pos, length=None):
    """Read one segment; return (end offset, facts as they stand in conversation.json)."""
    if kind == "identity":
        end = read_identity(data, pos)
        return end, {"text": data[pos:end].decode("ascii")}
    if kind == "control":
        word = pos
        while data[word:word + 2] == b"\r\n":  # empty lines before a control message are allowed
            word += 2
        end = data.index(b"\r\n", word) + 2
        if bytes(data[word:end]) not in CONTROL:
            raise Mismatch(f"no control message at {pos}")
        return end, {"text": data[pos:end].decode("ascii")}
    if kind == "message":
        bson, end = inflate(data, pos)
        return end, {"bson_length": len(bson), "bson_sha256": hashlib.sha256(bson).hexdigest(),
                     "document": decode_bson(bson)}
    if kind == "datastream":
        raw_id, size = data[pos:pos + 16], struct.unpack_from("<q", data, pos + 16)[0]
        body = data[pos + 24:pos + 24 + size]
        end = pos + 32 + size
        if len(data) < end or struct.unpack_from("<q", data, end - 8)[0] != size:
            raise Mismatch(f"data stream at {pos}: length is not repeated behind it")
        return end, {"stream": {"id": guid(raw_id), "length": size, "sha256": hashlib.sha256(body).hexdigest()}}
    if kind in ("http", "raw"):
        body = data[pos:pos + length]
        facts = {"sha256": hashlib.sha256(body).hexdigest()}
        if kind == "http":
            facts["text"] = body.decode("utf-8")
        return pos + length, facts
    raise Mismatch(f"unknown kind {kind!r}")


# ---------------------------------------------------------------- the check itself

def check_conversation(folder, verbose=False):
    """Check one folder; return a short summary, or raise Mismatch."""
    story = json.loads((folder / "conversation.json").read_text(encoding="utf-8"))
    data = {side: (folder / name).read_bytes() for side, name in FILES.items()}
    position = {"client": 0, "server": 0}
    awaited = {"client": [], "server": []}
    counts = {}
    for number, segment in enumerate(story["segments"]):
        side, kind = segment["from"], segment["kind"]
        where = f"segment {number} ({side} {kind})"
        if kind not in KINDS or segment["offset"] != position[side]:
            raise Mismatch(f"{where} starts at {segment['offset']}, not at {position[side]}")
        try:
            end, facts = read_segment(kind, data[side], segment["offset"], segment["length"])
        except (ValueError, struct.error, zlib.error, IndexError) as error:
            raise Mismatch(f"{where}: {error}") from error
        if end - segment["offset"] != segment["length"] or end > len(data[side]):
            raise Mismatch(f"{where} is {end - segment['offset']} bytes long, not {segment['length']}")
        for name, value in facts.items():
            if json.dumps(segment.get(name)) != json.dumps(value):
                raise Mismatch(f"{where}: {name} differs")
        if sum(segment.get("records", [segment["length"]])) != segment["length"]:
            raise Mismatch(f"{where}: the records do not add up")
        if kind == "datastream":
            if facts["stream"]["id"] not in awaited[side]:
                raise Mismatch(f"{where} was not announced")
            awaited[side].remove(facts["stream"]["id"])
        elif kind == "raw":  # bytes that break the protocol on purpose; the rest of this side is not read
            awaited[side] = []
        elif awaited[side]:
            raise Mismatch(f"{where}: an announced data stream is missing")
        if kind == "message":
            awaited[side] = stream_ids(facts["document"])
        position[side] = end
        counts[kind] = counts.get(kind, 0) + 1
        if verbose:
            print(f"    {side:6} {kind:10} {segment['length']:8} bytes  {segment.get('note', '')}")
    for side, content in data.items():
        if position[side] != len(content):
            raise Mismatch(f"{side}: {len(content) - position[side]} bytes are not described")
        if awaited[side]:
            raise Mismatch(f"{side}: an announced data stream is missing")
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no bytes"


def main(arguments):
    verbose = "-v" in arguments
    wanted = [a for a in arguments if not a.startswith("-")]
    index = json.loads((HERE / "index.json").read_text(encoding="utf-8"))
    passed = failed = 0
    listed = {entry["name"] for entry in index["conversations"]}
    present = {path.parent.name for path in HERE.glob("*/conversation.json")}
    for name in sorted(listed | present):
        if wanted and not any(part in name for part in wanted):
            continue
        try:
            if name not in listed or name not in present:
                raise Mismatch("index.json and the folders disagree")
            print(f"ok    {name:28} {check_conversation(HERE / name, verbose)}")
            passed += 1
        except (Mismatch, FileNotFoundError, KeyError, ValueError) as error:
            print(f"FAIL  {name:28} {error}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
