# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The configuration of one instance: one JSON file, read strictly, written whole.

Every key is listed once, in ``_RULES``, with the check that makes a value of it. Values that are not given have the
defaults of the class, and are not written, so that a later version may choose better ones; the keys that users look
for are always written. A running agent keeps keys it does not know (``unknown="keep"``), so that a downgrade works;
everybody who changes the file refuses them, so that a misspelt key is not a setting that silently does nothing.

The file replaces the original's XML (docs/protocol/tentacle-services.md §5.4).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .._halibut.values import names_of, replace, value
from . import files, paths
from . import proxy as proxies
from .errors import ConfigurationError
from .proxy import NO_CHOICE, Proxy
from .trusted import TrustedServer, as_documents, from_documents

DEFAULT_PORT = 10933
# The version of the original whose behaviour is implemented; reported so that servers do not try to replace the agent.
ORIGINAL_VERSION = "9.2.4285"
LOG_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
TLS_VERSIONS = ("1.2", "1.3")
# What a running agent cannot change; everything else it takes up by itself.
_FIXED_AT_START = (
    "instance",
    "home_directory",
    "application_directory",
    "port",
    "listen_address",
    "no_listen",
    "reported_version",
    "adopt_scripts",
    "proxy",
)
_ALWAYS_WRITTEN = (
    "instance",
    "home_directory",
    "application_directory",
    "port",
    "listen_address",
    "no_listen",
    "certificate_path",
    "trusted_servers",
)
_LONGEST_WAIT = 7 * 24 * 3600
_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.%:-")


@value(frozen=True)
class Configuration:
    """What one instance is told; paths are absolute, thumbprints normalised.

    ``listen_address`` None means every address of the host, IPv6 and IPv4. ``port`` 0 asks the system for a free one.
    ``certificate_path`` is a PEM file holding key and certificate. ``minimum_tls_version`` is the oldest version of TLS
    that a caller may speak. ``idle_seconds`` closes a silent connection, ``drain_seconds`` is how long running scripts
    may go on after a stop was asked for. ``adopt_scripts`` has scripts that still run then handed over to the agent's
    next process, by the service manager. ``public_hostname`` and ``comms_port`` are where servers find the agent, where
    that is not where it listens; the agent itself only keeps them. ``proxy`` is what scripts are told. ``unknown``
    holds what a newer version wrote.
    """

    instance: str | None
    home_directory: str
    application_directory: str
    port: int = DEFAULT_PORT
    listen_address: str | None = None
    no_listen: bool = False
    trusted_servers: tuple[TrustedServer, ...] = ()
    certificate_path: str = paths.IDENTITY_NAME
    minimum_tls_version: str = TLS_VERSIONS[0]
    show_page: bool = True
    reported_version: str = ORIGINAL_VERSION
    idle_seconds: int = 60
    drain_seconds: int = 30
    adopt_scripts: bool = False
    log_level: str = "info"
    public_hostname: str | None = None
    comms_port: int | None = None
    proxy: Proxy = NO_CHOICE
    unknown: Mapping[str, Any] = MappingProxyType({})

    def trusted_pins(self) -> frozenset[str]:
        """Every trusted thumbprint, 40 or 64 upper-case hexadecimal digits."""
        return frozenset(server.thumbprint for server in self.trusted_servers)


def create(
    path: str, instance: str | None = None, home_directory: str | None = None, application_directory: str | None = None
) -> Configuration:
    """A fresh configuration for the file ``path``: nothing trusted, home beside the file unless another is named."""
    directory = os.path.dirname(os.path.abspath(path))
    home = os.path.abspath(os.path.expanduser(home_directory)) if home_directory else directory
    applications = application_directory or os.path.join(home, "Applications")
    return Configuration(
        instance=instance,
        home_directory=home,
        application_directory=os.path.abspath(os.path.expanduser(applications)),
        certificate_path=os.path.join(directory, paths.IDENTITY_NAME),
    )


