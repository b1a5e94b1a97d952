"""The rule that a user means: its names, and its sources however they are written."""

from __future__ import annotations

import pytest

from module_utils._firewall import rule
from module_utils._firewall.errors import RuleError

NAME = rule.name_of("Tentacle")


def test_the_name_is_that_of_the_originals_automation() -> None:
    assert NAME.title == "Octopus Tentacle: Tentacle"
    assert (NAME.slug, NAME.identifier) == ("tentacle-tentacle", "tentacle_tentacle")


@pytest.mark.parametrize("instance", ["Web 1", "web-1", "WEB.1", "a" * 100, "prod_west"])
def test_a_slug_fits_a_chain_a_set_and_a_file(instance: str) -> None:
    slug = rule.name_of(instance).slug
    assert len(slug) <= 26
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_instances_that_look_alike_have_rules_of_their_own() -> None:
    names = ["web 1", "web-1", "web.1", "web_1", "a" * 40, "a" * 41]
    assert len({rule.name_of(name).slug for name in names}) == len(names)


def test_sources_are_merged_and_sorted_by_family() -> None:
    made = rule.make(NAME, 10933, ["10.9.0.1", " fd77::41", "10.9.0.0/16", "[2001:db8::]/32", "10.0.0.3", "10.0.0.2"])
    assert made.ipv4 == ("10.0.0.2/31", "10.9.0.0/16")
    assert made.ipv6 == ("2001:db8::/32", "fd77::41")
    assert made.sources == made.ipv4 + made.ipv6


def test_any_is_everybody_of_both_families_and_swallows_the_rest() -> None:
    made = rule.make(NAME, 10933, ["10.9.0.1", "Any"])
    assert made.sources == ("0.0.0.0/0", "::/0")
    assert rule.halves(made.sources) == ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1")


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ([], "No source was given"),
        (["", "  "], "No source was given"),
        (["octopus.example.com"], "neither an IP address nor a network"),
        (["10.0.0.256"], "neither an IP address nor a network"),
        (["10.0.0.0/33"], "neither an IP address nor a network"),
        (["10.0.0.5/24"], "Write 10.0.0.0/24 for the whole network, or 10.0.0.5 for the one host"),
        (["fd77::5/64"], "Write fd77::/64 for the whole network, or fd77::5 for the one host"),
        (["10.0.0.1"] * (rule.MOST_SOURCES + 1), "Write them as networks"),
    ],
)
def test_what_is_no_source_is_refused_with_what_to_write_instead(sources: list[str], says: str) -> None:
    with pytest.raises(RuleError, match=says.replace("(", r"\(")) as caught:
        rule.make(NAME, 10933, sources)
    assert caught.value.cause == "invalid_input"
