# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""ufw: one ``allow`` for each source, known by its comment.

The rules that ufw keeps in ``user.rules`` and ``user6.rules`` are read there, which works whether ufw is on or off;
they are changed by ufw itself, which also changes the running firewall when it is on. A rule is added at the end: what
the administrator denied before stays denied, and the verdict says so. A rule that somebody else made already for the
same source and port is left alone; ufw knows no second one, so what contradicts such a rule is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from .base import Backend, Snapshot, refuse_many
from .errors import RuleError
from .host import Host
from .rule import Rule

#: ufw starts a Python for each rule, about a quarter of a second.
MOST_SOURCES = 100
_PLACE = "ufw"
_FILES = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")
_EVERYWHERE = frozenset({"0.0.0.0/0", "::/0", "any"})
_TUPLE = re.compile(
    r"### tuple ### (?P<action>\S+) (?P<protocol>\S+) (?P<port>\S+) (?P<to>\S+) (?P<from_port>\S+) (?P<source>\S+)"
    r"(?: \S+ \S+)? (?P<direction>in|out|in_\S+|out_\S+)(?: comment=(?P<comment>[0-9a-f]*))?$",
    re.MULTILINE,
)


class Ufw(Backend):
    """The rule in ufw's list."""

    word = "ufw"

    def is_there(self) -> bool:
        return self.host.has("ufw") and self.host.exists(_FILES[0])

    def read(self) -> Snapshot:
        ours = [line for line, comment in self._rules() if comment == self.name.title]
        return {_PLACE: sorted(set(ours))}

    def plan(self, rule: Rule) -> Snapshot:
        refuse_many(rule, MOST_SOURCES, "ufw")
        if rule.ipv6 and not self._filters_ipv6() and "::/0" not in rule.ipv6:
            raise RuleError(
                "IPv6 sources were given, but ufw does not manage IPv6 on this host (IPV6=no in /etc/default/ufw), so "
                "it cannot hold their rules. Leave them out of 'sources', or switch IPv6 on there."
            )
        foreign = {line for line, comment in self._rules() if comment != self.name.title}
        wanted = [f"allow proto tcp from {source} to any port {rule.port}" for source in self._sources(rule)]
        lines = [line for line in wanted if line not in foreign]
        if len(lines) < len(wanted):
            self.notes.append("A rule of somebody else's allows some of these sources already; it is left alone.")
        if rule.deny_others:
            _refuse_what_is_open(rule.port, foreign)
            lines += {f"deny proto tcp from any to any port {rule.port}"} - foreign
        _refuse_what_would_be_replaced(lines, foreign)
        if not is_on(self.host):
            self.notes.append("ufw is off: its rules are stored, and filter once somebody enables it.")
        return {_PLACE: sorted(lines)}

    def apply(self, before: Snapshot, after: Snapshot, rule: Rule | None) -> None:
        old, new = before.get(_PLACE, []), after.get(_PLACE, [])
        added = [line for line in new if line not in old]
        if added:  # a denial of ours has to stay behind what we allow
            old_denials = [line for line in old if line in new and line.startswith("deny")]
            added += [line for line in old_denials if line not in added]
        else:
            old_denials = []
        for line in [line for line in old if line not in new] + old_denials:
            self.host.run(["ufw", "--force", "delete", *line.split()])
        for line in added:
            self.host.run(["ufw", *line.split(), "comment", self.name.title])

    def _sources(self, rule: Rule) -> list[str]:
        """ufw's ``any`` is both families; there is no word for one of them."""
        if "0.0.0.0/0" in rule.ipv4 and "::/0" in rule.ipv6:
            return ["any"]
        if _EVERYWHERE & set(rule.sources):
            raise RuleError(
                "A source is every address of one family, which ufw has no rule for: its 'any' means both. Give 'any', "
                "or the networks."
            )
        return list(rule.sources)

    def _filters_ipv6(self) -> bool:
        return re.search(r"^IPV6=[\"']?yes\b", self.host.text("/etc/default/ufw") or "", re.MULTILINE) is not None

    def _rules(self) -> list[tuple[str, str]]:
        """Every inbound rule, as the words that make it, with its comment."""
        found = []
        for path in _FILES:
            for match in _TUPLE.finditer(self.host.text(path) or ""):
                if match["direction"].startswith("in"):
                    comment = bytes.fromhex(match["comment"] or "").decode("utf-8", "replace")
                    found.append((_words(match), comment))
        return found


def _refuse_what_is_open(port: int, foreign: Collection[str]) -> None:
    """A denial comes after the rules that are there. Raises RuleError where one of them lets everybody through."""
    for action in ("allow", "limit"):
        for protocol in ("tcp", "any"):
            line = f"{action} proto {protocol} from any to any port {port}"
            if line in foreign:
                raise RuleError(
                    f"Others cannot be kept from port {port}: a rule of somebody else's in ufw lets everybody through "
                    f"({line}), and it comes first. It was made before the sources were known, probably. Remove it "
                    f"with 'ufw delete {line}', or leave 'deny_others' out."
                )


def _refuse_what_would_be_replaced(lines: Iterable[str], foreign: Collection[str]) -> None:
    """ufw has one rule for a source and port, and another replaces it. Raises RuleError for a foreign one."""
    present = {line.partition(" ")[2]: line for line in foreign}
    for line in lines:
        other = present.get(line.partition(" ")[2], line)
        if other != line:
            raise RuleError(
                f"The rule '{line}' cannot be made: somebody else has the rule '{other}' in ufw, which would be "
                "replaced by it. They contradict each other, and which of them counts is the administrator's decision. "
                f"Remove theirs with 'ufw delete {other}', or leave this source out."
            )


def _words(match: re.Match[str]) -> str:
    """A stored rule as the words that delete it."""
    action = match["action"].replace("_", " ")
    interface = match["direction"].partition("_")[2]
    where = f" in on {interface}" if interface else ""
    source = "any" if match["source"] in _EVERYWHERE else match["source"]
    target = "any" if match["to"] in _EVERYWHERE else match["to"]
    port = "" if match["port"] == "any" else f" port {match['port']}"
    return f"{action}{where} proto {match['protocol']} from {source} to {target}{port}"


def is_on(host: Host) -> bool:
    """Whether somebody enabled it, now and for the next start."""
    settings = host.text("/etc/ufw/ufw.conf") or ""
    return re.search(r"^ENABLED=[\"']?yes\b", settings, re.MULTILINE | re.IGNORECASE) is not None
