# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a chain of rules does with a packet, when some of its conditions cannot be told from outside. Pure.

A condition is True, False, or None for *cannot be told*. A rule whose condition is None may decide or not, so both
ways are followed; the answer is every outcome that is possible, each with the rule that brings it about.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional, Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Truth = Optional[bool]

ACCEPT, DROP, REJECT = "accept", "drop", "reject"
JUMP, GOTO, RETURN, NOTHING, ANYTHING = "jump", "goto", "return", "nothing", "anything"
LOOPBACK = "lo"
# What is left to the next rule, or the caller, or the policy.
CONTINUE = "continue"
#: The kernel allows 16 (iptables: 1024 in theory); more is a loop that no kernel would have taken.
_DEEPEST = 64


class Packet(NamedTuple):
    """The first packet of a new TCP connection that arrives here.

    ``interface`` None is one that is not known, but another than the loopback.
    """

    source: Address
    port: int
    interface: str | None = None

    def comes_in_by(self, name: str) -> Truth:
        if self.interface is None:
            return False if name == LOOPBACK else None
        return self.interface.startswith(name[:-1]) if name[-1:] in ("*", "+") else self.interface == name

    @property
    def family(self) -> str:
        return "ip" if self.source.version == 4 else "ip6"


class Step(NamedTuple):
    """One rule, judged for one packet: whether it matches, and what it does then."""

    matches: Truth
    action: str
    target: str
    text: str


Outcomes = dict[str, str]


def outcomes(chains: Mapping[str, Sequence[Step]], begin: str, policy: str, policy_text: str) -> Outcomes:
    """Every possible end of a packet that enters ``begin``: accept, drop or reject, each with its evidence."""
    found = _walk(chains, begin, 0)
    if CONTINUE in found:
        del found[CONTINUE]
        found.setdefault(policy, policy_text)
    return found


def _walk(chains: Mapping[str, Sequence[Step]], name: str, depth: int) -> Outcomes:
    found: Outcomes = {}
    for step in chains.get(name, ()):
        if step.matches is False or step.action == NOTHING:
            continue
        ends = _ends(chains, step, depth)
        for outcome, text in ends.items():
            if outcome != CONTINUE:
                found.setdefault(outcome, text)
        if step.action in (GOTO, RETURN):  # does not come back to the next rule of this chain
            found.update({CONTINUE: ""} if CONTINUE in ends else {})
            left = False
        else:
            left = CONTINUE in ends
        if step.matches and not left:
            return found
    found[CONTINUE] = ""
    return found


def _ends(chains: Mapping[str, Sequence[Step]], step: Step, depth: int) -> Outcomes:
    if step.action in (JUMP, GOTO):
        if depth >= _DEEPEST:
            return {ACCEPT: step.text, DROP: step.text}
        return _walk(chains, step.target, depth + 1)
    if step.action == RETURN:
        return {CONTINUE: ""}
    if step.action == ANYTHING:
        return {ACCEPT: step.text, DROP: step.text, CONTINUE: ""}
    return {step.action: step.text}


def every(truths: Sequence[Truth]) -> Truth:
    """Whether all hold: False beats what cannot be told."""
    if any(truth is False for truth in truths):
        return False
    return None if None in truths else True


def negated(truth: Truth) -> Truth:
    return None if truth is None else not truth
