# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The rules of nftables, from ``nft -j list ruleset``, judged for one packet. Pure.

Tables that iptables made in nftables are left out: of their rules nft shows only that they are there, so
``iptables_rules`` judges them from the text of ``iptables-save``.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

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

Document = dict[str, Any]
TableKey = tuple[str, str]

_VERDICTS = (ACCEPT, DROP, REJECT, RETURN)
# Statements that decide nothing.
_PASSING = frozenset({"counter", "log", "notrack", "mangle", "ct helper", "ct timeout", "quota", "flow", "last"})
_IPTABLES_TABLES = frozenset({"filter", "mangle", "raw", "security", "nat"})
_HOOKS = frozenset({"prerouting", "input"})


class Ruleset(NamedTuple):
    """A ruleset by table: its chains, the rules of each chain, and its named sets."""

    chains: dict[TableKey, dict[str, Document]]
    rules: dict[TableKey, dict[str, list[Document]]]
    sets: dict[TableKey, dict[str, Document]]


def read(document: Document) -> Ruleset:
    """What ``nft -j list ruleset`` printed, by table."""
    ruleset = Ruleset({}, {}, {})
    for entry in document.get("nftables", []):
        for kind, found in entry.items():
            if kind not in ("chain", "rule", "set", "map"):
                continue
            key = (found["family"], found["table"])
            if kind == "chain":
                ruleset.chains.setdefault(key, {})[found["name"]] = found
            elif kind == "rule":
                ruleset.rules.setdefault(key, {}).setdefault(found["chain"], []).append(found)
            else:
                ruleset.sets.setdefault(key, {})[found["name"]] = found
    return ruleset


def base_chains(ruleset: Ruleset, hooks: Collection[str] = _HOOKS) -> Iterator[tuple[TableKey, Document]]:
    """Chains of nftables' own that packets to this host pass, with their tables; those that translate are left out."""
    for key, chains in ruleset.chains.items():
        if key[0] in ("ip", "ip6", "inet"):
            for chain in chains.values():
                if chain.get("hook") in hooks and chain.get("type") == "filter" and not is_of_iptables(key, chain):
                    yield key, chain


def is_of_iptables(key: TableKey, chain: Document) -> bool:
    return key[0] in ("ip", "ip6") and key[1] in _IPTABLES_TABLES and chain["name"].isupper()


def judge(ruleset: Ruleset, packet: Packet) -> list[Outcomes]:
    """What each base chain may do with the packet."""
    found = [entry for entry in base_chains(ruleset) if entry[0][0] in ("inet", packet.family)]
    found.sort(key=lambda entry: (entry[1]["hook"] != "prerouting", entry[1]["prio"]))  # as the packet meets them
    return [judge_chain(ruleset, key, chain, packet) for key, chain in found]


def judge_chain(ruleset: Ruleset, key: TableKey, chain: Document, packet: Packet) -> Outcomes:
    place = f"{key[0]} {key[1]}"
    steps = {
        name: [step for rule in rules for step in _steps(rule, packet, ruleset.sets.get(key, {}), place)]
        for name, rules in ruleset.rules.get(key, {}).items()
    }
    policy = chain.get("policy", "accept")
    return outcomes(steps, chain["name"], policy, f"the policy {policy} of the chain {place} {chain['name']} (nft)")


def _steps(rule: Document, packet: Packet, sets: dict[str, Document], place: str) -> Iterator[Step]:
    """One step for a rule, or one for each entry of its verdict map."""
    comment = f" '{rule['comment']}'" if rule.get("comment") else ""
    text = f"rule {rule.get('handle', '?')}{comment} of the chain {place} {rule['chain']} (nft)"
    truths: list[Truth] = []
    for statement in rule.get("expr", []):
        ((kind, value),) = statement.items()
        if kind == "match":
            truths.append(_match(value, packet, sets))
        elif kind == "limit":
            truths.append(None)
        elif kind in _VERDICTS:
            yield Step(every(truths), kind, "", text)
        elif kind in (JUMP, GOTO):
            yield Step(every(truths), kind, value["target"], text)
        elif kind == "vmap":
            yield from _map(value, truths, packet, sets, text)
        elif kind not in _PASSING:
            yield Step(every(truths), ANYTHING, "", text)


def _map(value: Document, truths: list[Truth], packet: Packet, sets: dict[str, Document], text: str) -> Iterator[Step]:
    data = value["data"]
    named = sets.get(data.lstrip("@"), {}).get("elem") if isinstance(data, str) else data.get("set")
    if named is None:
        yield Step(every(truths), ANYTHING, "", text)
        return
    for key, verdict in named:
        ((kind, target),) = verdict.items()
        truth = _match({"op": "==", "left": value["key"], "right": key}, packet, sets)
        action = kind if kind in (*_VERDICTS, JUMP, GOTO) else NOTHING
        yield Step(every([*truths, truth]), action, (target or {}).get("target", ""), text)


