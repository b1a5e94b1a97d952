"""The verdict over whole rulesets, as three Debian generations print them, and over rules that are made up."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import RecordedHost

from module_utils._firewall import iptables_rules, nft_rules, verdict
from module_utils._firewall.packet_walk import Packet

LISTED = ("10.77.0.41", "10.9.200.3", "fd77::41", "fd77::ff")
STRANGERS = ("10.77.0.42", "10.10.0.1", "fd77::142", "2001:db8::1")


@pytest.mark.parametrize("address", LISTED)
@pytest.mark.parametrize("firewall", ["ufw", "nftables", "firewalld"])
def test_a_listed_source_is_accepted(host: RecordedHost, firewall: str, address: str) -> None:
    getattr(host, f"with_{firewall}")()
    found = verdict.judge(address, 10933, host)
    assert found.word == "accept", found.evidence
    assert f"from {address} to port 10933" in found.evidence
    assert "nothing else stops them" in found.evidence
    assert found.evidence.endswith(".")


@pytest.mark.parametrize("address", STRANGERS)
@pytest.mark.parametrize(
    ("firewall", "word", "names"),
    [("ufw", "drop", "policy DROP"), ("nftables", "drop", "policy drop"), ("firewalld", "reject", "filter_IN")],
)
def test_a_stranger_is_not(host: RecordedHost, firewall: str, word: str, names: str, address: str) -> None:
    getattr(host, f"with_{firewall}")()
    found = verdict.judge(address, 10933, host)
    assert found.word == word, found.evidence
    assert names in found.evidence


@pytest.mark.parametrize(("port", "word"), [(22, "unknown"), (80, "drop"), (113, "reject"), (10934, "drop")])
def test_ports_are_told_apart(host: RecordedHost, port: int, word: str) -> None:
    host.with_nftables()
    assert verdict.judge("10.77.0.41", port, host).word == word  # ssh is limited in rate, which is not address and port


def test_ranges_and_the_first_of_several_chains_that_stop(host: RecordedHost) -> None:
    host.with_nftables()
    assert verdict.judge("198.51.100.77", 85, host).word == "accept"
    banned = verdict.judge("203.0.113.9", 10933, host)
    assert (banned.word, "inet bans input" in banned.evidence) == ("reject", True)


def test_a_drop_elsewhere_defeats_an_accept(host: RecordedHost) -> None:
    host.with_nftables()
    ruleset = json.loads(host.answers["nft -j list ruleset"])
    elsewhere = {"family": "inet", "table": "elsewhere"}
    ruleset["nftables"] += [
        {"chain": {**elsewhere, "name": "guard", "type": "filter", "hook": "input", "prio": 50, "policy": "accept"}},
        {"rule": {**elsewhere, "chain": "guard", "handle": 7, "expr": [_port(10933), {"drop": None}]}},
    ]
    host.answers["nft -j list ruleset"] = json.dumps(ruleset)
    found = verdict.judge("10.77.0.41", 10933, host)
    assert found.word == "drop"
    assert "rule 7 of the chain inet elsewhere guard (nft)" in found.evidence


def test_what_cannot_be_read_is_unknown_with_the_reason(host: RecordedHost) -> None:
    host.with_nftables()
    host.failing.add("nft -j list ruleset")
    found = verdict.judge("10.77.0.41", 10933, host)
    assert found == ("unknown", "The packet filter of this host could not be read: 'nft -j list ruleset' failed")


def test_without_any_filter_everything_is_accepted(host: RecordedHost) -> None:
    assert verdict.judge("any", 10933, host).word == "accept"


def _port(port: int) -> dict[str, object]:
    left = {"payload": {"protocol": "tcp", "field": "dport"}}
    return {"match": {"op": "==", "left": left, "right": port}}


def _judge_nft(*expressions: list[dict[str, object]], source: str = "10.0.0.1", policy: str = "drop") -> str:
    place = {"family": "inet", "table": "t"}
    document = [{"chain": {**place, "name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": policy}}]
    document += [{"rule": {**place, "chain": "c", "expr": list(expression)}} for expression in expressions]
    packet = Packet(ipaddress.ip_address(source), 10933, "eth0")
    return verdict.conclude(nft_rules.judge(nft_rules.read({"nftables": document}), packet), "They").word


def _match(kind: str, value: dict[str, object], right: object, op: str = "==") -> dict[str, object]:
    return {"match": {"op": op, "left": {kind: value}, "right": right}}


ACCEPT: dict[str, object] = {"accept": None}


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ([ACCEPT], "accept"),
        ([_match("meta", {"key": "iifname"}, "eth0"), ACCEPT], "accept"),
        ([_match("meta", {"key": "iifname"}, "eth*"), ACCEPT], "accept"),
        ([_match("meta", {"key": "iifname"}, "lo"), ACCEPT], "drop"),
        ([_match("meta", {"key": "mark"}, 7), ACCEPT], "unknown"),
        ([_match("meta", {"key": "l4proto"}, {"set": ["tcp", "udp"]}), ACCEPT], "accept"),
        ([_match("meta", {"key": "nfproto"}, "ipv6"), ACCEPT], "drop"),
        ([_match("payload", {"protocol": "udp", "field": "dport"}, 10933), ACCEPT], "drop"),
        ([_match("payload", {"protocol": "udp", "field": "dport"}, 53, "!="), ACCEPT], "drop"),
        ([_match("payload", {"protocol": "tcp", "field": "sport"}, 53), ACCEPT], "unknown"),
        ([_match("payload", {"protocol": "ip", "field": "daddr"}, "10.0.0.2"), ACCEPT], "unknown"),
        ([_match("payload", {"protocol": "tcp", "field": "dport"}, {"range": [10000, 11000]}), ACCEPT], "accept"),
        ([_match("payload", {"protocol": "tcp", "field": "dport"}, 1024, ">="), ACCEPT], "accept"),
        ([_match("payload", {"protocol": "tcp", "field": "dport"}, 1024, "<"), ACCEPT], "drop"),
        ([_match("ct", {"key": "state"}, ["established", "related"], "in"), ACCEPT], "drop"),
        ([_match("ct", {"key": "state"}, {"set": ["new", "established"]}), ACCEPT], "accept"),
        ([_match("fib", {"result": "type", "flags": ["daddr"]}, "local"), ACCEPT], "accept"),
        ([{"limit": {"rate": 3, "per": "second"}}, ACCEPT], "unknown"),
        ([{"counter": None}, {"log": None}, ACCEPT], "accept"),
        ([{"queue": {"num": 1}}], "unknown"),
        ([{"jump": {"target": "nowhere"}}], "drop"),
        ([{"goto": {"target": "nowhere"}}], "drop"),
        ([{"return": None}], "drop"),
    ],
)
def test_expressions_of_nft(expression: list[dict[str, object]], word: str) -> None:
    assert _judge_nft(expression) == word


def test_a_condition_that_cannot_be_told_leaves_both_ways_open_only_where_they_differ() -> None:
    doubtful = [_match("meta", {"key": "mark"}, 7), {"drop": None}]
    assert _judge_nft(doubtful, policy="drop") == "drop"
    assert _judge_nft(doubtful, policy="accept") == "unknown"


def _judge_iptables(*rules: str, policy: str = "DROP", source: str = "10.0.0.1") -> str:
    saved = "\n".join(["*filter", f":INPUT {policy} [0:0]", ":own - [0:0]", *rules, "COMMIT", ""])
    packet = Packet(ipaddress.ip_address(source), 10933)
    return verdict.conclude(iptables_rules.judge(saved, packet, "iptables"), "They").word


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ("-A INPUT -j ACCEPT", "accept"),
        ("[1:2] -A INPUT -s 10.0.0.0/8 -j ACCEPT", "accept"),
        ("-A INPUT ! -s 10.0.0.0/8 -j ACCEPT", "drop"),
        ("-A INPUT -p udp -j ACCEPT", "drop"),
        ("-A INPUT -i lo -j ACCEPT", "drop"),
        ("-A INPUT -i eth+ -j ACCEPT", "unknown"),
        ("-A INPUT -p tcp -m multiport --dports 22,10000:11000 -j ACCEPT", "accept"),
        ("-A INPUT -p tcp -m tcp --dport 10934: -j ACCEPT", "drop"),
        ("-A INPUT -p tcp -m tcp --dport :10934 -j ACCEPT", "accept"),
        ("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "drop"),
        ("-A INPUT -m state --state NEW -j ACCEPT", "accept"),
        ("-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", "accept"),
        ("-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT", "drop"),
        ("-A INPUT -m set --match-set office src -j ACCEPT", "unknown"),
        ("-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT", "accept"),
        ('-A INPUT -m limit --limit 3/min -j LOG --log-prefix "[a b] "', "drop"),
        ("-A INPUT -j NFQUEUE --queue-num 1", "unknown"),
        ("-A INPUT -j own\n-A own -j RETURN\n-A own -j ACCEPT", "drop"),
        ("-A INPUT -j own\n-A own -j ACCEPT", "accept"),
        ("-A INPUT -g own\n-A INPUT -j ACCEPT", "drop"),
        ("-A INPUT -j own\n-A own -j own", "unknown"),
    ],
)
def test_rules_of_iptables(rule: str, word: str) -> None:
    assert _judge_iptables(*rule.split("\n")) == word
