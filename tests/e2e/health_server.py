# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the server while things are rotated: checks the health of agents all the time and counts failures.

What it knows lies in files of its directory, so that tasks of a playbook can tell it: `<agent>.pins`, the thumbprints
that it accepts of an agent, one a line; `identity`, the path of its own certificate and key.

As a program, `health_server.py DIRECTORY IDENTITY NAME=ADDRESS:PORT...` keeps what it has seen in its directory's
`seen.json`, until somebody takes its identity away, ten minutes at most. That file goes with it.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys
import threading
import time

from wire_client import WireClient

SECONDS_BETWEEN = 0.5
LONGEST_LIFE = 600.0


class HealthServer:
    """`with HealthServer(directory, identity, {"one": ("127.0.0.1", 10933)}) as server: ... server.failures`"""

    def __init__(self, directory: pathlib.Path, identity: pathlib.Path, endpoints: dict[str, tuple[str, int]]) -> None:
        self.directory = directory
        self.failures: list[str] = []
        self.checks = dict.fromkeys(endpoints, 0)
        self._endpoints = endpoints
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(name,)) for name in endpoints]
        directory.mkdir(exist_ok=True)
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
            self.checks[name] += 1

    def _check(self, name: str) -> None:
        """Check once, and anew when we were told something meanwhile: a server judges in the handshake, we later."""
        pins, begin = self.directory / f"{name}.pins", time.time()
        identity = pathlib.Path((self.directory / "identity").read_text().strip())
        address, port = self._endpoints[name]
        client = WireClient(port, identity, address=address)
        try:
            shown = hashlib.sha1(client.sock.getpeercert(binary_form=True) or b"").hexdigest().upper()
            accepted = pins.read_text().split()
            if shown not in accepted:
                if pins.stat().st_mtime < begin:
                    raise ValueError(f"shows {shown}, accepted are {accepted}")
                return self._check(name)
            if client.capabilities().error is not None:
                raise ValueError("answers with an error")
            client.say_goodbye()
        finally:
            client.close()


def main(directory: pathlib.Path, identity: pathlib.Path, *agents: str) -> None:
    endpoints = {}
    for agent in agents:
        name, _equals, endpoint = agent.partition("=")
        address, _separator, port = endpoint.rpartition(":")
        endpoints[name] = (address, int(port))
    limit = time.monotonic() + LONGEST_LIFE
    with HealthServer(directory, identity, endpoints) as server:
        while (directory / "identity").exists() and time.monotonic() < limit:
            written = directory / "seen.json.new"
            written.write_text(json.dumps({"checks": server.checks, "failures": server.failures}))
            written.rename(directory / "seen.json")
            time.sleep(SECONDS_BETWEEN)
    (directory / "seen.json").unlink()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), *sys.argv[3:])
