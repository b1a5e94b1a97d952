# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""nftables: a rule at the head of the chains that filter incoming packets, and two sets beside it.

A table of our own could only deny: an accept in it would not keep another table's chain from dropping. So the accept
goes into the chains of the stored configuration, by one transaction, in the running firewall; and into a file that the
configuration includes, so that it is there again after a reload and a restart (see ``nft_store``). Chains that somebody
else made in the running firewall are left alone: only where nothing is stored are they all there is. A table of our own
is made for ``deny_others`` alone.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from . import nft_rules
from .base import Backend, Snapshot
from .host import Host
from .nft_rules import Document, Ruleset, TableKey
from .nft_store import Store
from .packet_walk import DROP, REJECT
from .rule import Name, Rule, canonical

_OWN_PRIORITY = -10  # before chains of the usual priority, so that others' accepts do not come first
_RUNNING = "running"


class Place(NamedTuple):
    """A chain that our rule goes into."""

    family: str
    table: str
    chain: str

    def __str__(self) -> str:
        return " ".join(self)

    def holds(self, family: str) -> bool:
        return self.family in (family, "inet")


class Nftables(Backend):
    """The rule in the chains of nftables, running and stored."""

    word = "nftables"

    def __init__(self, host: Host, name: Name) -> None:
        super().__init__(host, name)
        self._sets = {"ip": f"{name.identifier}_4", "ip6": f"{name.identifier}_6"}
        self._own = Place("inet", name.identifier, "input")
        self._store = Store(host, name)
        self._chosen: list[Place] = []

    def is_there(self) -> bool:
        return self.host.has("nft")

    def read(self) -> Snapshot:
        return {_RUNNING: self._lines_in(self._running()), **self._store.read()}

    def plan(self, rule: Rule) -> Snapshot:
        running = self._places(self._running())
        stored = self._stored_places(rule, running)
        self._chosen = [place for place in running if place in stored] or running
        self._say_how_it_fits(running, stored)
        lines = sorted(line for place in self._chosen for line in self._lines(rule, place))
        own = self._own_lines(rule) if rule.deny_others else []
        text = self._text(rule, stored)
        return {_RUNNING: lines + own, **(self._store.plan(text) if text else {})}

    def apply(self, before: Snapshot, after: Snapshot, rule: Rule | None) -> None:
        self._store.write({place: lines for place, lines in after.items() if place != _RUNNING})
        if before.get(_RUNNING, []) != after.get(_RUNNING, []):
            self.host.run(["nft", "-f", "-"], "\n".join(self._transaction(rule)) + "\n")

    def _running(self) -> Ruleset:
        return nft_rules.read(json.loads(self.host.run(["nft", "-j", "list", "ruleset"])))

    # Which chains.

    def _places(self, ruleset: Ruleset) -> list[Place]:
        """Chains that filter what comes in, but those of firewalld, and those that only refuse certain addresses."""
        found = []
        for key, chain in nft_rules.base_chains(ruleset, ("input",)):
            place = Place(key[0], key[1], chain["name"])
            if place != self._own and key[1] != "firewalld" and not _refuses_addresses_only(ruleset, key, chain):
                found.append(place)
        return sorted(found)

    def _stored_places(self, rule: Rule, running: list[Place]) -> list[Place]:
        """Chains of the stored configuration. To load it takes seconds where it holds thousands of sources, and is
        left out where our own file has the rule for every chain that runs."""
        named = [Place(*line.split()[2:5]) for line in self._store.lines() if line.startswith("add chain ")]
        named = [place for place in named if place != self._own]
        if named and set(running) <= set(named) and self._store.read() == self._store.plan(self._text(rule, named)):
            return named
        ruleset = self._store.load()
        return running if ruleset is None else self._places(nft_rules.read(ruleset))

    def _say_how_it_fits(self, running: list[Place], stored: list[Place]) -> None:
        if not running and not stored:
            self.notes.append(
                "No chain of nftables filters incoming packets on this host, so there is nothing to open. Run the task "
                "again when there is one."
            )
        elif not running:
            self.notes.append(
                f"nftables holds no rules now; the rule is stored for {_listed(stored)} and comes with the rest of "
                f"{self._store.main}."
            )
        elif not self._store.main:
            self.notes.append("There is no configuration of nftables, so the rule is gone after a restart of the host.")
        elif not set(running) & set(stored):
            self.notes.append(f"No chain is of {self._store.main}, so our rule goes when their maker makes them again.")
        elif left := [place for place in running if place not in stored]:
            self.notes.append(f"{_listed(left)} is not of {self._store.main} and is left alone, whatever it stops.")
        if self._store.main and not self.host.succeeds("systemctl", "--quiet", "is-enabled", "nftables"):
            self.notes.append(f"The service nftables is not enabled, so nothing loads {self._store.main} at a restart.")
        for place in self._chosen:
            self.notes.append(f"The rule stands at the head of the chain {place}.")

    # What is meant, as lines.

    def _lines(self, rule: Rule, place: Place) -> list[str]:
        lines = []
        for family, sources in (("ip", rule.ipv4), ("ip6", rule.ipv6)):
            if sources and place.holds(family):
                lines.append(f"{place}: {family} saddr @{self._sets[family]} tcp dport {rule.port} accept")
                lines.append(f"{place}: {self._sets[family]} = {', '.join(sorted(sources))}")
        return lines

    def _own_lines(self, rule: Rule) -> list[str]:
        return [
            f"{self._own}: tcp dport {rule.port} drop unless from {', '.join([*sorted(rule.ipv4), *sorted(rule.ipv6)])}"
        ]

    def _lines_in(self, ruleset: Ruleset) -> list[str]:
        lines, own = [], []
        for (family, table), chains in ruleset.rules.items():
            for chain, rules in chains.items():
                place = Place(family, table, chain)
                for rule in rules:
                    if rule.get("comment") == self.name.title:
                        lines.append(f"{place}: {_shown(rule['expr'])}")
        for (family, table), sets in ruleset.sets.items():
            for name in self._sets.values():
                if name not in sets:
                    continue
                elements = ", ".join(_elements(sets[name].get("elem", [])))
                if (family, table) == self._own[:2]:
                    own.append(elements)
                else:
                    found = [
                        chain
                        for chain in ruleset.rules.get((family, table), {})
                        if self._has_ours(ruleset, family, table, chain)
                    ]
                    lines += [f"{family} {table} {chain}: {name} = {elements}" for chain in found]
        denials = [line for line in lines if line.startswith(f"{self._own}: ") and line.endswith(" drop")]
        others = sorted(line for line in lines if not line.startswith(f"{self._own}: "))
        return others + [f"{line} unless from {', '.join(part for part in own if part)}" for line in denials]

    def _has_ours(self, ruleset: Ruleset, family: str, table: str, chain: str) -> bool:
        rules = ruleset.rules.get((family, table), {}).get(chain, [])
        return any(rule.get("comment") == self.name.title for rule in rules)

    # How it is changed: in one transaction, so that there is no moment without the rule.

    def _transaction(self, rule: Rule | None) -> list[str]:
        ruleset = self._running()
        new = [line for place in self._chosen for line in self._script(rule, place)] if rule else []
        script = []
        for (family, table), chains in ruleset.rules.items():
            for chain, rules in chains.items() if (family, table) != self._own[:2] else ():
                for found in rules:
                    if found.get("comment") == self.name.title:
                        script.append(f"delete rule {family} {table} {chain} handle {found['handle']}")
        script += new
        for (family, table), sets in ruleset.sets.items():
            for name in self._sets.values() if (family, table) != self._own[:2] else ():
                if name in sets and f"flush set {family} {table} {name}" not in new:
                    script.append(f"delete set {family} {table} {name}")
        if rule and rule.deny_others:
            script += self._own_script(rule)
        elif self._own[:2] in ruleset.chains:
            script.append(f"delete table {self._own.family} {self._own.table}")
        return script

    def _script(self, rule: Rule, place: Place) -> list[str]:
        script = []
        for family, sources in (("ip", rule.ipv4), ("ip6", rule.ipv6)):
            if sources and place.holds(family):
                name = self._sets[family]
                script += _set_script(f"{place.family} {place.table} {name}", family, sources)
                accept = f'tcp dport {rule.port} accept comment "{self.name.title}"'
                script.append(f"insert rule {place} {family} saddr @{name} {accept}")
        return script

    def _own_script(self, rule: Rule) -> list[str]:
        table = f"{self._own.family} {self._own.table}"
        script = [
            f"add table {table}",
            f"add chain {self._own} {{ type filter hook input priority {_OWN_PRIORITY}; policy accept; }}",
            f"flush chain {self._own}",
            f'add rule {self._own} iifname "lo" accept',
        ]
        for family, sources in (("ip", rule.ipv4), ("ip6", rule.ipv6)):
            script += _set_script(f"{table} {self._sets[family]}", family, sources)
            script.append(f"add rule {self._own} {family} saddr @{self._sets[family]} tcp dport {rule.port} accept")
        return [*script, f'add rule {self._own} tcp dport {rule.port} drop comment "{self.name.title}"']

    def _text(self, rule: Rule, places: Sequence[Place]) -> list[str]:
        """The stored lines; the chains are named first, so that the file loads also where one of them has gone."""
        lines = []
        for place in places:
            if self._lines(rule, place):
                lines += [f"add table {place.family} {place.table}", f"add chain {place}", *self._script(rule, place)]
        return lines + (self._own_script(rule) if rule.deny_others else [])


