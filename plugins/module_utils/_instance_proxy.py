# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The web proxy that scripts are told of, as the options of a task want it, with its password in a file of its own.

This module util is **private** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._instance import proxy
from ._instance.errors import ConfigurationError
from ._instance.proxy import NO_CHOICE, Proxy

_PROXIES_BY_NAME = {"none": Proxy(use_default=False), "default": NO_CHOICE}


class ProxyChange:
    """What ``proxy_host`` and its companions want; without ``proxy_host`` everything stays as it is."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._host: str | None = params["proxy_host"]
        self._port: int | None = params["proxy_port"]
        self._username: str | None = params["proxy_username"] or None
        self._password: str | None = params["proxy_password"] or None

    def applied_to(self, before: Proxy) -> Proxy:
        """The proxy afterwards. Raises ConfigurationError."""
        if self._host is None:
            return before
        if self._host in _PROXIES_BY_NAME:
            if self._username or self._password:
                raise ConfigurationError(
                    f"A name or password for a proxy was given, and 'proxy_host' is '{self._host}', which is no proxy. "
                    "Name the proxy, or leave both out."
                )
            return _PROXIES_BY_NAME[self._host]
        if self._password and not self._username:
            raise ConfigurationError("A proxy's password needs a name: give 'proxy_username' as well.")
        port = proxy.DEFAULT_PORT if self._port is None else self._port
        try:
            return proxy.from_document(
                {"use_default": False, "host": self._host, "port": port, "username": self._username}
            )
        except ValueError as error:
            raise ConfigurationError(f"'proxy_host' and its companions: {error}") from None

    def password_differs(self, path: str) -> bool:
        """Whether ``apply`` changes the password in the file ``path``. One that is not given is kept with its name."""
        if self._host is None or (self._username and self._password is None):
            return False
        return proxy.read_password(path) != self._password

    def apply(self, path: str, group: str | None) -> None:
        """Keep the password for the agent's ``group`` to read, or remove it. Raises StorageError."""
        if self.password_differs(path):
            proxy.save_password(path, self._password, group)
