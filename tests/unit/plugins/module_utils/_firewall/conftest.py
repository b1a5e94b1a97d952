"""A host of one Debian generation, played from what its own programs printed (see ``data``)."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import pytest

from module_utils._firewall.errors import CommandError
from module_utils._firewall.host import Host

DATA = pathlib.Path(__file__).with_name("data")
GENERATIONS = ("bullseye", "bookworm", "trixie")


class RecordedHost(Host):
    """Files below ``root``; commands answer from a table, by their words. ``ran`` is what was called beyond it."""

    def __init__(self, root: pathlib.Path, generation: str) -> None:
        super().__init__(str(root))
        self._data = DATA / generation
        self.answers: dict[str, str] = {}
        self.ran: list[str] = []
        self.installed: set[str] = set()
        self.failing: set[str] = set()

    def recorded(self, name: str) -> str:
        return (self._data / name).read_text(encoding="utf-8")

    def put(self, path: str, name: str) -> None:
        self.write(path, self.recorded(name))

    def has(self, command: str) -> bool:
        return command in self.installed

    def run(self, words: Sequence[str], given: str | None = None) -> str:
        line = " ".join(words)
        if line in self.failing:
            raise CommandError(f"'{line}' failed")
        if line not in self.answers:
            self.ran.append(line)
        return self.answers.get(line, "")

    def with_ufw(self, is_on: bool = True) -> None:
        self.installed |= {"ufw", "iptables-save", "ip6tables-save"}
        self.put("/etc/ufw/user.rules", "ufw.user.rules")
        self.put("/etc/ufw/user6.rules", "ufw.user6.rules")
        self.write("/etc/ufw/ufw.conf", f"ENABLED={'yes' if is_on else 'no'}\nLOGLEVEL=low\n")
        self.write("/etc/default/ufw", "IPV6=yes\n")
        self.failing |= {"systemctl --quiet is-active firewalld", "systemctl --quiet is-enabled nftables"}
        for program in ("iptables", "ip6tables"):
            saved = self.recorded(f"ufw.{program}-save") if is_on else ""
            self.answers[f"{program}-save"] = self.answers[f"{program}-save -t filter"] = saved

    def with_nftables(self) -> None:
        self.installed |= {"nft"}
        self.failing |= {"systemctl --quiet is-active firewalld"}
        self.answers["nft -j list ruleset"] = self.recorded("nftables.nft.json")
        self.put("/etc/nftables.d/tentacle-tentacle.nft", "nftables.include")
        line = 'include "/etc/nftables.d/tentacle-tentacle.nft" # Octopus Tentacle: Tentacle'
        self.write("/etc/nftables.conf", f"flush ruleset\ntable inet filter {{}}\n{line}\n")

    def with_firewalld(self, runs: bool = True) -> None:
        self.installed |= {"firewall-cmd", "firewall-offline-cmd", "busctl", "nft"}
        if not runs:
            self.failing.add("systemctl --quiet is-active firewalld")
        self.write("/etc/firewalld/firewalld.conf", "# the default\nDefaultZone=public\n")
        self.put("/etc/firewalld/zones/public.xml", "firewalld.zone.xml")
        for family in "46":
            self.put(f"/etc/firewalld/ipsets/tentacle-tentacle-{family}.xml", f"firewalld.set-{family}.xml")
        rules, entries_4, entries_6, sets = self.recorded("firewalld.bus.json").splitlines()
        call = (
            "busctl --json=short call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 "
            "org.fedoraproject.FirewallD1"
        )
        self.answers |= {
            f"{call}.zone getRichRules s public": rules,
            f"{call}.ipset getEntries s tentacle-tentacle-4": entries_4,
            f"{call}.ipset getEntries s tentacle-tentacle-6": entries_6,
            f"{call}.ipset getIPSets": sets,
            "nft -j list ruleset": self.recorded("firewalld.nft.json"),
        }


@pytest.fixture(params=GENERATIONS)
def host(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> RecordedHost:
    return RecordedHost(tmp_path, request.param)
