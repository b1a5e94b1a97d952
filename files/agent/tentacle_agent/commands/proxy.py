# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``proxy``: the web proxy that scripts are told of (docs/protocol/tentacle-services.md §5.2, §2.13).

Enabled without a host means the system's own settings, with a host that proxy, and not enabled no proxy at all.
"""

from __future__ import annotations

from module_utils._halibut.values import replace
from module_utils._instance import configuration, proxy
from module_utils._instance.configuration import Configuration
from module_utils._instance.proxy import Proxy

from ..arguments import INSTANCE_OPTIONS, UsageError, Values, option
from . import Context
from .import_certificate import password_from

NAME = "proxy"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Configure the HTTP proxy used by Octopus"
_PASSWORD = "proxyPassword"
_PASSWORD_FILE = "proxyPassword-file"
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("proxyEnable=", "Whether scripts use a proxy (true or false)"),
    option("proxyHost=", "The proxy's host. Without one, the system's own settings hold."),
    option("proxyPort=", f"The proxy's port. Defaults to {proxy.DEFAULT_PORT}."),
    option("proxyUsername=", "The name that the proxy asks for"),
    option(f"{_PASSWORD}=", "The password that the proxy asks for", sensitive=True),
    option(
        f"{_PASSWORD_FILE}=", "A file whose first line is that password, or - for standard input; keeps it out of ps"
    ),
)


def execute(options: Values, context: Context) -> int:
    """Set the proxy anew; what is not given is no part of it."""
    text = options.required("proxyEnable", "Say whether scripts use a proxy: --proxyEnable=true or false.")
    record = context.select(options)
    wanted = _proxy(text.strip().lower(), options)
    password = password_from(options, _PASSWORD, context, _PASSWORD_FILE)
    if password and not wanted.username:
        raise UsageError("A proxy password needs a name: give --proxyUsername as well.")

    def change(before: Configuration) -> Configuration:
        return replace(before, proxy=wanted)

    _before, after = configuration.change(record.path, change)
    proxy.save_password(proxy.password_path(after.certificate_path), password)
    context.info(_describe(wanted))
    context.warn("These changes require a restart of the Tentacle.")
    return 0


def _proxy(enabled: str, options: Values) -> Proxy:
    if enabled not in ("true", "false"):
        raise UsageError(f"--proxyEnable has to be true or false, not '{enabled}'.")
    host, username = options.get("proxyHost"), options.get("proxyUsername")
    if enabled == "false":
        if host or username:
            raise UsageError("Without a proxy (--proxyEnable=false) there is no host and no name to give.")
        return Proxy(use_default=False)
    try:
        return proxy.from_document(
            {
                "use_default": host is None,
                "host": host,
                "port": options.number("proxyPort", proxy.DEFAULT_PORT),
                "username": username,
            }
        )
    except ValueError as error:
        raise UsageError(f"This cannot be a proxy: {error}") from None


def _describe(wanted: Proxy) -> str:
    if wanted.use_default:
        return "Scripts use the system's proxy settings"
    return f"Scripts use the proxy {wanted.host}:{wanted.port}" if wanted.host else "Scripts use no proxy"