def _refuses_addresses_only(ruleset: Ruleset, key: TableKey, chain: Document) -> bool:
    """Whether all that a chain refuses is named by its source, as programs that ban addresses do it."""
    refusals = [
        statement
        for rules in ruleset.rules.get(key, {}).values()
        for rule in rules
        for statement in [rule["expr"]]
        if any(kind in expression for expression in statement for kind in (DROP, REJECT))
    ]
    return (
        chain.get("policy") != DROP
        and bool(refusals)
        and all('"field": "saddr"' in json.dumps(expressions) for expressions in refusals)
    )


def _set_script(place: str, family: str, sources: Sequence[str]) -> list[str]:
    kind = "ipv4_addr" if family == "ip" else "ipv6_addr"
    script = [f"add set {place} {{ type {kind}; flags interval; }}", f"flush set {place}"]
    return script + ([f"add element {place} {{ {', '.join(sources)} }}"] if sources else [])


def _elements(elements: Sequence[Any]) -> list[str]:
    """A set's addresses as the rule writes them, however nft groups them, sorted as texts."""
    plain, grouped = [], False
    for element in elements:
        bare = element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element
        if isinstance(bare, str):
            plain.append(bare)
        elif "prefix" in bare:
            plain.append(f"{bare['prefix']['addr']}/{bare['prefix']['len']}")
        else:
            first, last = (ipaddress.ip_address(end) for end in bare["range"])
            plain += [str(network) for network in ipaddress.summarize_address_range(first, last)]
            grouped = True
    return sorted(canonical(map(ipaddress.ip_network, plain)) if grouped else plain)


def _shown(expressions: Sequence[Document]) -> str:
    """A rule of ours in nft's words; one that has become something else is shown as it is, and so is replaced."""
    words = []
    for expression in expressions:
        kind, value = next(iter(expression.items()))
        payload = value["left"].get("payload") if kind == "match" and isinstance(value["left"], dict) else None
        if payload and value["op"] == "==":
            words.append(f"{payload['protocol']} {payload['field']} {value['right']}")
        elif kind in ("accept", "drop"):
            words.append(kind)
        else:
            words.append(json.dumps(expression))
    return " ".join(words)


def _listed(places: Iterable[Place]) -> str:
    return ", ".join(str(place) for place in places)
