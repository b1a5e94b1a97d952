# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The web proxy that deployment scripts are told of (docs/protocol/tentacle-services.md §2.13).

The agent itself calls nobody. What is set here reaches scripts as variables, and tools of the server read them. The
password is no part of the configuration, which is shown and compared: it lies in a file of its own beside the key.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from .._halibut.values import names_of, value
from . import files
from .errors import StorageError

DEFAULT_PORT = 80
PASSWORD_NAME = "proxy-password"
_LONGEST_PASSWORD = 4096


@value(frozen=True)
class Proxy:
    """``use_default`` leaves the choice to the system; otherwise ``host`` is the proxy, and without one there is none.

    ``username`` is what the proxy asks for, with the password of the file ``password_path``.
    """

    use_default: bool = True
    host: str | None = None
    port: int = DEFAULT_PORT
    username: str | None = None


NO_CHOICE = Proxy()
"""What holds where nothing was set: the system's own settings."""


def from_document(value: Any) -> Proxy:
    """The key ``proxy`` of a configuration. Raises ValueError."""
    if isinstance(value, Proxy):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("has to be an object.")
    known = set(names_of(Proxy))
    strangers = sorted(set(value) - known)
    if strangers:
        raise ValueError(f"unknown key {', '.join(strangers)}; known are {', '.join(sorted(known))}.")
    proxy = Proxy(**value)
    if not isinstance(proxy.use_default, bool):
        raise ValueError(f"use_default has to be true or false, not {proxy.use_default!r}.")
    for name in ("host", "username"):
        text = getattr(proxy, name)
        if text is not None and not (isinstance(text, str) and text and text.isprintable()):
            raise ValueError(f"{name} has to be a text of one line or null, not {text!r}.")
    if isinstance(proxy.port, bool) or not isinstance(proxy.port, int) or not 1 <= proxy.port <= 65535:
        raise ValueError(f"port has to be a whole number from 1 to 65535, not {proxy.port!r}.")
    return proxy


def as_document(proxy: Proxy) -> dict[str, Any]:
    """The proxy as it stands in the file."""
    return dict(vars(proxy))


def password_path(certificate_path: str) -> str:
    """The file of the password: it lies beside the identity, for the same readers."""
    return os.path.join(os.path.dirname(certificate_path), PASSWORD_NAME)


def read_password(path: str) -> str | None:
    """The password, or None when there is none. Raises StorageError for a file that this account may not read."""
    try:
        return files.read(path, _LONGEST_PASSWORD).decode("utf-8", "replace").rstrip("\r\n") or None
    except StorageError as error:
        if error.cause == "file_missing":
            return None
        raise


def save_password(path: str, password: str | None, group: files.Account = None) -> None:
    """Keep the password, readable as ``files.write_secret`` says, or remove the file when there is none.

    Raises StorageError.
    """
    if password:
        files.write_secret(path, password.encode("utf-8"), group)
        return
    with contextlib.suppress(FileNotFoundError):
        try:
            os.unlink(path)
        except PermissionError as error:
            raise StorageError(f"The file {path} could not be removed: {error.strerror}.") from error
