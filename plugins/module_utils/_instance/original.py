# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Instances of the original Tentacle on this host, read so that this agent can take them over.

The original keeps an XML file of key and value for each instance (docs/protocol/tentacle-services.md §5.4) and a list
of instances in the form that ours has too (§5.3). Nothing of it is changed here: what was read goes into a
configuration of our own, and the original can be started again as it was.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from .._halibut.values import replace
from . import configuration as configurations
from . import encryption, files, identity, paths, records
from .configuration import Configuration
from .errors import ConfigurationError, IdentityError, SelectionError
from .trusted import ACTIVE, TrustedServer, normalise_pin, style_named

CONFIGURATION_HOME = "/etc/octopus"
DEFAULT_APPLICATIONS = "/home/Octopus/Applications"
ROOT = "octopus-settings"
LARGEST_FILE = 1024 * 1024


@dataclass(frozen=True)
class OriginalInstance:
    """What one instance of the original says. ``encrypted_certificate`` is a secret only to other machines."""

    path: str
    home_directory: str
    application_directory: str
    port: int
    listen_address: str | None
    no_listen: bool
    trusted_servers: tuple[TrustedServer, ...]
    thumbprint: str | None
    encrypted_certificate: str | None = dataclasses.field(repr=False)

    @property
    def polling_servers(self) -> tuple[TrustedServer, ...]:
        """Servers that the original asks for work; an agent that listens never calls them."""
        return tuple(server for server in self.trusted_servers if server.communication_style == ACTIVE)

    def facts(self) -> dict[str, Any]:
        """Everything that may be shown."""
        return {
            "path": self.path,
            "home_directory": self.home_directory,
            "application_directory": self.application_directory,
            "port": self.port,
            "listen_address": self.listen_address or "any",
            "no_listen": self.no_listen,
            "trusted_thumbprints": sorted({server.thumbprint for server in self.trusted_servers}),
            "polling_thumbprints": sorted({server.thumbprint for server in self.polling_servers}),
            "thumbprint": self.thumbprint,
        }


def list_instances(home: str = CONFIGURATION_HOME) -> list[records.Record]:
    """The original's instances on this host, by name; ``home`` is its machine configuration home."""
    return records.list_records({paths.CONFIGURATION_HOME_VARIABLE: home})


def find(name: str | None = None, home: str = CONFIGURATION_HOME) -> records.Record:
    """The original's instance ``name``, or else its only one, or else the one named Tentacle.

    Raises SelectionError, saying what there is to choose from.
    """
    present = list_instances(home)
    wanted = name or (present[0].name if len(present) == 1 else paths.DEFAULT_INSTANCE)
    for record in present:
        if record.name.lower() == wanted.lower():
            return record
    names = ", ".join(record.name for record in present) or "none"
    raise SelectionError(
        f"No instance {wanted} of the original Tentacle was found in {paths.records_directory(_environment(home))}; "
        f"there are: {names}. Its list may lie elsewhere, or it was removed. Name its configuration file instead."
    )


def service_name(instance: str) -> str:
    """The systemd unit of the original's instance (docs/protocol/tentacle-services.md §5.8)."""
    return "-".join(instance.replace("/", "").split()) + ".service"


def key_files(home: str = CONFIGURATION_HOME, machine_id: str | None = None) -> encryption.KeyFiles:
    """Where the keys of the machine lie to which the configuration home ``home`` belongs."""
    return encryption.KeyFiles(machine_id or encryption.MACHINE_ID, os.path.join(home, "machinekey"))


