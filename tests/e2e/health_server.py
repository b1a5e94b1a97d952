# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the server while things are rotated: checks the health of agents all the time and counts failures.

What it knows lies in files of its directory, so that tasks of a playbook can tell it: `<agent>.pins`, the thumbprints
that it accepts of an agent, one a line; `identity`, the path of its own certificate and key.
"""

from __future__ import annotations

import hashlib
import pathlib
import threading
import time

from wire_client import WireClient

SECONDS_BETWEEN = 0.5


class HealthServer:
    """`with HealthServer(directory, identity, {"one": agent}) as server: ... server.failures`"""

    def __init__(self, directory: pathlib.Path, identity: pathlib.Path, ports: dict[str, int]) -> None:
        self.directory = directory
        self.failures: list[str] = []
        self.checks = 0
        self._ports = ports
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(name,)) for name in ports]
        directory.mkdir()
        (directory / "identity").write_text(str(identity))

    def __enter__(self) -> HealthServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def accept(self, name: str, *pins: str) -> None:
        """Know an agent by these thumbprints."""
        (self.directory / f"{name}.pins").write_text("\n".join(pins))

    def _watch(self, name: str) -> None:
        while not self._ended.wait(SECONDS_BETWEEN):
            try:
                self._check(name)
            except Exception as error:
                self.failures.append(f"{time.strftime('%X')} {name}: {error!r}")
            self.checks += 1

    def _check(self, name: str) -> None:
        identity = pathlib.Path((self.directory / "identity").read_text().strip())
        accepted = (self.directory / f"{name}.pins").read_text().split()
        client = WireClient(self._ports[name], identity)
        try:
            shown = hashlib.sha1(client.sock.getpeercert(binary_form=True) or b"").hexdigest().upper()
            if shown not in accepted:
                raise ValueError(f"shows {shown}, accepted are {accepted}")
            if client.capabilities().error is not None:
                raise ValueError("answers with an error")
            client.say_goodbye()
        finally:
            client.close()
