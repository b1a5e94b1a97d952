# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that hosts.sh has booted, as seen from outside."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import subprocess

DRIVER = pathlib.Path(__file__).resolve().parents[1] / "hosts.sh"


@dataclasses.dataclass(frozen=True)
class Host:
    """A booted host: pid 1 in it, which leads to its files and namespaces, and what it wrote over its base."""

    name: str
    leader: int
    written: pathlib.Path

    @property
    def root(self) -> pathlib.Path:
        return pathlib.Path(f"/proc/{self.leader}/root")

    def places(self) -> list[pathlib.Path]:
        """Where anything can have been written: over the base, and in memory."""
        return [self.written, *(self.root / part for part in ("tmp", "run", "dev/shm"))]

    def name_of(self, path: pathlib.Path) -> str:
        """The path as the host names it."""
        base = self.written if path.is_relative_to(self.written) else self.root
        return f"/{path.relative_to(base)}"


def prefix() -> str:
    return os.environ.get("HOSTS_PREFIX", "tt")


def hosts() -> list[Host]:
    """Those of this prefix that are up."""
    run = pathlib.Path(os.environ.get("HOSTS_DIR", "/var/tmp/tentacle-hosts")) / f"run-{prefix()}"
    listed = subprocess.run(["bash", DRIVER, "ps"], capture_output=True, text=True, timeout=60, check=True).stdout
    return [
        Host(name, int(leader), run / name / "upper")
        for name, leader in re.findall(r"^(\S+) pid=\d+ leader=(\d+)$", listed, re.MULTILINE)
    ]
