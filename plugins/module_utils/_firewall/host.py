# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The host whose firewall is read or changed: its commands and its files, and nothing else of it.

Every backend reaches the system through a Host, so that recorded outputs can stand in for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from .._instance.errors import StorageError
from .._instance.files import read, write_atomically
from .errors import CommandError, MissingError

#: Loading a hundred thousand addresses takes a few seconds; what takes longer than this is stuck.
SECONDS = 120
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin"


class Host:
    """Commands and files below ``root``. Commands run without a shell and in the C locale."""

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def has(self, command: str) -> bool:
        return self._found(command) is not None

    def _found(self, command: str) -> str | None:
        return shutil.which(command, path=_PATH)

    def run(self, words: Sequence[str], given: str | None = None) -> str:
        """What the command prints. Raises MissingError, and CommandError when it fails or does not end in time."""
        found = self._found(words[0])
        if found is None:
            raise MissingError(
                f"The command {words[0]} is not on this host, but the firewall that was chosen needs it. Install it, "
                "or choose another 'backend'."
            )
        try:
            # The agent runs this too, and has no AnsibleModule whose run_command could be called.
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                [found, *words[1:]],
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=SECONDS,
                check=False,
                env={"PATH": _PATH, "LC_ALL": "C", "LANG": "C"},
            )
        except subprocess.TimeoutExpired:
            raise CommandError(
                f"'{_shown(words)}' did not end within {SECONDS} seconds. See on the host which lock it waits for."
            ) from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-500:]
            raise CommandError(
                f"'{_shown(words)}' failed with exit code {done.returncode}: {said or 'it said nothing'}. "
                "Run it by hand on the host; as another user than root it cannot work."
            )
        return done.stdout

    def succeeds(self, *words: str) -> bool:
        try:
            self.run(words)
        except (CommandError, MissingError):
            return False
        return True

    def path(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def exists(self, path: str) -> bool:
        return os.path.exists(self.path(path))

    def names(self, directory: str) -> list[str]:
        """Paths of the files in a directory, sorted; none where there is no such directory."""
        try:
            return sorted(os.path.join(directory, name) for name in os.listdir(self.path(directory)))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(directory, error) from error

    def text(self, path: str) -> str | None:
        """The content of a file, or None where there is none."""
        if not self.exists(path):
            return None
        return read(self.path(path)).decode("utf-8", "surrogateescape")

    def write(self, path: str, text: str, mode: int | None = None) -> None:
        """Replace a file in one step; its directory is made where it is missing."""
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        write_atomically(self.path(path), text.encode("utf-8", "surrogateescape"), mode)

    def remove(self, path: str) -> None:
        if self.exists(path):
            os.unlink(self.path(path))

    def remove_directory_if_empty(self, path: str) -> None:
        if os.path.isdir(self.path(path)) and not os.listdir(self.path(path)):
            os.rmdir(self.path(path))


def _shown(words: Sequence[str]) -> str:
    return " ".join(words)[:200]


def _unreadable(path: str, error: OSError) -> StorageError:
    return StorageError(f"The directory {path} could not be read: {error.strerror}. Run the task as root.")
