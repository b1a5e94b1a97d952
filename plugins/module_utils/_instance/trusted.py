# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Whom an instance trusts: the entries of the configuration and every change of them.

An entry is what the original keeps for a server (docs/protocol/tentacle-services.md §5.4); for a listening agent only
its thumbprint decides. Thumbprints may come in any spelling, as SHA-1, SHA-256 or a whole PEM certificate; they are
kept as 40 or 64 upper-case hexadecimal digits. The ``with_trust_...`` functions return a new configuration and are the
one set of rules for the command line and the modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._halibut import thumbprint as thumbprints
from .._halibut.values import replace, value
from .errors import ConfigurationError

if TYPE_CHECKING:
    from .configuration import Configuration

PASSIVE = "TentaclePassive"
ACTIVE = "TentacleActive"
STYLES = {"None": 0, PASSIVE: 1, ACTIVE: 2}
_OPTIONAL = ("address", "squid", "subscription_id")


@value(frozen=True)
class TrustedServer:
    """One server that may call us; ``communication_style`` is TentaclePassive for every server that connects to us."""

    thumbprint: str
    communication_style: str = PASSIVE
    address: str | None = None
    squid: str | None = None
    subscription_id: str | None = None


def normalise_pin(text: str) -> str:
    """A thumbprint in any spelling, or a PEM certificate, as upper-case digits. Raises ConfigurationError."""
    try:
        return thumbprints.normalise(text)
    except ValueError as error:
        raise ConfigurationError(str(error), cause="thumbprint_invalid") from None


def with_trust_added(configuration: Configuration, pins: Iterable[str], style: str = PASSIVE) -> Configuration:
    """Trust ``pins`` too; an entry of the same thumbprint without an address is replaced (§5.2, ``--trust``)."""
    servers = list(configuration.trusted_servers)
    for pin in (normalise_pin(text) for text in pins):
        entry = TrustedServer(pin, style)
        places = [i for i, server in enumerate(servers) if server.thumbprint == pin and server.address is None]
        if places:
            servers[places[0]] = replace(servers[places[0]], communication_style=style)
        elif not any(server.thumbprint == pin and server.communication_style == style for server in servers):
            servers.append(entry)
    return replace(configuration, trusted_servers=tuple(servers))


def with_trust_removed(configuration: Configuration, pins: Iterable[str]) -> Configuration:
    """No longer trust ``pins``; those nobody trusts are passed over."""
    gone = {normalise_pin(text) for text in pins}
    kept = tuple(server for server in configuration.trusted_servers if server.thumbprint not in gone)
    return replace(configuration, trusted_servers=kept)


def with_trust_replaced(configuration: Configuration, old: str, new: str) -> Configuration:
    """Put the thumbprint ``new`` into every entry that has ``old``, keeping the rest of the entry (§5.2)."""
    old, new = normalise_pin(old), normalise_pin(new)
    servers: list[TrustedServer] = []
    for server in configuration.trusted_servers:
        entry = replace(server, thumbprint=new) if server.thumbprint == old else server
        if entry not in servers:
            servers.append(entry)
    return replace(configuration, trusted_servers=tuple(servers))


def with_passive(configuration: Configuration, pin: str) -> Configuration:
    """Make ``pin`` a server that calls us: its first entry, or a new one; further entries of it go (§5.2)."""
    pin = normalise_pin(pin)
    servers: list[TrustedServer] = []
    for server in configuration.trusted_servers:
        if server.thumbprint != pin:
            servers.append(server)
        elif not any(entry.thumbprint == pin for entry in servers):
            servers.append(TrustedServer(pin, squid=server.squid))
    if not any(entry.thumbprint == pin for entry in servers):
        servers.append(TrustedServer(pin))
    return replace(configuration, trusted_servers=tuple(servers))


def with_trust_set(configuration: Configuration, pins: Iterable[str]) -> Configuration:
    """Trust exactly ``pins``; entries that stay keep their place and their details."""
    wanted = [normalise_pin(text) for text in pins]
    kept = tuple(server for server in configuration.trusted_servers if server.thumbprint in wanted)
    return with_trust_added(replace(configuration, trusted_servers=kept), wanted)


def from_documents(value: Any) -> tuple[TrustedServer, ...]:
    """The entries of the key ``trusted_servers``; a bare text is a thumbprint. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError("has to be a list of servers.")
    servers: list[TrustedServer] = []
    for position, item in enumerate(value, 1):
        try:
            entry = _entry(item)
        except (ValueError, ConfigurationError) as error:
            raise ValueError(f"entry {position}: {error}") from None
        if entry not in servers:
            servers.append(entry)
    return tuple(servers)


def _entry(item: Any) -> TrustedServer:
    if isinstance(item, str):
        return TrustedServer(normalise_pin(item))
    if not isinstance(item, Mapping) or not isinstance(item.get("thumbprint"), str):
        raise ValueError("has to be an object with the text 'thumbprint', or a thumbprint.")
    strangers = sorted(set(item) - {"thumbprint", "communication_style", *_OPTIONAL})
    if strangers:
        raise ValueError(f"unknown key {', '.join(strangers)}.")
    details = {key: item.get(key) for key in _OPTIONAL}
    if not all(text is None or isinstance(text, str) for text in details.values()):
        raise ValueError(f"{', '.join(_OPTIONAL)} have to be texts or null.")
    return TrustedServer(normalise_pin(item["thumbprint"]), style_named(item.get("communication_style")), **details)


def style_named(value: Any) -> str:
    """A style by the original's number or name; absent and None mean that the server connects to us."""
    if value is None:
        return PASSIVE
    for name, number in STYLES.items():
        if (isinstance(value, str) and value.lower() == name.lower()) or value == number:
            return name
    raise ValueError(f"the communication style has to be one of {', '.join(STYLES)}, not {value!r}.")


def as_documents(servers: Iterable[TrustedServer]) -> list[dict[str, str]]:
    """The entries as they stand in the file: without what is not set."""
    return [
        {name: setting for name, setting in vars(server).items() if setting is not None} for server in servers
    ]
