# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The rules of iptables, from the text of ``iptables-save``, judged for one packet. Pure."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable

from .packet_walk import (
    ACCEPT,
    ANYTHING,
    DROP,
    GOTO,
    JUMP,
    NOTHING,
    REJECT,
    RETURN,
    Outcomes,
    Packet,
    Step,
    Truth,
    every,
    negated,
    outcomes,
)

_VERDICTS = {"ACCEPT": ACCEPT, "DROP": DROP, "REJECT": REJECT, "RETURN": RETURN}
# Targets after which the next rule is looked at.
_PASSING = frozenset(
    {"LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "CONNSECMARK", "SECMARK", "TCPMSS", "NOTRACK", "CT", "AUDIT", "TOS"}
    | {"DSCP", "CLASSIFY", "SET", "TTL", "HL", "TRACE"}
)
_HOOKS = ("PREROUTING", "INPUT")


def judge(saved: str, packet: Packet, program: str) -> list[Outcomes]:
    """What each table of ``saved`` may do with the packet where it arrives and is delivered."""
    found = []
    for table, text in re.findall(r"^\*(\w+)\n(.*?)^COMMIT$", saved, re.MULTILINE | re.DOTALL):
        chains, policies = _table(text, packet, f"{program} table {table}")
        for hook in _HOOKS if table != "nat" else ():
            if hook in policies:
                policy = _VERDICTS.get(policies[hook], ACCEPT)
                text_of_policy = f"the policy {policies[hook]} of the chain {hook} ({program})"
                found.append(outcomes(chains, hook, policy, text_of_policy))
    return found


def _table(text: str, packet: Packet, place: str) -> tuple[dict[str, list[Step]], dict[str, str]]:
    chains: dict[str, list[Step]] = {}
    policies: dict[str, str] = {}
    lines = text.splitlines()
    for line in lines:
        if line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chains[name] = []
            if policy != "-":
                policies[name] = policy
    for line in lines:
        bare = re.sub(r"^\[\d+:\d+\] ", "", line)
        if bare.startswith("-A "):
            words = shlex.split(bare)
            chains.setdefault(words[1], []).append(_step(words[2:], packet, chains, f"the rule '{bare}' ({place})"))
    return chains, policies


def _step(words: list[str], packet: Packet, chains: dict[str, list[Step]], text: str) -> Step:
    truths: list[Truth] = []
    action, target = NOTHING, ""
    at = 0
    while at < len(words):
        inverted = words[at] == "!"
        at += inverted
        option = words[at]
        at += 1
        begin = at
        while at < len(words) and not words[at].startswith(("-", "!")):
            at += 1
        value = " ".join(words[begin:at])
        if option in ("-j", "-g"):
            action, target = _action(option, value, chains)
            break  # what follows belongs to the target
        truth = _truth(option, value, packet)
        truths.append(negated(truth) if inverted else truth)
    return Step(every(truths), action, target, text)


def _action(option: str, target: str, chains: dict[str, list[Step]]) -> tuple[str, str]:
    if target in _VERDICTS:
        return _VERDICTS[target], ""
    if target in chains:
        return (GOTO if option == "-g" else JUMP), target
    return (NOTHING if target in _PASSING else ANYTHING), ""


def _truth(option: str, value: str, packet: Packet) -> Truth:
    judge_one = _JUDGES.get(option)
    return judge_one(value, packet) if judge_one else None


def _source(value: str, packet: Packet) -> Truth:
    network = ipaddress.ip_network(value, strict=False)
    return packet.source.version == network.version and packet.source in network


def _ports(value: str, packet: Packet) -> Truth:
    for part in value.split(","):
        first, _colon, last = part.partition(":")
        if int(first or 0) <= packet.port <= int((last or first) if _colon == "" else (last or 65535)):
            return True
    return False


def _state(value: str, _packet: Packet) -> Truth:
    return "NEW" in value.split(",")


_JUDGES: dict[str, Callable[[str, Packet], Truth]] = {
    "-s": _source,
    "-p": lambda value, _packet: value in ("tcp", "6", "all"),
    "-m": lambda _value, _packet: True,
    "-i": lambda value, packet: packet.comes_in_by(value),
    "--dport": _ports,
    "--dports": _ports,
    "--ports": lambda value, packet: True if _ports(value, packet) else None,
    "--ctstate": _state,
    "--state": _state,
    "--comment": lambda _value, _packet: True,
    "--dst-type": lambda value, _packet: "LOCAL" in value.split(","),
    "--src-type": lambda value, _packet: None if "LOCAL" in value else False,
    "--tcp-flags": lambda value, _packet: _syn_alone(value),
    "--syn": lambda _value, _packet: True,
    "--rt-type": lambda _value, _packet: False,  # a routing header, which no new connection has
    "--pkt-type": lambda value, _packet: value == "unicast",
}


def _syn_alone(value: str) -> Truth:
    """Whether a first packet, which has the flag SYN alone, passes ``MASK WANTED``."""
    mask, wanted = (set() if text == "NONE" else set(text.split(",")) for text in value.split())
    every_flag = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"}
    mask, wanted = (every_flag if "ALL" in flags else flags for flags in (mask, wanted))
    return mask & {"SYN"} == wanted
