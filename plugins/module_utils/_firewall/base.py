# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What all backends have in common: read what is ours, plan what shall be, apply the difference, say how it stands.

A Snapshot holds our lines alone, by the place where they are (a file, a chain of the running firewall, a zone).
``read`` and ``plan`` give the same text for the same meaning, so that a change is any difference between the two, and
a diff is the two side by side. Nothing that is not ours is ever in a snapshot, and so is never touched.
"""

from __future__ import annotations

import abc

from .errors import RuleError
from .host import Host
from .rule import Name, Rule

Snapshot = dict[str, list[str]]


class Backend(abc.ABC):
    """One kind of firewall on one host, for the rule of one name."""

    word: str

    def __init__(self, host: Host, name: Name) -> None:
        self.host = host
        self.name = name
        #: Sentences that the user has to know, gathered on the way.
        self.notes: list[str] = []

    @abc.abstractmethod
    def is_there(self) -> bool:
        """Whether its programs are installed, so that it can be read."""

    @abc.abstractmethod
    def read(self) -> Snapshot:
        """Everything of ours that there is now, running or stored."""

    @abc.abstractmethod
    def plan(self, rule: Rule) -> Snapshot:
        """What ``read`` shall give. Raises RuleError for a rule that this firewall cannot hold."""

    @abc.abstractmethod
    def apply(self, before: Snapshot, after: Snapshot, rule: Rule | None) -> None:
        """Make ``after`` of ``before``, what is ours and nothing else. ``rule`` None removes."""


def changes(before: Snapshot, after: Snapshot) -> bool:
    return filled(before) != filled(after)


def filled(snapshot: Snapshot) -> Snapshot:
    """Without the places where nothing is."""
    return {place: lines for place, lines in snapshot.items() if lines}


def refuse_many(rule: Rule, most: int, firewall: str) -> None:
    """Raises RuleError where every source is a rule of its own and there are too many of them."""
    if len(rule.sources) > most:
        raise RuleError(
            f"{len(rule.sources)} sources were given, and {firewall} holds each as a rule of its own, without sets: "
            f"{most} are the most that is sensible. Write them as networks, or filter with nftables or firewalld, "
            "which keep sources in sets."
        )
