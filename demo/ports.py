# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which port a host gets, and who has the one it should have had."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pathlib
import socket
import struct

_LISTENING = "0A"
_EVERYWHERE = ("0.0.0.0", "::")


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: an old connection is no holder
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose(address: str, wanted: int) -> int:
    """The wanted port, or the next free one above it, or any free one."""
    for port in range(wanted, wanted + 100):
        if is_free(address, port):
            return port
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def holder(address: str, port: int) -> str:
    """Who listens there: "python3 (process 123)", or "a process of another user" where /proc does not tell."""
    for inode in _listening_inodes(address, port):
        for directory in pathlib.Path("/proc").iterdir():
            if directory.name.isdigit() and _has_socket(directory, inode):
                return f"{(directory / 'comm').read_text().strip()} (process {directory.name})"
    return "a process that this user may not look at"


def _listening_inodes(address: str, port: int) -> list[str]:
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                host, _unused, number = fields[1].partition(":")
                if fields[3] == _LISTENING and int(number, 16) == port and _decode(host) in (address, *_EVERYWHERE):
                    inodes.append(fields[9])
    return inodes


def _decode(text: str) -> str:
    """An address of /proc/net/tcp: groups of four bytes, each in the machine's order; IPv4 in IPv6 as IPv4."""
    words = struct.pack(f"={len(text) // 8}I", *(int(text[i : i + 8], 16) for i in range(0, len(text), 8)))
    address = ipaddress.ip_address(words)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _has_socket(process: pathlib.Path, inode: str) -> bool:
    with contextlib.suppress(OSError):
        return any(
            os.readlink(descriptor) == f"socket:[{inode}]"
            for descriptor in (process / "fd").iterdir()
            if descriptor.is_symlink()
        )
    return False
