# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A certificate that nobody can trust, because it was made a moment ago and is forgotten a moment later.

Python's `ssl` cannot make one; the command line of OpenSSL can, and is on most hosts. It takes some 10 ms.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

from .._client.errors import ClientError
from .._client.identity import Identity, load

SECONDS = 20
_COMMAND = (
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-days", "1",
    "-subj", "/CN=Throw-away of a check",
)  # fmt: skip


@contextlib.contextmanager
def throwaway(program: str = "openssl") -> Iterator[Identity | None]:
    """A throw-away identity while the context lasts; None where none can be made here."""
    found = shutil.which(program)
    if found is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tentacle-verify-") as directory:
        yield _make(found, directory)


def _make(program: str, directory: str) -> Identity | None:
    certificate, key = os.path.join(directory, "certificate.pem"), os.path.join(directory, "key.pem")
    try:
        # The agent runs this too, and has no AnsibleModule whose run_command could be called.
        subprocess.run(  # pylint: disable=ansible-bad-function
            [program, *_COMMAND, "-keyout", key, "-out", certificate],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
        )
        return load(certificate, key)
    except (OSError, subprocess.SubprocessError, ClientError):
        return None