def load(path: str) -> OriginalInstance:
    """Read the original's configuration file. Raises StorageError, or ConfigurationError with key and reason."""
    values = _values(path)
    try:
        return OriginalInstance(
            path=os.path.abspath(path),
            home_directory=values.get("octopus.home") or os.path.dirname(os.path.abspath(path)),
            application_directory=values.get("tentacle.deployment.applicationdirectory") or DEFAULT_APPLICATIONS,
            port=int(values.get("tentacle.services.portnumber") or configurations.DEFAULT_PORT),
            listen_address=values.get("tentacle.services.listenip") or None,
            no_listen=(values.get("tentacle.services.nolisten") or "").lower() == "true",
            trusted_servers=_servers(values.get("tentacle.communication.trustedoctopusservers")),
            thumbprint=_thumbprint(values.get("tentacle.certificatethumbprint")),
            encrypted_certificate=values.get("tentacle.certificate") or None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, ConfigurationError) as error:
        raise ConfigurationError(
            f"The original's configuration {path} holds a value that cannot be used: {error}. It was edited by hand, "
            "probably. Correct it there, or configure the new instance without it."
        ) from error


def with_taken_over(base: Configuration, original: OriginalInstance) -> Configuration:
    """``base`` listening where the original listens, for the same servers and the same applications.

    The home stays that of ``base``: both can run in turn without meeting each other's files.
    Raises ConfigurationError for an original that does not listen, and for values that ours cannot have.
    """
    if original.no_listen:
        raise ConfigurationError(
            f"The original's instance {original.path} does not listen: it polls its servers. This agent listens only, "
            "so its server would not reach it. Change the target to a listening Tentacle on the server first, or keep "
            "the original.",
            cause="wrong_mode",
        )
    return configurations.with_values(
        replace(base, trusted_servers=original.trusted_servers),
        application_directory=original.application_directory,
        port=original.port,
        listen_address=original.listen_address,
        no_listen=False,
    )


def read_identity(original: OriginalInstance, keys: encryption.KeyFiles) -> bytes:
    """The original's key and certificate as our PEM, under the thumbprint that its servers know.

    Works on the original's own host only, because the key to it is a property of the machine. Raises IdentityError.
    """
    if not original.encrypted_certificate:
        raise IdentityError(
            f"The original's configuration {original.path} holds no certificate. It was never configured to the end, "
            "probably. Make a new one with new-certificate and tell its thumbprint to the server."
        )
    text = encryption.decrypt_with_machine_key(original.encrypted_certificate, keys)
    pem = identity.import_base64(text.strip('"'))
    found = identity.thumbprints_of(pem).sha1
    if original.thumbprint not in (None, found):
        raise IdentityError(
            f"The certificate in {original.path} has the thumbprint {found}, but the file says it should be "
            f"{original.thumbprint}. Two files were mixed, probably. Restore that file from a backup."
        )
    return pem


def _environment(home: str) -> Mapping[str, str]:
    return {paths.CONFIGURATION_HOME_VARIABLE: home}


def _values(path: str) -> dict[str, str]:
    """The file's values by lower-case key; keys are compared without case, a later one wins."""
    data = files.read(path, LARGEST_FILE)
    if b"<!DOCTYPE" in data:  # entities could make a small file a huge one; settings need none
        raise ConfigurationError(f"{path} declares a document type, which no configuration of a Tentacle does.")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ConfigurationError(
            f"{path} is no valid XML: {error}. Name the original's configuration file, which begins with <{ROOT}>."
        ) from error
    if root.tag != ROOT:
        raise ConfigurationError(
            f"{path} begins with <{root.tag}>, not with <{ROOT}>, so it is no configuration of an original Tentacle. "
            "Its instances are listed in /etc/octopus/Tentacle/Instances."
        )
    return {element.get("key", "").lower(): (element.text or "").strip() for element in root.iter("set")}


def _servers(text: str | None) -> tuple[TrustedServer, ...]:
    found = json.loads(text) if text else []
    return tuple(
        TrustedServer(
            normalise_pin(entry["Thumbprint"]),
            style_named(entry.get("CommunicationStyle")),
            entry.get("Address"),
            entry.get("Squid"),
            entry.get("SubscriptionId"),
        )
        for entry in found
        if entry.get("Thumbprint")
    )


def _thumbprint(text: str | None) -> str | None:
    return normalise_pin(text) if text else None
