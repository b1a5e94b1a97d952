# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A script file on its way into a workspace.

It is written beside the workspaces, encrypted on the way where it has a password, and moved into its workspace when
the script is prepared: a repeated start must not touch the files of a script that already runs, and a connection that
breaks must leave nothing under a final name.
"""

from __future__ import annotations

import contextlib
import os

from ...encryption import TextEncryptor


class IncomingScriptFile:
    """Takes the bytes of one stream. Use: ``write``..., ``close``, then ``discard`` unless the file was moved away."""

    def __init__(self, path: str, password: str | None) -> None:
        """Raises OSError, and EncryptionUnavailable where a password is given and nothing can encrypt."""
        self.path = path
        self._encryptor = None if password is None else TextEncryptor(password)
        self._descriptor: int | None = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        self.complete = False

    def write(self, data: bytes | memoryview) -> None:
        """Store the next bytes. Raises OSError."""
        self._store(data if self._encryptor is None else self._encryptor.update(bytes(data)))

    def close(self) -> None:
        """The stream is whole. Raises OSError."""
        if self._encryptor is not None:
            self._store(self._encryptor.finish())
        self._release()
        self.complete = True

    def discard(self) -> None:
        """Remove the file unless it was moved; may be repeated."""
        self._release()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _store(self, data: bytes | memoryview) -> None:
        if self._descriptor is None:
            raise OSError(f"The file {self.path} is not open.")
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _release(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)