def _match(match: Document, packet: Packet, sets: dict[str, Document]) -> Truth:
    known, value = _left(match["left"], packet)
    if not known:
        return None if value is None else False  # False: the packet has no such field at all
    operator = match["op"]
    if operator in ("==", "in", "!="):
        truth = _equals(value, match["right"], sets)
        return negated(truth) if operator == "!=" else truth
    if not isinstance(value, int) or not isinstance(match["right"], int):
        return None
    right = match["right"]
    return {"<": value < right, ">": value > right, "<=": value <= right, ">=": value >= right}.get(operator)


def _left(left: Any, packet: Packet) -> tuple[bool, Any]:
    """``(True, value)`` of the packet; ``(False, None)`` for one that is not known; ``(False, "")`` for no such one."""
    if not isinstance(left, dict):
        return False, None
    kind, value = next(iter(left.items()))
    if kind == "payload":
        return _payload(value.get("protocol"), value.get("field"), packet)
    if kind == "meta":
        return _meta(value["key"], packet)
    if kind == "ct":
        return {"state": (True, "new"), "status": (True, "none"), "direction": (True, "original")}.get(
            value["key"], (False, None)
        )
    if kind == "fib":  # the way back exists, or nothing could be answered anyway; the packet is for this host
        return {"oif": (True, True), "type": (True, "local")}.get(
            value["result"] if value["result"] != "type" or "daddr" in value["flags"] else "", (False, None)
        )
    if kind == "&" and isinstance(value, list) and value[0] == {"payload": {"protocol": "tcp", "field": "flags"}}:
        return True, "syn" if "syn" in json.dumps(value[1]) else 0  # one name, a list, or names joined one by one
    return False, None


def _payload(protocol: str | None, field: str | None, packet: Packet) -> tuple[bool, Any]:
    if protocol in ("ip", "ip6"):
        if protocol != packet.family:
            return False, ""
        if field == "saddr":
            return True, packet.source
        return (True, "tcp") if field in ("protocol", "nexthdr") else (False, None)
    if protocol in ("tcp", "th"):
        if field == "dport":
            return True, packet.port
        return (True, "syn") if field == "flags" else (False, None)
    return (False, None) if protocol is None else (False, "")


def _meta(key: str, packet: Packet) -> tuple[bool, Any]:
    if key in ("iifname", "iif"):
        return True, packet  # compared by its own rule
    version = packet.source.version
    values = {
        "l4proto": "tcp",
        "nfproto": f"ipv{version}",
        "protocol": packet.family,
        "pkttype": "unicast",
        "oifname": "",
        "oif": "",
    }
    return (True, values[key]) if key in values else (False, None)


def _equals(value: Any, right: Any, sets: dict[str, Document]) -> Truth:
    if isinstance(right, str) and right.startswith("@"):
        return _any(value, sets.get(right[1:], {}).get("elem", []), sets)
    if isinstance(right, list):
        return _any(value, right, sets)
    if isinstance(right, dict):
        return _equals_structure(value, right, sets)
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return _same_address(value, right)
    if isinstance(value, Packet):
        return value.comes_in_by(str(right))
    if value == "unicast":
        return right in ("unicast", "host")
    return bool(value == right)


def _equals_structure(value: Any, right: Document, sets: dict[str, Document]) -> Truth:
    kind, content = next(iter(right.items()))
    if kind == "set":
        return _any(value, content if isinstance(content, list) else [content], sets)
    if kind == "elem":
        return _equals(value, content["val"], sets)
    if kind == "|":
        return _any(value, content, sets)
    if kind == "prefix" and isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        network = ipaddress.ip_network(f"{content['addr']}/{content['len']}", strict=False)
        return value.version == network.version and value in network
    if kind == "range":
        return _within(value, content)
    return None


def _any(value: Any, entries: Iterable[Any], sets: dict[str, Document]) -> Truth:
    truths = [_equals(value, entry, sets) for entry in entries]
    return True if True in truths else None if None in truths else False


def _same_address(value: Any, right: Any) -> Truth:
    try:
        return bool(value == ipaddress.ip_address(right))
    except ValueError:
        return None


def _within(value: Any, ends: list[Any]) -> Truth:
    if isinstance(value, int):
        return all(isinstance(end, int) for end in ends) and ends[0] <= value <= ends[1]
    try:
        first, last = (ipaddress.ip_address(end) for end in ends)
    except ValueError:
        return None
    return bool(value.version == first.version and first <= value <= last)
