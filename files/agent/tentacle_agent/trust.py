# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whom we trust, right now (docs/protocol/tentacle-services.md §6).

The set of trusted thumbprints is never changed, only replaced as a whole. A session asks when it has read the hello and
again at each request; sessions whose certificate is no longer trusted are cut the moment the set is replaced, by a
reset, as the original does (docs/protocol/halibut-wire.md §1.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from module_utils._halibut import thumbprint

Pins = frozenset[str]


class Cuttable(Protocol):
    """A session as far as trust is concerned."""

    certificate: bytes

    def cut(self) -> None:
        """End at once; called from another thread."""


class Trust:
    """The set of trusted thumbprints and the sessions that live by it. Thumbprints are normalised, SHA-1 or SHA-256."""

    def __init__(self, pins: Iterable[str] = ()) -> None:
        self.pins: Pins = frozenset(pins)
        self._sessions: set[Cuttable] = set()  # each change and each copy of it is whole by itself: see listener.py

    def replace(self, pins: Iterable[str]) -> int:
        """Trust exactly these from now on, and cut the sessions that lost their trust; their number is returned."""
        self.pins = frozenset(pins)
        lost = [session for session in self.sessions() if not self.trusts(session.certificate)]
        for session in lost:
            session.cut()
        return len(lost)

    def trusts(self, certificate: bytes) -> bool:
        """Whether the certificate (DER) has a trusted thumbprint."""
        return thumbprint.matches(certificate, self.pins) is not None

    def enter(self, session: Cuttable) -> None:
        """Count a session among those that live by this set."""
        self._sessions.add(session)

    def leave(self, session: Cuttable) -> None:
        """The session is over."""
        self._sessions.discard(session)

    def sessions(self) -> list[Cuttable]:
        """The sessions that are there."""
        return list(self._sessions)
