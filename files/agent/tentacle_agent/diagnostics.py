# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the log should know about a call of the command line: who called what, where, on which system.

It goes into the log only, never to the console (docs/protocol/tentacle-services.md §5.1). The log belongs to the
agent's account, which must not be able to make root write elsewhere: only a plain file of the caller's own is added to.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys

from module_utils._instance.errors import InstanceError

from . import arguments
from ._version import VERSION
from .commands import Command, Context

HIDDEN = "********"
# Probes call these over and over, or they have no log to write to.
_UNRECORDED = ("create-instance", "delete-instance", "livez")


def record(command: Command, values: arguments.Values, context: Context) -> None:
    """Add the call to the log of the instance it is for; a call that cannot be recorded goes on without."""
    with contextlib.suppress(InstanceError, OSError):
        if values.get("instance") == "*" or command.NAME in _UNRECORDED or _only_asks(values):
            return
        _unused, wanted = context.load(values)
        from .log import NAME

        _append(os.path.join(wanted.home_directory, "Logs", f"{NAME}.txt"), _lines(command, values, context))


def _only_asks(values: arguments.Values) -> bool:
    """Whether this is ``service --status`` and nothing else, which monitoring calls."""
    return {name for name, _unused in values.given} - {"instance", "config", "format", "manager"} == {"status"}


def _lines(command: Command, values: arguments.Values, context: Context) -> list[str]:
    import platform
    import tempfile

    is_64_bit = sys.maxsize > 2**32
    return [
        f"tentacle-agent version {VERSION} (Python {platform.python_version()})",
        f"OperatingSystem: {platform.platform()}",
        f"OsBitVersion: {'x64' if is_64_bit else 'x86'}",
        f"Is64BitProcess: {is_64_bit}",
        f"CurrentUser: {_user_name()}",
        f"MachineName: {platform.node()}",
        f"ProcessorCount: {os.cpu_count()}",
        f"CurrentDirectory: {context.directory}",
        f"TempDirectory: {tempfile.gettempdir()}",
        f"HostProcessName: {os.path.basename(sys.executable)}",
        f"==== {command.NAME} ====",
        f"CommandLine: {' '.join(_without_secrets(command, values, context))}",
    ]


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _without_secrets(command: Command, values: arguments.Values, context: Context) -> list[str]:
    secrets = arguments.sensitive_values(command.OPTIONS, values)
    return [_without(secrets, word) for word in context.arguments]


def _without(secrets: list[str], word: str) -> str:
    for secret in secrets:
        if word.endswith(secret):
            return word[: -len(secret)] + HIDDEN
    return word


def _append(path: str, lines: list[str]) -> None:
    """Add lines in the log's own format; nothing is created. Raises OSError."""
    import logging

    from .log import LineFormatter

    formatter = LineFormatter()
    records = (logging.LogRecord("tentacle_agent", logging.INFO, "", 0, "%s", (line,), None) for line in lines)
    text = "".join(f"{formatter.format(one)}\n" for one in records)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    try:
        present = os.fstat(descriptor)
        if stat.S_ISREG(present.st_mode) and present.st_uid == os.geteuid():
            os.write(descriptor, text.encode("utf-8", "replace"))
    finally:
        os.close(descriptor)
