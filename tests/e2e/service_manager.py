# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd does for a service with a descriptor store: it keeps descriptors, and hands them to the next process.

As a program (`service_manager.py SOCKET COMMAND...`) it is the moment between fork and exec: it fetches what is kept
from a `Manager`, puts it in place and becomes the command.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import socket
import sys
import threading
import time


class Manager:
    """Listens on NOTIFY_SOCKET and keeps what it is sent; `environment` and `command` are for starting the service."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.kept: dict[str, int] = {}
        self.messages: list[str] = []
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))
        self._starts = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._starts.bind(str(directory / "starts"))
        self._starts.listen()
        self.environment = {"NOTIFY_SOCKET": str(directory / "notify")}
        self.command = (__file__, str(directory / "starts"), sys.executable, "-m", "tentacle_agent")
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._hand_out)]

    def __enter__(self) -> Manager:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        for sock in (self._notify, self._starts):
            sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in (self._notify, self._starts):
            sock.close()
        for descriptor in self.kept.values():
            os.close(descriptor)

    def until_kept(self, count: int) -> None:
        """Wait until so many descriptors are kept."""
        limit = time.monotonic() + 10
        while len(self.kept) != count:
            assert time.monotonic() < limit, self.kept
            time.sleep(0.02)

    def _listen(self) -> None:
        while True:
            data, descriptors, _flags, _address = socket.recv_fds(self._notify, 4096, 8)
            if not data:
                return
            message = data.decode()
            self.messages.append(message)
            fields = dict(line.split("=", 1) for line in message.splitlines())
            if "FDSTORE" in fields:
                assert fields["FDPOLL"] == "0"  # without it, systemd gives up a pipe whose other end was closed
                for descriptor in descriptors:
                    self._forget(fields["FDNAME"])
                    self.kept[fields["FDNAME"]] = descriptor
            elif "FDSTOREREMOVE" in fields:
                self._forget(fields["FDNAME"])

    def _forget(self, name: str) -> None:
        descriptor = self.kept.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def _hand_out(self) -> None:
        while True:
            try:
                connection, _address = self._starts.accept()
            except OSError:
                return
            with connection:
                names = list(self.kept)
                socket.send_fds(connection, [(":".join(names) + "\n").encode()], [self.kept[name] for name in names])


def main() -> None:
    """Fetch the descriptors, put them at 3 and above, become the command."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(sys.argv[1])
        data, descriptors, _flags, _address = socket.recv_fds(sock, 65536, 250)
    names = data.decode().strip()
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 300) for descriptor in descriptors]
    for number, descriptor in enumerate(moved):
        os.dup2(descriptor, 3 + number)
        os.close(descriptor)
    os.closerange(3 + len(moved), 300)
    environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(moved)), "LISTEN_FDNAMES": names}
    os.execvpe(sys.argv[2], sys.argv[2:], environment)


if __name__ == "__main__":
    main()
