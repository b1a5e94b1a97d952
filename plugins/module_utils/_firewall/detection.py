# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which firewall filters on this host: what is active counts, not what is installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from . import nft_rules
from .base import Backend
from .errors import CommandError, MissingError
from .firewalld import Firewalld
from .host import Host
from .iptables import Iptables, is_in_use, variant_of
from .nftables import Nftables
from .rule import Name
from .ufw import Ufw, is_on

AUTO, NONE = "auto", "none"
WORDS = (Firewalld.word, Ufw.word, Nftables.word, Iptables.word)


class Detection(NamedTuple):
    """The word of a backend, or ``none``, and the sentence that says why it was chosen."""

    word: str
    reason: str


def detect(host: Host) -> Detection:
    """The one that filters incoming packets now; else the one that will after the next start; else none."""
    if host.succeeds("systemctl", "--quiet", "is-active", "firewalld"):
        return Detection(Firewalld.word, "firewalld is running.")
    running = _running(host)
    if running:
        return running
    if host.has("firewall-offline-cmd") and host.succeeds("systemctl", "--quiet", "is-enabled", "firewalld"):
        return Detection(Firewalld.word, "No firewall is active, and firewalld is enabled for the next start.")
    if is_on(host):
        return Detection(Ufw.word, "No firewall is active, and ufw is enabled for the next start.")
    if host.has("nft") and host.succeeds("systemctl", "--quiet", "is-enabled", "nftables"):
        return Detection(Nftables.word, "No firewall is active, and nftables is enabled for the next start.")
    return Detection(
        NONE, "No firewall is active on this host, and none is enabled: firewalld, ufw, nftables, iptables."
    )


def _running(host: Host) -> Detection | None:
    saved = _saved(host)
    if ":ufw-user-input " in saved:
        return Detection(Ufw.word, "ufw is active: its chains are in the running firewall.")
    if host.has("nft"):
        try:
            ruleset = nft_rules.read(json.loads(host.run(["nft", "-j", "list", "ruleset"])))
        except CommandError as error:
            raise CommandError(f"Which firewall is active cannot be told without the running rules. {error}") from error
        for key, chain in nft_rules.base_chains(ruleset, ("input",)):
            if not key[1].startswith("tentacle_"):
                return Detection(
                    Nftables.word,
                    f"nftables is active: the chain {key[0]} {key[1]} {chain['name']} filters what comes in.",
                )
    if is_in_use(saved):
        return Detection(Iptables.word, "iptables is active: its chain INPUT has rules, or a policy that refuses.")
    return None


def _saved(host: Host) -> str:
    variant = variant_of(host)
    texts = [
        host.run([command, "-t", "filter"])
        for command in (f"iptables{variant}-save", f"ip6tables{variant}-save")
        if host.has(command)
    ]
    return "\n".join(texts)


def backend(word: str, host: Host, name: Name, zone: str | None = None, reload: bool = False) -> Backend:
    """The backend of that word. Raises MissingError where its programs are not on the host."""
    makers: dict[str, Callable[[], Backend]] = {
        Firewalld.word: lambda: Firewalld(host, name, zone, reload),
        Ufw.word: lambda: Ufw(host, name),
        Nftables.word: lambda: Nftables(host, name),
        Iptables.word: lambda: Iptables(host, name),
    }
    found = makers[word]()
    if not found.is_there():
        raise MissingError(
            f"The firewall {word} was asked for, but it is not installed on this host. Install it, or leave 'backend' "
            "out: then what is active is used."
        )
    return found


def all_there(host: Host, name: Name) -> list[Backend]:
    """Every backend that could hold a rule of ours, whatever is active."""
    candidates: list[Backend] = [Firewalld(host, name), Ufw(host, name), Nftables(host, name), Iptables(host, name)]
    return [candidate for candidate in candidates if candidate.is_there()]
