# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The systemd unit of an instance, rendered in this one place for the command line and for the role.

Deployment scripts run as children of the agent and inherit its sandbox. What is closed here is therefore only what an
unprivileged deployment never needs; what it does need is listed below too, with the reason why it stays open.

    option                            reason
    User, Group                       an account of its own, so that a script is not root
    NoNewPrivileges                   set-uid programs give a script nothing; off when scripts may use sudo
    CapabilityBoundingSet (empty)     nothing the account starts can ever hold a capability
    AmbientCapabilities (empty)       none are handed over either
    ProtectSystem=full                /usr, /boot and /etc are read-only, whatever their permissions became
    ReadWritePaths                    the directories of the instance stay writable where they lie below those
    PrivateDevices                    no raw disks, no kernel memory
    ProtectKernelTunables, -Modules   /proc/sys and /sys are read-only, no module is loaded
    ProtectKernelLogs, ProtectClock   the kernel's log and the clock are out of reach
    ProtectControlGroups              the hierarchy of control groups is read-only
    ProtectHostname                   the host keeps its name
    RestrictRealtime                  no script starves the host by real-time scheduling
    RestrictAddressFamilies           local, IPv4, IPv6 and netlink sockets; no raw or exotic ones
    LockPersonality                   no way back to old, weaker execution domains
    SystemCallArchitectures=native    no second system call table

    left open                         because
    MemoryDenyWriteExecute            deployments bring .NET and other just-in-time compilers
    SystemCallFilter                  the same, and a killed script is hard to explain
    ProtectHome, PrivateTmp           deployments write to home directories and share /tmp with what they deploy
    ProtectSystem=strict              deployments write where the applications live
    RestrictNamespaces                rootless containers are deployed too
    RestrictSUIDSGID                  group inheritance of shared directories is everyday practice
    ProtectProc                       scripts look for the processes they replace
    RemoveIPC                         a deployment that outlives a restart keeps its shared memory
    UMask                             files of web sites have to be readable by the web server

When scripts may use sudo, and for root itself, everything that would bind the privileged command as well is left out:
a package could not be installed under ProtectSystem, for instance.

``Type=notify`` makes whoever starts the unit wait until the agent listens. ``WatchdogSec`` has an agent restarted that
runs but does not serve its port: it sends a sign of life only after it has connected to itself. Two minutes are long
enough for the busiest host. ``KillMode=process`` lets deployments that run survive a restart of the agent, and
``FileDescriptorStoreMax`` lets it hand them over to its next process, four descriptors each, where it is told to.
``TimeoutStopSec`` is the time that running scripts have, and some more. ``OOMPolicy=continue`` keeps the agent when a
script was too greedy. ``LimitNOFILE`` allows for thousands of connections. ``Restart=always`` is what the original has
(docs/protocol/tentacle-services.md §5.8).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from . import paths
from .errors import ConfigurationError

RUNNING_MARK = "/run/systemd/system"  # there exactly when systemd is the init of this machine
SYSTEM_DIRECTORY = "/etc/systemd/system"  # where an administrator's units of the machine lie
SYSTEM_TARGET, USER_TARGET = "multi-user.target", "default.target"  # what starts units with the host, with an account
OPEN_FILES = 65536
KEPT_DESCRIPTORS = 1024
STOP_MARGIN_SECONDS = 30
WATCHDOG_SECONDS = 120
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?|[0-9]+")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@+=:,./$%-]+")
_DEPENDENCY = re.compile(r"[A-Za-z0-9:_.@\\-]+")

_SANDBOX = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectSystem=full",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
)


def user_directory(environment: Mapping[str, str] | None = None) -> str:
    """Where the units of this account's own service manager lie."""
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_CONFIG_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.config"), "systemd", "user")


def render(
    configuration_path: str,
    instance: str | None,
    executable: str | Sequence[str],
    user: str = "tentacle",
    group: str | None = None,
    *,
    scripts_may_sudo: bool = False,
    drain_seconds: int = 30,
    writable: Sequence[str] = (),
    depends_on: str | None = None,
) -> str:
    """The text of the system unit ``tentacle-agent@<instance>.service``.

    ``executable`` is the launcher or the whole beginning of the command; ``group`` is the user's own group when left
    out; ``writable`` are the home and application directories; ``depends_on`` is a further unit to start after.
    Raises ConfigurationError for a value that cannot stand in a unit.
    """
    for account in (user, group):
        if account is not None and not _ACCOUNT.fullmatch(account):
            raise ConfigurationError(f"'{account}' cannot be a service's account: it is no name of a user or group.")
    unit = [
        "[Unit]",
        f"Description=Octopus Deploy: Tentacle deployment agent ({instance or configuration_path})".replace("%", "%%"),
        f"After=network-online.target{_dependency(depends_on)}",
        "Wants=network-online.target",
    ]
    service = [
        "[Service]",
        f"User={user}",
        *([f"Group={group}"] if group else []),
        *_service_lines(configuration_path, executable, drain_seconds),
        f"OOMPolicy=continue\nLimitNOFILE={OPEN_FILES}",
        *_sandbox(user, scripts_may_sudo, writable),
    ]
    return _join(unit, service, SYSTEM_TARGET)