def load(path: str, unknown: str = "refuse") -> Configuration:
    """Read the configuration file ``path``. Raises ConfigurationError or StorageError, with the key and the reason.

    ``unknown`` is "refuse" for everybody who may write the file again, "keep" for the running agent.
    """
    document = _document_of(path, files.read(path))
    strangers = {key: value for key, value in document.items() if key not in _RULES}
    if strangers and unknown != "keep":
        raise ConfigurationError(
            f"{path}: unknown key {', '.join(repr(key) for key in sorted(strangers))}. "
            f"Known keys are {', '.join(sorted(_RULES))}. Correct the spelling or remove the key."
        )
    directory = os.path.dirname(os.path.abspath(path))
    values = {key: _checked(path, key, value) for key, value in document.items() if key in _RULES}
    for key in ("home_directory", "application_directory", "certificate_path"):
        if values.get(key):
            values[key] = os.path.normpath(os.path.join(directory, values[key]))
    fresh = create(path, None, values.pop("home_directory", None), values.pop("application_directory", None))
    return replace(fresh, unknown=strangers, **values)


def _document_of(path: str, data: bytes) -> dict[str, Any]:
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    if text.startswith("<"):
        raise ConfigurationError(
            f"{path} is an XML file, as the original Tentacle writes it; this agent's configuration is JSON. "
            "Create an instance of its own with create-instance, which keeps the original's file as it is."
        )
    try:
        document = json.loads(text) if text else {}
    except ValueError as error:
        raise ConfigurationError(f"{path} is no valid JSON: {error}. Correct that place, or create it anew.") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} has to hold one JSON object, but holds {_kind(document)}.")
    return document


def to_document(configuration: Configuration, directory: str | None = None) -> dict[str, Any]:
    """The configuration as it stands in the file, in the file's order.

    Of ``certificate_path`` only what lies below ``directory`` is kept, so that a directory can be moved as a whole.
    """
    document: dict[str, Any] = {}
    for name in names_of(Configuration):
        setting = getattr(configuration, name)
        if name != "unknown" and (name in _ALWAYS_WRITTEN or setting != getattr(Configuration, name)):
            document[name] = setting
    document["trusted_servers"] = as_documents(configuration.trusted_servers)
    if "proxy" in document:
        document["proxy"] = proxies.as_document(configuration.proxy)
    prefix = os.path.join(directory, "") if directory else ""
    if prefix and configuration.certificate_path.startswith(prefix):
        document["certificate_path"] = configuration.certificate_path[len(prefix) :]
    document.update((key, configuration.unknown[key]) for key in sorted(configuration.unknown))
    return document


def to_facts(configuration: Configuration) -> dict[str, Any]:
    """Every setting, defaults included, as plain values."""
    return {
        **vars(configuration),
        "trusted_servers": [dict(vars(server)) for server in configuration.trusted_servers],
        "proxy": proxies.as_document(configuration.proxy),
        "unknown": dict(configuration.unknown),
    }


def dump(configuration: Configuration, directory: str | None = None) -> str:
    """The text of the configuration file: stable order, two blanks, a final newline."""
    return json.dumps(to_document(configuration, directory), indent=2, ensure_ascii=False) + "\n"


def save(path: str, configuration: Configuration, group: files.Account = None, owner: files.Account = None) -> None:
    """Write the configuration file ``path`` in one step. Raises StorageError.

    A new file is readable by its group only; owner, group and mode of one that is there stay, unless ``owner`` or
    ``group`` is given.
    """
    mode = 0o640 if group is not None or not os.path.exists(path) else None
    text = dump(configuration, os.path.dirname(os.path.abspath(path)))
    files.write_atomically(path, text.encode("utf-8"), mode, owner, group)


def change(path: str, function: Callable[[Configuration], Configuration]) -> tuple[Configuration, Configuration]:
    """Read, change by ``function`` and write ``path`` while nobody else does; returns before and after.

    Nothing is written when nothing differs. Raises ConfigurationError or StorageError.
    """
    with files.lock(os.path.dirname(os.path.abspath(path))):
        before = load(path)
        after = function(before)
        if after != before:
            save(path, after)
    return before, after


