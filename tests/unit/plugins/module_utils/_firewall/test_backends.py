"""The backends over what three Debian generations hold: read, plan and the commands that make the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from module_utils import _firewall_rule
from module_utils._firewall import base, detection, rule
from module_utils._firewall.errors import CommandError, MissingError, RuleError
from module_utils._firewall.rule import Name, Rule

if TYPE_CHECKING:
    from conftest import RecordedHost

    from module_utils._firewall.base import Backend

NAME = rule.name_of("Tentacle")
SOURCES = ("10.77.0.41", "fd77::/120", "10.9.0.0/16")
FIREWALLS = ("ufw", "nftables", "firewalld")


def make(*sources: str, port: int = 10933, deny_others: bool = False, name: Name = NAME) -> Rule:
    return rule.make(name, port, sources or SOURCES, deny_others)


def backend(host: RecordedHost, word: str, name: Name = NAME, **options: bool) -> Backend:
    getattr(host, f"with_{word}")()
    return detection.backend(word, host, name, **options)


@pytest.mark.parametrize("word", FIREWALLS)
def test_what_was_made_is_read_as_it_was_planned(host: RecordedHost, word: str) -> None:
    found = backend(host, word)
    before = found.read()
    assert base.filled(before)
    assert not base.changes(before, found.plan(make()))
    assert [line for line in host.ran if not line.startswith("systemctl --quiet is-")] == []


@pytest.mark.parametrize("word", FIREWALLS)
@pytest.mark.parametrize(
    "other",
    [make("10.77.0.41", "fd77::/120"), make(*SOURCES, "10.8.0.1"), make(port=10944), make(deny_others=True)],
    ids=["one source less", "one more", "another port", "others denied"],
)
def test_any_difference_is_a_change(host: RecordedHost, word: str, other: Rule) -> None:
    found = backend(host, word)
    assert base.changes(found.read(), found.plan(other))


@pytest.mark.parametrize("word", FIREWALLS)
def test_another_instances_rule_is_nothing_of_ours(host: RecordedHost, word: str) -> None:
    found = backend(host, word, rule.name_of("Other"))
    assert base.filled(found.read()) == {}


@pytest.mark.parametrize("word", FIREWALLS)
def test_what_is_active_is_found(host: RecordedHost, word: str) -> None:
    getattr(host, f"with_{word}")()
    chosen = detection.detect(host)
    assert chosen.word == word
    assert word in chosen.reason


def test_what_is_only_installed_is_not(host: RecordedHost) -> None:
    host.with_ufw(is_on=False)
    assert detection.detect(host) == (
        "none",
        "No firewall is active on this host, and none is enabled: firewalld, ufw, nftables, iptables.",
    )


def test_what_is_enabled_for_the_next_start_is(host: RecordedHost) -> None:
    host.with_ufw(is_on=False)
    host.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
    assert detection.detect(host) == ("ufw", "No firewall is active, and ufw is enabled for the next start.")


def test_a_firewall_that_is_not_there_is_missed_by_name(host: RecordedHost) -> None:
    with pytest.raises(MissingError, match="The firewall ufw was asked for, but it is not installed") as caught:
        detection.backend("ufw", host, NAME)
    assert caught.value.cause == "firewall_missing"


# ufw


def test_ufw_is_told_the_difference_alone(host: RecordedHost) -> None:
    found = backend(host, "ufw")
    wanted = make("10.77.0.41", "fd77::/120", "10.8.0.1")
    found.apply(found.read(), found.plan(wanted), wanted)
    assert host.ran == [
        "ufw --force delete allow proto tcp from 10.9.0.0/16 to any port 10933",
        "ufw allow proto tcp from 10.8.0.1 to any port 10933 comment Octopus Tentacle: Tentacle",
    ]


def test_ufw_keeps_our_denial_behind_what_we_allow(host: RecordedHost) -> None:
    found = backend(host, "ufw")
    allow, deny = "allow proto tcp from 10.8.0.1 to any port 10933", "deny proto tcp from any to any port 10933"
    found.apply({"ufw": [deny]}, {"ufw": [allow, deny]}, make())
    assert [line.partition(" comment")[0] for line in host.ran] == [
        f"ufw --force delete {deny}",
        f"ufw {allow}",
        f"ufw {deny}",
    ]


def test_ufw_leaves_a_foreign_rule_for_the_same_source_alone(host: RecordedHost) -> None:
    found = backend(host, "ufw", rule.name_of("Other"))
    planned = found.plan(make("10.77.0.41", "10.8.0.1", name=rule.name_of("Other")))
    assert planned == {"ufw": ["allow proto tcp from 10.8.0.1 to any port 10933"]}
    assert "somebody else's" in found.notes[0]


@pytest.mark.parametrize(
    ("foreign", "options", "says"),
    [
        ("allow tcp 10944 0.0.0.0/0 any 0.0.0.0/0", {"deny_others": True}, "lets everybody through"),
        ("limit any 10944 0.0.0.0/0 any 0.0.0.0/0", {"deny_others": True}, "ufw delete limit proto any from any"),
        ("deny tcp 10944 0.0.0.0/0 any 10.77.0.41", {}, "which would be"),
        ("allow tcp 10944 0.0.0.0/0 any 0.0.0.0/0", {}, None),
        ("deny tcp 10944 0.0.0.0/0 any 0.0.0.0/0", {"deny_others": True}, None),
    ],
)
def test_ufw_refuses_what_would_replace_or_follow_a_foreign_rule(
    host: RecordedHost, foreign: str, options: dict[str, bool], says: str | None
) -> None:
    found = backend(host, "ufw")
    host.write("/etc/ufw/user.rules", f"### tuple ### {foreign} in\n")
    wanted = make("10.77.0.41", port=10944, **options)
    if says is None:
        assert found.plan(wanted) == {"ufw": ["allow proto tcp from 10.77.0.41 to any port 10944"]}
        return
    with pytest.raises(RuleError, match=says):
        found.plan(wanted)


def test_ufw_off_is_prepared_and_said(host: RecordedHost) -> None:
    host.with_ufw(is_on=False)
    found = detection.backend("ufw", host, NAME)
    found.plan(make())
    assert found.notes == ["ufw is off: its rules are stored, and filter once somebody enables it."]


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ([f"10.0.{number}.1" for number in range(101)], "101 sources were given, and ufw holds each"),
        (["0.0.0.0/0"], "every address of one family"),
    ],
)
def test_ufw_refuses_what_it_has_no_rule_for(host: RecordedHost, sources: list[str], says: str) -> None:
    with pytest.raises(RuleError, match=says):
        backend(host, "ufw").plan(make(*sources))


def test_ufw_without_ipv6_refuses_ipv6_sources(host: RecordedHost) -> None:
    found = backend(host, "ufw")
    host.write("/etc/default/ufw", "IPV6=no\n")
    with pytest.raises(RuleError, match="IPV6=no"):
        found.plan(make())
    assert found.plan(make("10.8.0.1"))


# firewalld


def test_firewalld_that_runs_is_changed_stored_and_running(host: RecordedHost) -> None:
    found = backend(host, "firewalld")
    moved = make(port=10944)
    found.apply(found.read(), found.plan(moved), moved)
    stored = [line for line in host.ran if line.startswith("firewall-cmd")]
    running = [line.rpartition("FirewallD1.")[2] for line in host.ran if line.startswith("busctl")]
    assert [line.partition("=rule")[0] for line in stored] == [
        "firewall-cmd --quiet --permanent --zone=public --remove-rich-rule",
        "firewall-cmd --quiet --permanent --zone=public --add-rich-rule",
    ]
    assert [line.partition(" rule ")[0] for line in running] == [
        "zone removeRichRule ss public",
        "zone removeRichRule ss public",
        "zone addRichRule ssi public",
        "zone addRichRule ssi public",
    ]
    assert sum(line.count('port="10944"') for line in host.ran) == 4
    assert not any("reload" in line for line in host.ran)


def test_firewalld_that_does_not_run_is_changed_in_its_files(host: RecordedHost) -> None:
    host.with_firewalld(runs=False)
    found = detection.backend("firewalld", host, NAME)
    found.apply(found.read(), {}, None)
    assert {line.split()[0] for line in host.ran} == {"firewall-offline-cmd"}
    assert [line.split()[-1] for line in host.ran[1:]] == [
        "--delete-ipset=tentacle-tentacle-4",
        "--delete-ipset=tentacle-tentacle-6",
    ]


def test_firewalld_gets_a_rule_for_each_source_until_it_knows_the_sets(host: RecordedHost) -> None:
    found = backend(host, "firewalld")
    _forget_the_sets(host)
    running = found.plan(make())["running"]
    assert running == [
        f'zone public rule family="{family}" source address="{source}" port port="10933" protocol="tcp" accept'
        for family, source in (("ipv4", "10.77.0.41"), ("ipv4", "10.9.0.0/16"), ("ipv6", "fd77::/120"))
    ]


def test_firewalld_is_reloaded_for_many_sources_only_where_that_is_allowed(host: RecordedHost) -> None:
    many = make(*(f"10.0.{number}.1" for number in range(65)))
    found = backend(host, "firewalld")
    _forget_the_sets(host)
    with pytest.raises(RuleError, match="Say 'reload: true'"):
        found.plan(many)
    allowed = detection.backend("firewalld", host, NAME, reload=True)
    allowed.apply({}, allowed.plan(many), many)
    assert host.ran[-1] == "firewall-cmd --reload"


def _forget_the_sets(host: RecordedHost) -> None:
    for line in host.answers:
        if line.endswith("getIPSets"):
            host.answers[line] = '{"type":"as","data":[[]]}'


# nftables


def test_nftables_goes_to_the_head_of_the_chain_that_could_drop(host: RecordedHost) -> None:
    found = backend(host, "nftables")
    planned = found.plan(make())
    assert {line.partition(":")[0] for line in planned["running"]} == {"inet filter input"}  # and not into inet bans
    assert "The rule stands at the head of the chain inet filter input." in found.notes


def test_nftables_without_any_chain_has_nothing_to_open(host: RecordedHost) -> None:
    host.with_nftables()
    host.answers["nft -j list ruleset"] = '{"nftables": []}'
    host.remove("/etc/nftables.d/tentacle-tentacle.nft")
    host.write("/etc/nftables.conf", "flush ruleset\n")
    found = detection.backend("nftables", host, NAME)
    assert base.filled(found.plan(make())) == {}
    assert "there is nothing to open" in found.notes[0]


def test_an_included_directory_is_used_and_the_main_file_left_alone(host: RecordedHost) -> None:
    host.with_nftables()
    host.write("/etc/nftables.conf", 'flush ruleset\ninclude "/etc/nft/*.nft"\n')
    planned = detection.backend("nftables", host, NAME).plan(make())
    assert planned["/etc/nft/tentacle-tentacle.nft"]
    assert planned["/etc/nftables.conf"] == []


@pytest.mark.parametrize("text", ["flush ruleset\n", "flush ruleset", ""])
def test_the_main_file_is_restored_byte_for_byte(host: RecordedHost, text: str) -> None:
    host.with_nftables()
    host.remove("/etc/nftables.d/tentacle-tentacle.nft")
    host.write("/etc/nftables.conf", text)
    found = detection.backend("nftables", host, NAME)
    planned = found.plan(make())
    found.apply(found.read(), planned, make())
    assert base.filled({key: lines for key, lines in found.read().items() if key != "running"})
    assert (host.text("/etc/nftables.conf") or "").count("include") == 1
    found.apply(planned, {"running": planned["running"]}, None)
    assert host.text("/etc/nftables.conf") == text
    assert not host.exists("/etc/nftables.d")


def test_a_configuration_that_loads_no_more_is_put_back(host: RecordedHost) -> None:
    found = backend(host, "nftables")
    before = host.text("/etc/nftables.d/tentacle-tentacle.nft")
    host.installed.add("unshare")
    host.failing.add(f"unshare --net nft -f {host.path('/etc/nftables.conf')}")
    with pytest.raises(CommandError):
        found.apply(found.read(), found.plan(make(port=10944)), make(port=10944))
    assert host.text("/etc/nftables.d/tentacle-tentacle.nft") == before


# The whole wish


def test_a_check_run_tells_and_does_nothing(host: RecordedHost) -> None:
    host.with_ufw()
    wish = _firewall_rule.Wish(NAME, make(port=10944), "auto", changing=True, check_mode=True)
    result = _firewall_rule.fulfil(wish, host)
    assert (result["changed"], result["present"], host.ran) == (True, True, [])
    assert "10933" in result["diff"]["before"]
    assert "10944" in result["diff"]["after"]


def test_what_cannot_be_read_back_is_no_success(host: RecordedHost) -> None:
    host.with_ufw()  # its files do not change, because the commands are only recorded
    with pytest.raises(CommandError, match="reading it back"):
        _firewall_rule.fulfil(_firewall_rule.Wish(NAME, make(port=10944), "auto", changing=True), host)


def test_removal_finds_the_rule_in_a_firewall_that_is_no_longer_active(host: RecordedHost) -> None:
    host.with_nftables()
    host.with_ufw(is_on=False)
    wish = _firewall_rule.Wish(NAME, None, "auto", changing=True, check_mode=True)
    result = _firewall_rule.fulfil(wish, host)
    assert result["changed"]
    assert not result["present"]
    assert "ufw ufw" in result["diff"]["before"]
    assert "nftables running" in result["diff"]["before"]


def test_none_reports_and_changes_nothing(host: RecordedHost) -> None:
    host.with_ufw()
    result = _firewall_rule.fulfil(_firewall_rule.Wish(NAME, make(), "none", changing=False), host)
    assert (result["changed"], result["backend"], result["present"], host.ran) == (False, "none", False, [])