def render_for_user(
    configuration_path: str, instance: str | None, executable: str | Sequence[str], *, drain_seconds: int = 30
) -> str:
    """The text of the unit for ``systemd --user``: no account and no sandbox, which user managers cannot all set up.

    NoNewPrivileges is left out as well: whoever may use sudo without a service may use it in one.
    """
    unit = [
        "[Unit]",
        f"Description=Octopus Deploy: Tentacle deployment agent ({instance or configuration_path})".replace("%", "%%"),
    ]
    service = ["[Service]", *_service_lines(configuration_path, executable, drain_seconds)]
    return _join(unit, service, USER_TARGET)


def render_identity(
    configuration_path: str, instance: str, executable: str, certificate_path: str, options: Sequence[str] = ()
) -> str:
    """The text of the unit that makes the identity at the first boot of a host that was started from an image.

    It runs once, as root, before the agent, which needs it; where an identity is there, it does nothing. ``options``
    are further ones of ``new-certificate``, whose output, the thumbprint, goes to the journal.
    Raises ConfigurationError for a value that cannot stand in a unit, SelectionError for an impossible name.
    """
    agent = paths.unit_name(instance)
    command = [executable, "new-certificate", "--if-blank", f"--config={configuration_path}", *options]
    unit = [
        "[Unit]",
        f"Description=Octopus Deploy: identity of the Tentacle deployment agent ({instance})".replace("%", "%%"),
        f"ConditionPathExists=!{_literal(certificate_path)}",
        f"Before={agent}",
    ]
    service = [
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        f"ExecStart={' '.join(_quoted(word.replace('$', '$$')) for word in (*command, '--noninteractive'))}",
    ]
    install = ["[Install]", f"RequiredBy={agent}"]
    return "\n\n".join("\n".join(section) for section in (unit, service, install)) + "\n"


def _service_lines(configuration_path: str, executable: str | Sequence[str], drain_seconds: int) -> list[str]:
    command = [executable] if isinstance(executable, str) else list(executable)
    words = [*command, "run", f"--config={configuration_path}", "--noninteractive"]
    return [
        "Type=notify",
        f"ExecStart={' '.join(_quoted(word.replace('$', '$$')) for word in words)}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
        "RestartSec=2",
        f"WatchdogSec={WATCHDOG_SECONDS}",
        "KillMode=process",
        f"FileDescriptorStoreMax={KEPT_DESCRIPTORS}",
        f"TimeoutStopSec={drain_seconds + STOP_MARGIN_SECONDS}",
    ]


def _sandbox(user: str, scripts_may_sudo: bool, writable: Sequence[str]) -> list[str]:
    if scripts_may_sudo or user in ("root", "0"):
        return []
    # The dash lets the service start before such a directory exists.
    places = [f"ReadWritePaths={' '.join(_quoted('-' + path) for path in sorted(set(writable)))}"] if writable else []
    return [*_SANDBOX, *places]


def _dependency(depends_on: str | None) -> str:
    if not depends_on:
        return ""
    names = depends_on.replace(",", " ").replace("/", " ").split()
    if not all(_DEPENDENCY.fullmatch(name) for name in names):
        raise ConfigurationError(f"'{depends_on}' cannot be a dependency: it is no name of a unit.")
    return "".join(f" {name if '.' in name else name + '.service'}" for name in names)


def _quoted(word: str) -> str:
    """A word of a unit file that means itself: specifiers are escaped, blanks are quoted."""
    word = _literal(word)
    if _PLAIN_WORD.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _literal(text: str) -> str:
    """The whole value of a setting, which is never quoted: only specifiers have to be escaped."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ConfigurationError(f"{text!r} cannot stand in a systemd unit: it holds a control character.")
    return text.replace("%", "%%")


def _join(unit: list[str], service: list[str], target: str) -> str:
    install = ["[Install]", f"WantedBy={target}"]
    return "\n\n".join("\n".join(section) for section in (unit, service, install)) + "\n"