def restart_keys(before: Configuration, after: Configuration) -> list[str]:
    """The keys in which two configurations differ and that count for a running agent only after a restart."""
    return [key for key in _FIXED_AT_START if getattr(before, key) != getattr(after, key)]


def with_values(configuration: Configuration, **values: Any) -> Configuration:
    """The configuration with other values, each checked as if it stood in the file. Raises ConfigurationError."""
    strangers = sorted(set(values) - set(_RULES))
    if strangers:
        raise ConfigurationError(f"There is no setting {', '.join(strangers)}. Known are {', '.join(sorted(_RULES))}.")
    checked = {key: _checked("The configuration", key, value) for key, value in values.items()}
    for key in ("home_directory", "application_directory", "certificate_path"):
        if key in checked:
            checked[key] = os.path.abspath(checked[key])
    return replace(configuration, **checked)


def _checked(place: str, key: str, value: Any) -> Any:
    try:
        return _RULES[key](value)
    except ValueError as error:
        raise ConfigurationError(f"{place}: {key} {error}") from None


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "nothing" if value is None else names.get(type(value), "something else")


def _name(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"has to be a text or null, not {_kind(value)}.")
    return paths.check_instance_name(value) if value else None


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"has to be the path of a file or directory, not {value!r}.")
    return os.path.expanduser(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"has to be a text of one line, not {value!r}.")
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"has to be true or false, not {value!r}.")


def _port(value: Any) -> int:
    return _whole_number(value, 0, 65535)


def _seconds(value: Any) -> int:
    return _whole_number(value, 1, _LONGEST_WAIT)


def _drain(value: Any) -> int:
    return _whole_number(value, 0, _LONGEST_WAIT)


def _whole_number(value: Any, least: int, most: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise ValueError(f"has to be a whole number from {least} to {most}, not {value!r}.")


def _address(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in ("", "any")):
        return None
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return socket.inet_ntop(family, socket.inet_pton(family, value.strip()))
    import ipaddress  # takes 2 ms of an agent's start; only needed for an address with a zone

    try:
        return str(ipaddress.ip_address(value.strip()))
    except (ValueError, AttributeError):
        raise ValueError(f"has to be an IP address of this host or 'any', not {value!r}.") from None


def _hostname(value: Any) -> str | None:
    if value is None or value == "":
        return None
    host = value.strip() if isinstance(value, str) else ""
    host = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    if not host or not set(host) <= _HOST_CHARACTERS or host.count(":") == 1:
        raise ValueError(f"has to be a host's name or IP address alone, without scheme and port, not {value!r}.")
    return host


def _announced_port(value: Any) -> int | None:
    return None if value in (None, 0) and not isinstance(value, bool) else _whole_number(value, 1, 65535)


def _level(value: Any) -> str:
    if isinstance(value, str) and value.lower() in LOG_LEVELS:
        return value.lower()
    raise ValueError(f"has to be one of {', '.join(LOG_LEVELS)}, not {value!r}.")


def _tls_version(value: Any) -> str:
    if value in TLS_VERSIONS:
        return str(value)
    raise ValueError(f"has to be one of the texts {', '.join(TLS_VERSIONS)}, not {value!r}.")


_RULES: Mapping[str, Callable[[Any], Any]] = {
    "instance": _name,
    "home_directory": _path,
    "application_directory": _path,
    "port": _port,
    "listen_address": _address,
    "no_listen": _boolean,
    "trusted_servers": from_documents,
    "certificate_path": _path,
    "minimum_tls_version": _tls_version,
    "show_page": _boolean,
    "reported_version": _text,
    "idle_seconds": _seconds,
    "drain_seconds": _drain,
    "adopt_scripts": _boolean,
    "log_level": _level,
    "public_hostname": _hostname,
    "comms_port": _announced_port,
    "proxy": proxies.from_document,
}
