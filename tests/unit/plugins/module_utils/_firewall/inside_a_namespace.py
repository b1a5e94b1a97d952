"""What `test_namespace` runs below `unshare -Urnm`: the real nft and iptables, on a network that is nobody's.

``/etc`` and ``/run`` are empty here, and end with the namespace.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[5] / "plugins"))

from module_utils import _firewall_rule
from module_utils._firewall import rule, verdict
from module_utils._firewall.host import Host

NAME = rule.name_of("Tentacle")
LISTED = ["10.9.0.0/16", "192.0.2.1", "2001:db8::/64"]
# More do not fit into one message to the kernel without root's rights outside; booted hosts take ten thousand.
MANY = [f"10.{number % 250}.{number // 250}.{1 + number % 250}" for number in range(1000)]
TABLE = """
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iifname "lo" accept
    tcp dport 22 accept
  }
}
"""


def shell(command: str, given: str | None = None) -> str:
    return subprocess.run(command, shell=True, check=True, text=True, input=given, stdout=subprocess.PIPE).stdout


def wish(host: Host, word: str, *sources: str, check: bool = False, port: int = 10933, deny: bool = False) -> bool:
    wanted = rule.make(NAME, port, sources, deny) if sources else None
    return _firewall_rule.fulfil(_firewall_rule.Wish(NAME, wanted, word, True, check), host)["changed"]


def words(host: Host, port: int, *addresses: str) -> list[str]:
    return [verdict.judge(address, port, host).word for address in addresses]


def nftables(host: Host) -> None:
    shell("nft -f -", TABLE)
    host.write("/etc/nftables.conf", f"flush ruleset\n{TABLE}")
    before = shell("nft list ruleset"), host.text("/etc/nftables.conf")
    lived_through(host, "nftables", before, lambda: (shell("nft list ruleset"), host.text("/etc/nftables.conf")))
    assert wish(host, "nftables", *LISTED)
    shell(f"nft -f {host.path('/etc/nftables.conf')}")  # a reload
    assert not wish(host, "nftables", *LISTED)
    assert words(host, 10933, "192.0.2.1", "192.0.2.2") == ["accept", "drop"]
    shell("nft add table inet elsewhere")
    shell("nft add chain inet elsewhere guard '{ type filter hook input priority 50; }'")
    shell("nft add rule inet elsewhere guard tcp dport 10933 drop")
    assert words(host, 10933, "192.0.2.1") == ["drop"]
    assert not wish(host, "nftables", *LISTED)  # somebody else's chain is left alone
    shell("nft delete table inet elsewhere")
    assert wish(host, "nftables", *MANY)
    assert not wish(host, "nftables", *MANY)


def iptables(host: Host) -> None:
    for program in ("iptables", "ip6tables"):
        shell(f"{program} -P INPUT DROP; {program} -A INPUT -p tcp --dport 22 -j ACCEPT; {program} -A INPUT -j REJECT")
    state = "for i in iptables ip6tables; do $i-save | grep -v '^#'; done"
    lived_through(host, "iptables", shell(state), lambda: shell(state))


def lived_through(host: Host, word: str, before: object, now: object) -> None:
    """Check, apply, apply, check; the port moved, others denied, removed: and then as it was before."""
    assert words(host, 10933, "10.9.1.1", "2001:db8::1")[0] in ("drop", "reject")
    assert wish(host, word, *LISTED, check=True)
    assert now() == before
    assert wish(host, word, *LISTED)
    assert not wish(host, word, *LISTED)
    assert not wish(host, word, *LISTED, check=True)
    assert words(host, 10933, "10.9.1.1", "192.0.2.1", "2001:db8::1") == ["accept"] * 3
    assert not {"accept", "unknown"} & set(words(host, 10933, "192.0.2.2", "2001:db8:1::1"))
    assert wish(host, word, *LISTED, port=10944)
    assert words(host, 10944, "192.0.2.1") == ["accept"]
    assert words(host, 10933, "192.0.2.1") != ["accept"]
    assert wish(host, word, *LISTED, deny=True)
    assert not wish(host, word, *LISTED, deny=True)
    assert words(host, 10933, "192.0.2.1", "192.0.2.2", "127.0.0.1") == ["accept", "drop", "accept"]
    assert wish(host, word)
    assert not wish(host, word)
    assert now() == before


if __name__ == "__main__":
    {"nftables": nftables, "iptables": iptables}[sys.argv[1]](Host())
