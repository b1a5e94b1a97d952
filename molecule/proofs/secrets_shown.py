# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a secret shows that must show nowhere.

Secrets are every value that a scenario marks (it has MARK in it), and the private key of every agent, which is made on
its host or brought there.  Both are looked for as they are and, the marked ones, in base64.
"""

from __future__ import annotations

import base64
import pathlib
import re
import subprocess
import time
from collections.abc import Iterable

from proofs.running import Host

# Every secret of the scenarios has this in it: passphrases, passwords, sensitive variables (inventory/hosts.yml).
MARK = "canary-5f1c0a"
# Below these an agent keeps its key, and the password of its proxy; nowhere else may they be.
KEYS_AT = re.compile(r"(?:/etc|/home/[^/]+/\.config|/root/\.config)/tentacle-agent/[^/]+/.+")
ASYNC_SECONDS = 3.0
_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)\n-----END", re.DOTALL)


def marks() -> list[str]:
    """The mark, and what is left of it in base64 whatever stands before it."""
    found = [MARK]
    for before in range(3):
        text = base64.b64encode(b"\0" * before + MARK.encode()).decode().rstrip("=")
        found.append(text[4 if before else 0 : -2])  # characters at both ends also hold bits of the neighbours
    return found


def keys(hosts: Iterable[Host]) -> list[str]:
    """One line of each agent's private key that its certificate has not in it."""
    found = set()
    for host in hosts:
        for path in host.written.glob("**/tentacle-agent/**/*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 100_000:
                for body in _PRIVATE.findall(path.read_bytes()):
                    lines = body.decode().splitlines()
                    # An RSA key begins with numbers that are public.
                    found.add(lines[-3] if len(lines) > 8 else lines[0])
    return sorted(found)


def in_files(patterns: list[str], host: Host) -> list[str]:
    """The files of a host that have one of them where it does not belong."""
    found = _files_with(patterns, host.places())
    names = [host.name_of(path) for path in found if not KEYS_AT.fullmatch(host.name_of(path))]
    if names:
        # An asynchronous task of Ansible tells its result and then removes its files.
        time.sleep(ASYNC_SECONDS)
        names = [host.name_of(path) for path in _files_with(patterns, found) if host.name_of(path) in names]
    return [f"the file {name} of {host.name}" for name in names]


def _files_with(patterns: list[str], places: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    command = ["grep", "-rlaF", "--devices=skip", "--file=-", *(str(place) for place in places if place.exists())]
    if command[-1] == "--file=-":
        return []
    done = subprocess.run(command, input="\n".join(patterns), capture_output=True, text=True, timeout=120, check=False)
    return [pathlib.Path(line) for line in done.stdout.splitlines()]  # it ends with 2 when a file has gone meanwhile


def in_journal(patterns: list[str], host: Host) -> list[str]:
    """The units of a host whose messages have one of them."""
    command = ["nsenter", "-t", str(host.leader), "-a", "journalctl", "--all", "--output=export"]
    text = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.decode("utf-8", "replace")
    return [
        f"the journal of {host.name}, by {_field('SYSLOG_IDENTIFIER', entry)} ({_field('_SYSTEMD_UNIT', entry)})"
        for entry in text.split("\n\n")
        if any(pattern in entry for pattern in patterns)
    ]


def _field(name: str, entry: str) -> str:
    found = re.search(rf"^{name}=(.*)$", entry, re.MULTILINE)
    return found.group(1) if found else "nobody"


def in_text(patterns: list[str], text: str, what: str) -> list[str]:
    """The lines of a text that have one of them, without it."""
    return [
        f"{what}: {re.sub('|'.join(map(re.escape, patterns)), '<SECRET>', line.strip())[:300]}"
        for line in text.splitlines()
        if any(pattern in line for pattern in patterns)
    ]
