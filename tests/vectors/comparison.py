"""Compare an agent's answers with the recorded ones by meaning.

What may differ from the recording:
  * identifiers of streams that the agent sends; they must match the stream that follows
  * times of log lines; order of lines of different sources; paths, shell and user inside them; sequence numbers;
    .NET's own lines about exceptions that it swallows
  * `Logs`, `State` and `ExitCode` of a script that was not complete in the recording; the lines are compared when it is
  * `error.details` after its first line, `error.message` after its first line, the class in "Method CLASS::NAME"
  * members named under `loose` in conversation.json: only their type counts
  * the part of `FullPath` before the uploaded name; text of the page for browsers and values of its headers
"""

from __future__ import annotations

import json
import re

try:
    from . import check
except ImportError:  # run as a command, or with this folder on the path
    import check

HOME = "/tmp/tentacle-home/"  # home directory of the agent in the recordings
COMPLETE = {"$numberInt": "2"}


class Difference(Exception):
    """The agent did something that the recorded listener did not."""


def kind_of(value):
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("$numberInt", "$numberLong", "$numberDouble", "$date", "$binary"):
            return {"$numberInt": "int32", "$numberLong": "int64", "$numberDouble": "double", "$date": "date",
                    "$binary": "binary"}[next(iter(value))]
        return "object"
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}[type(value)]


def plain_text(text):
    """A log line without what depends on the machine."""
    text = re.sub(r"'?/\S*/Work/[^/\s']+'?", "WORKSPACE", text)
    text = re.sub(r"(/usr)?/bin/bash", "SHELL", text)
    text = re.sub(r"^Executable directory is .*", "Executable directory is DIRECTORY", text)
    return re.sub(r"running as '[^']*'", "running as USER", text)


def plain_error(text):
    return re.sub(r"Method \S+::", "Method CLASS::", text.splitlines()[0] if text else "")


