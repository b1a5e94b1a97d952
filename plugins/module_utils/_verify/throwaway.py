# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A certificate that nobody can trust, because it was made a moment ago and is forgotten a moment later.

Python's `ssl` cannot make one; the command line of OpenSSL can, and is on most hosts. It takes some 10 ms, which go by
while the first steps of a check are taken.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Optional

from .._client.errors import ClientError
from .._client.identity import Identity, load

SECONDS = 20
_COMMAND = (
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-days", "1",
    "-subj", "/CN=Throw-away of a check",
)  # fmt: skip

Impostor = Callable[[], Optional[Identity]]
"""Waits for a throw-away identity; None where none could be made. May be called by many threads."""


@contextlib.contextmanager
def throwaway(program: str = "openssl") -> Iterator[Impostor | None]:
    """Begin to make a throw-away identity, which can be used while the context lasts; None where none can be made."""
    found = shutil.which(program)
    if found is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tentacle-verify-") as directory:
        certificate, key = os.path.join(directory, "certificate.pem"), os.path.join(directory, "key.pem")
        try:
            # The agent runs this too, and has no AnsibleModule whose run_command could be called.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                [found, *_COMMAND, "-keyout", key, "-out", certificate],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # says nothing, but its end can be waited for
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            yield None
            return
        with process:
            try:
                yield _once(lambda: _collect(process, certificate, key))
            finally:
                process.kill()  # where nobody has asked for it


def _once(make: Impostor) -> Impostor:
    lock = threading.Lock()
    made: list[Identity | None] = []

    def give() -> Identity | None:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return give


def _collect(process: subprocess.Popen[bytes], certificate: str, key: str) -> Identity | None:
    try:
        process.communicate(timeout=SECONDS)
        return load(certificate, key) if process.returncode == 0 else None
    except (subprocess.SubprocessError, ClientError):
        return None
