# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Who listens on a TCP port of this host, and which process is the agent of an instance.

This module util is **private** to the collection. It reads the kernel's own tables below ``/proc``. On a system that
has none, nobody is found; an account that is not root sees the user of a foreign process, but not the process.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

PROC = "/proc"
_LISTENING = "0A"
_TABLES = ("net/tcp", "net/tcp6")
LONGEST_COMMAND = 200
_VERBS = frozenset({"run", "agent"})


class Holder(NamedTuple):
    """One listening socket. ``pid`` and ``command`` are None where this account may not see them.

    ``command`` is one line of at most 200 characters.
    """

    address: str
    port: int
    user: str
    pid: int | None
    command: str | None

    def facts(self) -> dict[str, Any]:
        return self._asdict()


class Process(NamedTuple):
    """A running agent: the directory of the programs it was started from, and the ports it listens on."""

    pid: int
    user: str
    directory: str | None
    ports: list[int]

    def facts(self) -> dict[str, Any]:
        return self._asdict()


def holders(port: int | None = None, address: str | None = None, proc: str = PROC) -> list[Holder]:
    """Every socket that listens, or those that would be in the way of listening on ``port`` at ``address``.

    ``address`` None is every address of the host.
    """
    found = [entry for entry in _listening(proc) if port is None or entry[1] == port]
    found = [entry for entry in found if address is None or _overlap(entry[0], address)]
    if not found:
        return []
    owners = _socket_owners({inode for _address, _port, _user, inode in found}, proc)
    result = []
    for place, number, user, inode in found:
        pid = owners.get(inode)
        words = _command(pid, proc) if pid is not None else []
        result.append(Holder(place, number, _user_name(user), pid, _in_one_line(words) or None))
    return sorted(result, key=lambda holder: (holder.port, holder.address))


def _in_one_line(words: list[str]) -> str:
    """A command line for a sentence: scripts that are given as an argument have many lines."""
    text = " ".join(" ".join(words).split())
    return text if len(text) <= LONGEST_COMMAND else text[: LONGEST_COMMAND - 4] + " ..."


def agent_of(path: str, name: str | None, proc: str = PROC) -> Process | None:
    """The process that runs the instance with the configuration ``path``, or None."""
    for pid in _pids(proc):
        words = _command(pid, proc)
        if not runs_instance(words, path, name):
            continue
        try:
            user = _user_name(os.stat(os.path.join(proc, str(pid))).st_uid)
        except OSError:
            continue
        sockets = _sockets_of(pid, proc)
        ports = sorted({port for _address, port, _user, inode in _listening(proc) if inode in sockets})
        directory = next((word for word in words[1:] if re.search(r"\+[0-9a-f]{12}/?$", word)), None)
        return Process(pid, user, directory, ports)
    return None


def runs_instance(words: list[str], path: str, name: str | None) -> bool:
    """Whether a command line is that of the agent for this instance. Pure."""
    if len(words) < 3 or not _VERBS.intersection(words[1:]):
        return False
    options = dict(_options(words))
    if "config" in options:
        return options["config"] == path
    return name is not None and options.get("instance", "").lower() == name.lower()


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """The options ``--name=value``, ``--name value`` and their original spellings ``-name`` and ``/name:value``."""
    for position, word in enumerate(words):
        matched = re.fullmatch(r"(?:--?|/)(config|instance)(?:[=:](.*))?", word, re.IGNORECASE | re.DOTALL)
        if matched:
            following = words[position + 1] if position + 1 < len(words) else ""
            value = matched.group(2)
            yield matched.group(1).lower(), following if value is None else value


def _listening(proc: str) -> Iterator[tuple[str, int, int, str]]:
    """Address, port, user number and inode of every listening TCP socket."""
    for table in _TABLES:
        try:
            with open(os.path.join(proc, table), encoding="ascii") as handle:
                lines = handle.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTENING:
                place, _colon, port = fields[1].partition(":")
                yield _address(place), int(port, 16), int(fields[7]), fields[9]


def _address(text: str) -> str:
    """An address as the kernel writes it: words of 32 bits in the machine's own byte order."""
    data = bytes.fromhex(text)
    words = (data[i : i + 4] for i in range(0, len(data), 4))
    return str(ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)))


def _overlap(one: str, other: str) -> bool:
    first, second = (ipaddress.ip_address(text) for text in (one, other))
    if first == second:
        return True
    # An IPv6 socket on every address usually takes the IPv4 ones too.
    return any(
        wide.is_unspecified and (wide.version == 6 or wide.version == narrow.version)
        for wide, narrow in ((first, second), (second, first))
    )


def _socket_owners(inodes: set[str], proc: str) -> dict[str, int]:
    owners: dict[str, int] = {}
    for pid in _pids(proc):
        for inode in _sockets_of(pid, proc) & inodes:
            owners.setdefault(inode, pid)
    return owners


def _sockets_of(pid: int, proc: str) -> set[str]:
    """The inode numbers of a process's sockets; none where this account may not see them."""
    directory = os.path.join(proc, str(pid), "fd")
    found: set[str] = set()
    try:
        names = os.listdir(directory)
    except OSError:
        return found
    for name in names:
        try:
            target = os.readlink(os.path.join(directory, name))
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def _pids(proc: str) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(proc) if name.isdigit())
    except OSError:
        return []


def _command(pid: int, proc: str) -> list[str]:
    try:
        with open(os.path.join(proc, str(pid), "cmdline"), "rb") as handle:
            return handle.read(16384).decode("utf-8", "replace").rstrip("\0").split("\0")
    except OSError:
        return []


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
