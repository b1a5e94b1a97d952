# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The one inbound rule: TCP to the agent's port from these addresses, under the name of its instance. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple, Union

from .errors import RuleError

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

#: Every address: must be said, never follows from an empty list.
ANY = "any"
#: A source list is a configuration, not a data set: sets of this size load in seconds on every backend that has sets.
MOST_SOURCES = 100_000


class Name(NamedTuple):
    """What a rule is called: ``title`` where firewalls have comments, ``slug`` where they have identifiers.

    The title is that of the rule which the original's own automation makes, so that both find each other's.
    """

    title: str
    slug: str

    @property
    def identifier(self) -> str:
        """The slug for grammars without dashes."""
        return self.slug.replace("-", "_")


class Rule(NamedTuple):
    """What shall be allowed. Sources are canonical texts, collapsed and sorted; hosts are without a length."""

    name: Name
    port: int
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...]
    deny_others: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        return self.ipv4 + self.ipv6


def name_of(instance: str) -> Name:
    """The names of an instance's rule. The slug has at most 26 characters: a chain's name may have 28."""
    plain = re.sub(r"[^a-z0-9]+", "-", instance.lower()).strip("-")
    if plain != instance.lower() or len(plain) > 17:
        plain = f"{plain[:10].strip('-')}-{hashlib.sha256(instance.encode()).hexdigest()[:6]}"
    return Name(f"Octopus Tentacle: {instance}", f"tentacle-{plain}")


def make(name: Name, port: int, sources: Iterable[str], deny_others: bool = False) -> Rule:
    """A rule from what a user wrote. Raises RuleError for what is no source, and for none at all."""
    texts = [text.strip() for text in sources if text.strip()]
    if not texts:
        raise RuleError(
            f"No source was given for the rule '{name.title}', so it would allow nobody. Name the addresses of the "
            f"Octopus Server in 'sources', or '{ANY}' to let everybody reach port {port}."
        )
    if len(texts) > MOST_SOURCES:
        raise RuleError(f"{len(texts)} sources were given; {MOST_SOURCES} are the most. Write them as networks.")
    networks = [network for text in texts for network in parse(text)]
    return Rule(
        name,
        port,
        canonical(network for network in networks if network.version == 4),
        canonical(network for network in networks if network.version == 6),
        deny_others,
    )


def parse(text: str) -> list[Network]:
    """The networks that one source stands for: one, or both families of ``any``. Raises RuleError."""
    if text.lower() == ANY:
        return [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    bare = text[1:].replace("]", "", 1) if text.startswith("[") else text
    try:
        return [ipaddress.ip_network(bare)]
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(bare, strict=False)
    except ValueError:
        raise RuleError(
            f"The source '{text}' is neither an IP address nor a network. Firewalls hold addresses, and a name would "
            "be looked up only once: give the address or a network such as 192.0.2.0/24 or 2001:db8::/32."
        ) from None
    raise RuleError(
        f"The source '{text}' is an address with the length of a network. Write {meant} for the whole network, or "
        f"{bare.partition('/')[0]} for the one host."
    )


def canonical(networks: Iterable[Network]) -> tuple[str, ...]:
    """Networks of one family without overlaps, in order, each as the firewalls write it."""
    merged = ipaddress.collapse_addresses(networks)  # type: ignore[type-var]
    return tuple(_text(network) for network in sorted(merged))


def _text(network: Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def halves(sources: Iterable[str]) -> tuple[str, ...]:
    """The same sources where a firewall's sets cannot hold a network of length 0."""
    both = {"0.0.0.0/0": ("0.0.0.0/1", "128.0.0.0/1"), "::/0": ("::/1", "8000::/1")}
    return tuple(part for source in sources for part in both.get(source, (source,)))
