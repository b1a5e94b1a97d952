# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""iptables and ip6tables: a chain of our own, and one jump to it at the head of INPUT.

The running rules change in one step, by ``iptables-restore --noflush``. Where rules are stored for the next start
(netfilter-persistent, or iptables-services) our lines are put into the stored text; nothing else is saved with them,
because what somebody tries out in the running firewall is not ours to keep.
"""

from __future__ import annotations

from typing import NamedTuple

from .._instance.errors import StorageError
from . import saved_rules
from .base import Backend, Snapshot, refuse_many
from .errors import RuleError
from .host import Host
from .rule import Name, Rule

#: Each packet of the port is compared with each source in turn; beyond this it begins to be felt.
MOST_SOURCES = 1000
# Where rules are stored, for both families, and what shows that they are loaded from there.
_STORES = (
    ("/usr/sbin/netfilter-persistent", "/etc/iptables/rules.v4", "/etc/iptables/rules.v6"),
    ("/usr/libexec/iptables/iptables.init", "/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
)


class Family(NamedTuple):
    """One family's commands and the length of a host's address."""

    program: str
    host_length: int
    stored: str | None


class Iptables(Backend):
    """The rule as a chain, running and stored."""

    word = "iptables"

    def __init__(self, host: Host, name: Name) -> None:
        super().__init__(host, name)
        self._variant = variant_of(host)
        stores = [store for store in _STORES if host.exists(store[0])]
        files: tuple[str | None, str | None] = stores[0][1:] if stores else (None, None)
        self._families = (Family("iptables", 32, files[0]), Family("ip6tables", 128, files[1]))

    def is_there(self) -> bool:
        return self.host.has("iptables")

    def read(self) -> Snapshot:
        found: Snapshot = {}
        for family in self._families:
            found[family.program] = saved_rules.lines_of(self._saved(family), self.name.slug)
            if family.stored:
                stored = self.host.text(family.stored) or ""
                found[family.stored] = saved_rules.lines_of(stored, self.name.slug)
        return found

    def plan(self, rule: Rule) -> Snapshot:
        refuse_many(rule, MOST_SOURCES, "iptables")
        wanted: Snapshot = {}
        for family, sources in zip(self._families, (rule.ipv4, rule.ipv6)):
            if sources and not self.host.has(family.program):
                raise RuleError(
                    f"The sources {', '.join(sources[:3])} need {family.program}, which is not on this host."
                )
            lines = self._lines(rule, family, sources) if sources or rule.deny_others else []
            wanted[family.program] = lines
            if family.stored:
                wanted[family.stored] = lines
        if not self._families[0].stored:
            self.notes.append(
                "Rules of iptables are stored nowhere on this host (no netfilter-persistent): the rule is gone after "
                "the next restart of the host."
            )
        return wanted

    def apply(self, before: Snapshot, after: Snapshot, rule: Rule | None) -> None:
        chain = self.name.slug
        for family in self._families:
            old, new = before.get(family.program, []), after.get(family.program, [])
            if old != new:
                command = self._command(family, "-restore")
                self.host.run([command, "--noflush"], saved_rules.script(old, new, chain))
            if family.stored and before.get(family.stored, []) != after.get(family.stored, []):
                text = self.host.text(family.stored) or ""
                changed = saved_rules.with_lines(text, chain, after.get(family.stored, []))
                self.host.write(family.stored, changed, 0o640 if not text else None)

    def _lines(self, rule: Rule, family: Family, sources: tuple[str, ...]) -> list[str]:
        chain = self.name.slug
        comment = f"-m comment --comment {saved_rules.quoted(self.name.title)}"
        lines = [f"-A INPUT -p tcp -m tcp --dport {rule.port} {comment} -j {chain}"]
        for source in sources:
            length = "" if "/" in source else f"/{family.host_length}"
            address = "" if source.endswith("/0") else f" -s {source}{length}"
            lines.append(f"-A {chain}{address} -j ACCEPT")
        if rule.deny_others:
            lines += [f"-A {chain} -i lo -j ACCEPT", f"-A {chain} -j DROP"]
        return lines

    def _saved(self, family: Family) -> str:
        command = self._command(family, "-save")
        return self.host.run([command, "-t", "filter"]) if self.host.has(command) else ""

    def _command(self, family: Family, ending: str) -> str:
        return f"{family.program}{self._variant}{ending}"


def variant_of(host: Host) -> str:
    """``-legacy`` where the rules are in the old tables while ``iptables`` writes into nftables; else nothing."""
    if not host.has("iptables-legacy-save") or not uses_legacy_tables(host):
        return ""
    legacy = host.run(["iptables-legacy-save", "-t", "filter"])
    current = host.run(["iptables-save", "-t", "filter"]) if host.has("iptables-save") else ""
    return "-legacy" if is_in_use(legacy) and not is_in_use(current) else ""


def uses_legacy_tables(host: Host) -> bool:
    """Whether the kernel holds any of the old tables; asking iptables-legacy otherwise would create them.

    Whoever may not look here, an account without rights in the first place, may not read the tables either.
    """
    try:
        return any((host.text(f"/proc/net/{name}") or "").strip() for name in ("ip_tables_names", "ip6_tables_names"))
    except StorageError:
        return False


def is_in_use(saved: str) -> bool:
    """Whether somebody filters incoming packets with it: a rule in INPUT, or a policy that is not ACCEPT."""
    return any(
        line.startswith("-A INPUT ") or (line.startswith(":INPUT ") and " ACCEPT" not in line)
        for line in saved.splitlines()
    )
