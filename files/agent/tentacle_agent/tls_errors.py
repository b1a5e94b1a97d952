# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How a TLS connection can fail."""

from __future__ import annotations


class TlsError(Exception):
    """The connection cannot go on; the text says why."""


class Disconnected(TlsError):
    """The peer ended or reset the connection while we needed it."""


class DeadlinePassed(TlsError):
    """The peer did not say or take enough in the time that it has."""


def explain(error: Exception) -> str:
    """OpenSSL's reason in a few words. Its list of errors may be empty."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], (list, tuple)) else error.args
    words = [str(item[-1] if isinstance(item, tuple) else item) for item in reasons]
    return "; ".join(word for word in words if word) or type(error).__name__