class Comparison:
    """Compares documents of one conversation, and remembers what the agent chose itself."""

    def __init__(self, loose=()):
        self.loose = set(loose)
        self.tickets = {}  # recorded ticket -> the agent's
        self.sequences = {}  # recorded log sequence -> the agent's
        self.logs = {}  # ticket -> (recorded lines, the agent's lines)
        self.streams = []  # (facts of the recorded stream, identifier that the agent announced)
        self.differences = []

    # -- towards the agent
    def request(self, document):
        """The document to send instead of the recorded one (the same object if nothing changes)."""
        changed = self._replace(document, None)
        return document if changed == document else changed

    def _replace(self, value, name):
        if isinstance(value, list):
            return [self._replace(item, None) for item in value]
        if isinstance(value, dict):
            if name == "LastLogSequence" and value.get("$numberLong", "0") != "0":
                return {"$numberLong": self.sequences.get(value["$numberLong"], value["$numberLong"])}
            return {key: self._replace(item, key) for key, item in value.items()}
        return self.tickets.get(value, value) if name == "TaskId" else value

    # -- from the agent
    def response(self, recorded, actual, asked):
        self.differences = []
        recorded, actual = recorded["Message"], actual.get("Message")
        if actual is None:
            raise Difference("a null message, or no Message")
        self._compare(recorded, actual, "Message", asked)
        return self.differences

    def _add(self, path, recorded, actual):
        texts = [json.dumps(value, ensure_ascii=False) for value in (recorded, actual)]
        short = [text if len(text) < 300 else f"{text[:300]}…" for text in texts]
        self.differences.append(f"{path}: recorded {short[0]}, agent {short[1]}")

    def _compare(self, recorded, actual, path, asked):
        name = path.rsplit(".", 1)[-1]
        if kind_of(recorded) != kind_of(actual):
            return self._add(path, recorded, actual)
        if name in self.loose:
            return None
        if kind_of(recorded) == "array":
            if len(recorded) != len(actual):
                return self._add(path, recorded, actual)
            for number, pair in enumerate(zip(recorded, actual)):
                self._compare(*pair, f"{path}[{number}]", asked)
        elif kind_of(recorded) == "object":
            self._compare_object(recorded, actual, path, asked)
        elif name in ("message", "details") and ".error." in path:
            if plain_error(recorded) != plain_error(actual):
                self._add(f"{path} (first line)", plain_error(recorded), plain_error(actual))
        elif name == "FullPath":
            if not actual.endswith(f"/{recorded[len(HOME):]}"):
                self._add(path, recorded, actual)
        elif recorded != actual:
            self._add(path, recorded, actual)
        return None

    def _compare_object(self, recorded, actual, path, asked):
        if set(recorded) != set(actual):
            missing, more = sorted(set(recorded) - set(actual)), sorted(set(actual) - set(recorded))
            self._add(path, {"missing": missing}, {"additional": more})
            return
        if "$type" in actual and next(iter(actual)) != "$type":
            self._add(path, "$type first", list(actual))
        recorded, actual = dict(recorded), dict(actual)
        if check.stream_ids(recorded) and set(recorded) - {"$type"} == {"id", "length"}:
            self.streams.append((check.stream_ids(recorded)[0], check.stream_ids(actual)[0]))
            recorded["id"] = actual["id"]
        made_by_agent = recorded.get("$type", "").endswith(".ScriptTicket, Octopus.Shared")
        if made_by_agent and kind_of(actual["TaskId"]) == "string":
            self.tickets[recorded["TaskId"]] = actual["TaskId"]
        if "TaskId" in recorded:
            recorded["TaskId"] = self.tickets.get(recorded["TaskId"], recorded["TaskId"])
        if "NextLogSequence" in recorded:
            self._compare_status(recorded, actual, path, asked)
        for key in recorded:
            self._compare(recorded[key], actual[key], f"{path}.{key}", asked)

    def _compare_status(self, recorded, actual, path, asked):
        """Replace what a script's progress decides, after looking at it."""
        (last,) = (asked.get("LastLogSequence") or {"$numberLong": "0"}).values()
        following, agents = recorded["NextLogSequence"]["$numberLong"], actual["NextLogSequence"].get("$numberLong")
        if agents is not None:
            self.sequences[following] = agents
            if following != last or recorded["Logs"]:
                recorded["NextLogSequence"] = actual["NextLogSequence"]
        ticket = recorded["Ticket"]["TaskId"].lower()
        ours, theirs = self.logs.get(ticket, ([], [])) if last != "0" else ([], [])
        ours, theirs = ours + recorded["Logs"], theirs + actual["Logs"]
        self.logs[ticket] = ours, theirs
        for line in theirs:
            if list(line) != ["Source", "Occurred", "Text"] or kind_of(line["Occurred"]) != "date":
                self._add(f"{path}.Logs", "Source, Occurred (date), Text", line)
        if recorded["State"] == COMPLETE:
            pair = [sorted(((line["Source"]["$numberInt"], self._plain(line["Text"])) for line in lines
                            if not line["Text"].startswith("Swallowing ")), key=lambda line: line[0])
                    for lines in (ours, theirs)]
            if pair[0] != pair[1]:
                self._add(f"{path}.Logs (all lines up to here)", *pair)
        else:
            recorded["State"], recorded["ExitCode"] = actual["State"], actual["ExitCode"]
            if actual["State"] not in ({"$numberInt": "0"}, {"$numberInt": "1"}, COMPLETE):
                self._add(f"{path}.State", "0, 1 or 2", actual["State"])
        recorded["Logs"] = actual["Logs"]

    def _plain(self, text):
        text = plain_text(text)
        return re.sub(r"exited with code -?\d+$", "exited with code N", text) if "ExitCode" in self.loose else text

    def stream(self, recorded, actual):
        announced = dict(self.streams).get(recorded["id"])
        expected = {**recorded, "id": announced}
        return [] if expected == actual else [f"stream: recorded {expected}, agent {actual}"]


def compare_page(recorded, actual):
    """The page for browsers: same status line and header names; the length counts UTF-16 units, 4 bytes follow."""
    differences = []
    heads, bodies = zip(*(text.partition("\r\n\r\n")[::2] for text in (recorded, actual)))
    lines = [head.split("\r\n") for head in heads]
    if lines[0][0] != lines[1][0]:
        differences.append(f"status line: recorded {lines[0][0]!r}, agent {lines[1][0]!r}")
    names = [[line.split(":")[0] for line in part[1:]] for part in lines]
    if names[0] != names[1]:
        differences.append(f"headers: recorded {names[0]}, agent {names[1]}")
    match = re.search(r"^Content-Length: (\d+)\r?$", heads[1], re.M)
    units = len(bodies[1][:-4].encode("utf-16-le")) // 2
    if not match or int(match.group(1)) != units or not bodies[1].endswith("\r\n\r\n"):
        length = match and match.group(1)
        differences.append(f"Content-Length is {length}; {units} units and two line ends expected")
    return differences
