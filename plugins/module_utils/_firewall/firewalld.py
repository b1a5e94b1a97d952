# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""firewalld: in one zone, a rich rule for each family that allows a set of addresses, which carries our name.

Rich rules have no name and sets have one, so the sources always lie in the sets ``tentacle-...-4`` and ``-6``: that
makes our rules ours, and ten thousand sources are one rule. What is stored is read from firewalld's files and changed
with ``firewall-cmd --permanent``, or ``firewall-offline-cmd`` while it does not run.

firewalld learns a new set only when it is reloaded, and a reload throws away what others added to the running firewall
alone. So, until somebody reloads it, the running firewall gets a rule for each address instead, with the same meaning.
Where there are too many addresses for that, ``reload`` must be asked for.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from .base import Backend, Snapshot
from .errors import RuleError
from .host import Host
from .rule import Name, Rule, halves

#: Each rule for a single address costs firewalld some 50 ms.
MOST_SINGLE_RULES = 64
_DIRECTORY = "/etc/firewalld"
_BUS = "org.fedoraproject.FirewallD1"
_STORED, _RUNNING = "stored", "running"


class Firewalld(Backend):
    """The rule in a zone of firewalld."""

    word = "firewalld"

    def __init__(self, host: Host, name: Name, zone: str | None = None, reload: bool = False) -> None:
        super().__init__(host, name)
        self._sets = {"ipv4": f"{name.slug}-4", "ipv6": f"{name.slug}-6"}
        self._reload = reload
        self.is_on = host.has("busctl") and host.succeeds("systemctl", "--quiet", "is-active", "firewalld")
        self._zone = zone or self._default_zone()

    def is_there(self) -> bool:
        return self.host.has("firewall-offline-cmd") and self.host.exists(_DIRECTORY)

    def read(self) -> Snapshot:
        found = {_STORED: self._stored()}
        if self.is_on:
            found[_RUNNING] = self._running(found[_STORED])
        return found

    def plan(self, rule: Rule) -> Snapshot:
        stored = self._wanted(rule)
        wanted = {_STORED: stored}
        if not self.is_on:
            self.notes.append("firewalld does not run: the rule is stored, and filters once somebody starts it.")
            return wanted
        learned = set(self._ask("ipset", "getIPSets")) >= self._sets_of(rule)
        if learned or self._reload:
            wanted[_RUNNING] = stored
        elif len(rule.sources) <= MOST_SINGLE_RULES:
            wanted[_RUNNING] = self._single_rules(rule)
        else:
            raise RuleError(
                f"{len(rule.sources)} sources need a set, and firewalld knows a new set only after a reload, which "
                "ends what others changed in the running firewall without storing it. Say 'reload: true' if nothing is "
                "lost by it."
            )
        return wanted

    def apply(self, before: Snapshot, after: Snapshot, rule: Rule | None) -> None:
        old, new = set(before.get(_STORED, [])), set(after.get(_STORED, []))
        if old != new:
            self._store(old, new)
        if not self.is_on or before.get(_RUNNING, []) == after.get(_RUNNING, []):
            return
        if self._reload and after.get(_RUNNING) and not set(self._ask("ipset", "getIPSets")) >= self._named(new):
            self.host.run(["firewall-cmd", "--reload"])
        else:
            self._run_with(set(before.get(_RUNNING, [])), set(after.get(_RUNNING, [])))

    # What is meant, as lines: "set NAME", "set NAME ENTRY", "zone ZONE rule ...".

    def _wanted(self, rule: Rule) -> list[str]:
        lines = []
        for family, sources in (("ipv4", rule.ipv4), ("ipv6", rule.ipv6)):
            if sources or rule.deny_others:
                name = self._sets[family]
                lines += [f"set {name}", *(f"set {name} {entry}" for entry in halves(sources))]
                first = 'priority="-10" ' if rule.deny_others else ""
                lines.append(self._line(f'{first}family="{family}" source ipset="{name}"', rule.port, "accept"))
                if rule.deny_others:
                    where = f'priority="-9" family="{family}" source NOT ipset="{name}"'
                    lines.append(self._line(where, rule.port, "drop"))
        return sorted(lines)

    def _single_rules(self, rule: Rule) -> list[str]:
        lines = []
        for family, sources in (("ipv4", rule.ipv4), ("ipv6", rule.ipv6)):
            first = 'priority="-10" ' if rule.deny_others else ""
            for entry in halves(sources):
                lines.append(self._line(f'{first}family="{family}" source address="{entry}"', rule.port, "accept"))
            if rule.deny_others:
                lines.append(self._line(f'priority="-9" family="{family}"', rule.port, "drop"))
        return sorted(lines)

    def _line(self, where: str, port: int, verdict: str) -> str:
        return f'zone {self._zone} rule {where} port port="{port}" protocol="tcp" {verdict}'

    def _sets_of(self, rule: Rule) -> set[str]:
        return self._named(self._wanted(rule))

    @staticmethod
    def _named(lines: Iterable[str]) -> set[str]:
        return {line.split()[1] for line in lines if line.startswith("set ")}

    # What there is.

    def _stored(self) -> list[str]:
        lines = []
        for name in self._sets.values():
            document = self._xml(f"{_DIRECTORY}/ipsets/{name}.xml")
            if document is not None:
                lines += [f"set {name}", *(f"set {name} {entry.text}" for entry in document.iter("entry"))]
        for path in self.host.names(f"{_DIRECTORY}/zones"):
            document = self._xml(path) if path.endswith(".xml") else None
            if document is not None:
                zone = path.rpartition("/")[2][: -len(".xml")]
                rules = [_rule_of(element) for element in document.iter("rule")]
                lines += [f"zone {zone} {rule}" for rule in rules if self._is_ours(rule)]
        return sorted(lines)

    def _is_ours(self, rule: str) -> bool:
        return any(f'ipset="{name}"' in rule for name in self._sets.values())

    def _running(self, stored: list[str]) -> list[str]:
        """Ours among the running rules: those with our sets, and the single ones that stand for what is stored.

        A set that no rule uses is left out: firewalld forgets it with the next reload, and it filters nothing.
        """
        singles = self._singles_of(stored)
        lines = []
        for zone in sorted({self._zone} | {line.split()[1] for line in stored if line.startswith("zone ")}):
            for rule in self._ask("zone", "getRichRules", zone):
                if self._is_ours(rule) or f"zone {zone} {rule}" in singles:
                    lines.append(f"zone {zone} {rule}")
        for name in self._sets.values():
            if any(f'ipset="{name}"' in line for line in lines):
                lines += [f"set {name}", *(f"set {name} {entry}" for entry in self._ask("ipset", "getEntries", name))]
        return sorted(lines)

    def _singles_of(self, stored: list[str]) -> set[str]:
        """The single rules that ``apply`` made in the running firewall for what was stored with them."""
        entries: dict[str, list[str]] = {}
        for line in stored:
            if re.match(r"set \S+ \S", line):
                entries.setdefault(line.split()[1], []).append(line.split()[2])
        singles = set()
        for line in stored:
            match = re.search(r' source (NOT )?ipset="([^"]+)"', line)
            if match and match[1]:
                singles.add(line.replace(match[0], ""))
            elif match:
                for entry in entries.get(match[2], []):
                    singles.add(line.replace(match[0], f' source address="{entry}"'))
        return singles

    # How it is changed: rules that go, then sets, then rules that come.

    def _store(self, old: set[str], new: set[str]) -> None:
        self._store_rules("--remove-rich-rule=", old - new)
        for name in sorted(self._named(old | new)):
            if f"set {name}" in new:
                self._store_set(name, old, new)
            else:
                self._command(f"--delete-ipset={name}")
                self.host.remove(f"{_DIRECTORY}/ipsets/{name}.xml.old")  # firewalld's copy of what it deletes
        self._store_rules("--add-rich-rule=", new - old)

    def _store_rules(self, option: str, lines: Iterable[str]) -> None:
        rules = [line.split(" ", 2)[1:] for line in sorted(lines) if line.startswith("zone ")]
        for zone in sorted({zone for zone, _rule in rules}):
            self._command(f"--zone={zone}", *(option + rule for place, rule in rules if place == zone))

    def _store_set(self, name: str, old: set[str], new: set[str]) -> None:
        if f"set {name}" not in old:
            family = ["--option=family=inet6"] if name.endswith("-6") else []
            self._command(f"--new-ipset={name}", "--type=hash:net", *family)
        for option, lines in (("--remove-entries", old - new), ("--add-entries", new - old)):
            entries = _entries(name, lines)
            if entries:
                with tempfile.NamedTemporaryFile("w", prefix="tentacle-firewall-") as file:
                    file.write("\n".join(entries) + "\n")
                    file.flush()
                    self._command(f"--ipset={name}", f"{option}-from-file={file.name}")

    def _command(self, *words: str) -> None:
        if self.is_on:
            self.host.run(["firewall-cmd", "--quiet", "--permanent", *words])
        else:
            self.host.run(["firewall-offline-cmd", "--quiet", *words])

    def _run_with(self, old: set[str], new: set[str]) -> None:
        for line in sorted(line for line in old - new if line.startswith("zone ")):
            self._ask("zone", "removeRichRule", *line.split(" ", 2)[1:])
        for name in sorted(self._named(new)):
            there = set(self._ask("ipset", "getEntries", name))
            wanted = set(_entries(name, new))
            for method, entries in (("removeEntry", there - wanted), ("addEntry", wanted - there)):
                for entry in sorted(entries) if len(entries) <= MOST_SINGLE_RULES else ():
                    self._ask("ipset", method, name, entry)
            if len(there ^ wanted) > MOST_SINGLE_RULES:
                self._call("ipset", "setEntries", "sas", name, str(len(wanted)), *sorted(wanted))
        for line in sorted(line for line in new - old if line.startswith("zone ")):
            self._call("zone", "addRichRule", "ssi", *line.split(" ", 2)[1:], "0")

    def _ask(self, interface: str, method: str, *arguments: str) -> Sequence[str]:
        found: Sequence[str] = self._call(interface, method, "s" * len(arguments), *arguments)
        return found

    def _call(self, interface: str, method: str, signature: str, *arguments: str) -> Any:
        """Ask the running firewalld by its bus: a hundred times as fast as its own command."""
        path = "/" + _BUS.replace(".", "/")
        words = ["busctl", "--json=short", "call", _BUS, path, f"{_BUS}.{interface}", method]
        answer = self.host.run([*words, *([signature] if signature else []), *arguments])
        return json.loads(answer)["data"][0] if answer.strip() else ()

    def _default_zone(self) -> str:
        settings = self.host.text(f"{_DIRECTORY}/firewalld.conf") or ""
        found = re.search(r"^DefaultZone=(\S+)", settings, re.MULTILINE)
        return found[1] if found else "public"

    def _xml(self, path: str) -> ElementTree.Element | None:
        text = self.host.text(path)
        return None if text is None else ElementTree.fromstring(text)


def _entries(name: str, lines: Iterable[str]) -> list[str]:
    return [line.split()[2] for line in sorted(lines) if line.startswith(f"set {name} ")]


def _rule_of(element: ElementTree.Element) -> str:
    """A stored rule as firewalld prints it, as far as our own rules go."""
    words = ["rule"]
    if element.get("priority", "0") != "0":
        words.append(f'priority="{element.get("priority")}"')
    if element.get("family"):
        words.append(f'family="{element.get("family")}"')
    for child in element:
        if child.tag == "source":
            inverted = (child.get("invert") or "").lower() in ("true", "yes")
            words.append("source NOT" if inverted else "source")
        elif child.tag != "port":
            words.append(child.tag)
            continue
        else:
            words.append("port")
        words += [f'{key}="{value}"' for key, value in child.attrib.items() if key != "invert"]
    return " ".join(words)
