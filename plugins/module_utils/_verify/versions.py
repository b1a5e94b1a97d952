# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The step `tls_versions`: each TLS version that a Tentacle may speak, tried on a connection of its own."""

from __future__ import annotations

import ssl

from .._client import failures, transport
from .._client.errors import ClientError
from .result import FAILED, Result, Stopwatch
from .way import Way

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_WORDS = {True: "is spoken", False: "is refused", None: "could not be tried"}


def probe(result: Result, way: Way) -> None:
    """Which versions are spoken: True, False, or None where the answer says neither."""
    with Stopwatch(result, "tls_versions") as step:
        found = {name: _speaks(way, version) for name, version in VERSIONS.items()}
        result.facts.tls_versions = found
        step.evidence = ", ".join(f"{name} {_WORDS[spoken]}" for name, spoken in found.items()) + "."
        if None in found.values():
            step.status = FAILED


def _speaks(way: Way, version: ssl.TLSVersion) -> bool | None:
    try:
        way.stream(only=version).close()
    except transport.HandshakeError as error:
        return False if failures.is_no_common(error.error) else None
    except (ClientError, OSError):
        return None
    return True
