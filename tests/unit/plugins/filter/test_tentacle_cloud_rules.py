"""The rules as data; that the clouds' own modules take them is shown by `./dev cloud`."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.listening.tentacle.plugins.filter.tentacle_cloud_rules import FilterModule

SOURCES = ["203.0.113.9", "203.0.113.0/24", "198.51.100.7", "2001:db8:12::/64"]
cloud_rules = FilterModule().filters()["tentacle_cloud_rules"]


def test_aws_has_one_rule_for_each_family_with_lengths() -> None:
    common = {"proto": "tcp", "from_port": 10933, "to_port": 10933, "rule_desc": "Octopus Tentacle: Tentacle"}
    assert cloud_rules(SOURCES, "aws") == [
        {**common, "cidr_ip": ["198.51.100.7/32", "203.0.113.0/24"]},
        {**common, "cidr_ipv6": ["2001:db8:12::/64"]},
    ]


def test_azure_has_priorities_of_their_own_and_one_rule_for_everybody() -> None:
    rules = cloud_rules(SOURCES, "azure", priority=310, instance="Web 1")
    assert [rule["priority"] for rule in rules] == [310, 311]
    assert [rule["source_address_prefix"] for rule in rules] == [
        ["198.51.100.7", "203.0.113.0/24"],
        ["2001:db8:12::/64"],
    ]
    assert {rule["description"] for rule in rules} == {"Octopus Tentacle: Web 1"}
    (everybody,) = cloud_rules("any", "azure")
    assert (everybody["source_address_prefix"], everybody["access"]) == ("*", "Allow")


def test_google_never_mixes_families() -> None:
    rules = cloud_rules(SOURCES, "gcp", port=10944, target_tags=["web"])
    assert [rule["source_ranges"] for rule in rules] == [["198.51.100.7/32", "203.0.113.0/24"], ["2001:db8:12::/64"]]
    assert {rule["name"] for rule in rules} == {"tentacle-tentacle-ipv4", "tentacle-tentacle-ipv6"}
    assert all(rule["allowed"] == [{"ip_protocol": "tcp", "ports": ["10944"]}] for rule in rules)
    assert all(rule["target_tags"] == ["web"] for rule in rules)


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_a_family_without_sources_has_no_rule(cloud: str) -> None:
    assert len(cloud_rules(["198.51.100.7"], cloud)) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"cloud": "oracle"}, "Choose from aws, azure, gcp"),
        ({"cloud": "aws", "port": 0}, "0 is no port"),
        ({"cloud": "azure", "priority": 4096}, "from 100 to 4095"),
        ({"cloud": "gcp", "priority": -1}, "from 0 to 65535"),
        ({"cloud": "aws", "sources": []}, "No source was given"),
        ({"cloud": "aws", "sources": ["octopus.example.com"]}, "neither an IP address nor a network"),
        ({"cloud": "gcp", "sources": [f"10.{n // 250}.{n % 250}.1" for n in range(5001)]}, "takes 5000 addresses"),
    ],
)
def test_what_cannot_be_a_rule_is_refused_in_a_sentence(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says):
        cloud_rules(**{"sources": SOURCES, **arguments})
