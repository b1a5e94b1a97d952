# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Where nftables stores its rules: a file of ours that the main configuration includes.

A file in a directory that the configuration includes already is enough; otherwise one line is added at its end, and
taken away again exactly. Whether the whole still loads is tried in an empty network namespace, where nothing of it
reaches the running firewall; the same way tells which chains the configuration makes.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex

from .base import Snapshot
from .errors import CommandError
from .host import Host
from .nft_rules import Document
from .rule import Name

_MAIN = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")
_DIRECTORY = "/etc/nftables.d"
_INCLUDE = re.compile(r'^\s*include\s+"(/[^"]+)"', re.MULTILINE)


class Store:
    """The stored form of one rule. ``main`` is the configuration that is loaded at boot, or None."""

    def __init__(self, host: Host, name: Name) -> None:
        self._host = host
        self._name = name
        self.main = next((path for path in _MAIN if host.exists(path)), None)
        self._path = self._chosen_path()

    def read(self) -> Snapshot:
        if self.main is None:
            return {}
        line = self._line()
        included = line in (self._host.text(self.main) or "").splitlines()
        return {self._path: self.lines(), self.main: [line] if included else []}

    def lines(self) -> list[str]:
        """Our own file."""
        return (self._host.text(self._path) or "").splitlines()

    def plan(self, rules: list[str]) -> Snapshot:
        """What ``read`` shall give for these rules."""
        if self.main is None:
            return {}
        head = [
            f"# {self._name.title}",
            "# Made by listening.tentacle.tentacle_firewall, which replaces what is changed here.",
        ]
        needed = [] if self._is_included() else [self._line()]
        return {self._path: [*head, *rules], self.main: needed}

    def write(self, after: Snapshot) -> None:
        """Store it, or remove it where ``after`` says nothing.

        Raises CommandError if the whole does not load with it; everything is then as it was.
        """
        if self.main is None:
            return
        before = {path: self._host.text(path) for path in (self._path, self.main)}
        lines = after.get(self._path, [])
        main = self._with_line(before[self.main] or "", bool(after.get(self.main)))
        try:
            self._put(self._path, "".join(f"{line}\n" for line in lines) if lines else None)
            self._put(self.main, main)
            self._try()
        except BaseException:
            for path, text in before.items():
                self._put(path, text)
            raise
        if not lines:
            self._host.remove_directory_if_empty(_DIRECTORY)

    def load(self) -> Document | None:
        """The ruleset that the configuration makes, without the running firewall; None where that cannot be told.

        Our own line is left out: what it names may have been taken away, and then nothing would load.
        """
        if self.main is None or not self._host.has("unshare"):
            return None
        main, line = shlex.quote(self._host.path(self.main)), shlex.quote(self._line())
        script = f"grep -vxF -e {line} {main} | nft -f - && nft -j list ruleset"
        try:
            document: Document = json.loads(self._host.run(["unshare", "--net", "sh", "-c", script]))
        except (CommandError, ValueError):
            return None
        return document

    def _try(self) -> None:
        """Raises CommandError where the configuration loads no more."""
        if self.main is not None and self._host.has("unshare") and self._host.succeeds("unshare", "--net", "true"):
            self._host.run(["unshare", "--net", "nft", "-f", self._host.path(self.main)])

    def _put(self, path: str, text: str | None) -> None:
        if text == self._host.text(path):
            return
        if text is None:
            self._host.remove(path)
        else:
            self._host.write(path, text)

    def _line(self) -> str:
        return f'include "{self._path}" # {self._name.title}'

    def _with_line(self, text: str, wanted: bool) -> str:
        """The main configuration with or without our line, and otherwise byte for byte as it is."""
        line = self._line()
        if not wanted:
            ends_in_it = text.endswith(f"\n{line}")
            return text[: -len(line) - 1] if ends_in_it else text.replace(f"{line}\n", "")
        if line in text.splitlines():
            return text
        return f"{text}{line}\n" if text.endswith("\n") or not text else f"{text}\n{line}"

    def _is_included(self) -> bool:
        text = (self._host.text(self.main) or "").replace(self._line(), "") if self.main else ""
        return any(fnmatch.fnmatch(self._path, pattern) for pattern in _INCLUDE.findall(text))

    def _chosen_path(self) -> str:
        """In a directory that is included as a whole, where there is one."""
        name = f"{self._name.slug}.nft"
        for pattern in _INCLUDE.findall(self._host.text(self.main) or "") if self.main else []:
            path = os.path.join(os.path.dirname(pattern), name)
            if "*" in pattern and fnmatch.fnmatch(path, pattern):
                return path
        return os.path.join(_DIRECTORY, name)
