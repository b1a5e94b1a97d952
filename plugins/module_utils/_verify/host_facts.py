# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What only the agent's own host can tell: instance, service, holder of the port, rights, disk, log, packet filter.

Everything here reads. What this account may not see is None, and `notes` says what it would take. No fact costs more
than a few hundredths of a second, and none can fail the check.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from typing import Any

from .. import _processes
from .._instance import configuration, paths, records
from .._instance.errors import InstanceError
from .._instance.unit import RUNNING_MARK

SECONDS = 10  # for each program that is asked
LOG_LINES, LOG_BYTES, LINE_LENGTH = 15, 32 * 1024, 300
FULL_BYTES = 1024 * 1024  # with less than this free nothing works any more
_PROPERTIES = ("LoadState", "ActiveState", "SubState", "Result", "NRestarts", "ExecMainStatus", "MainPID", "User")
_RIGHTS = 'test -r "$1" || echo configuration; test -r "$2" || echo identity; test -w "$3" -a -x "$3" || echo home'


@dataclass
class HostFacts:
    """One host, seen from itself. Each is None where it was not learned."""

    instance: dict[str, Any] | None = None
    other_instances: list[dict[str, Any]] = field(default_factory=list)
    service: dict[str, Any] | None = None
    holders: list[dict[str, Any]] = field(default_factory=list)
    rights: dict[str, Any] | None = None
    disk: dict[str, Any] | None = None
    log: list[str] | None = None
    firewall: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def gather(port: int, instance: str | None = None) -> HostFacts:
    """The facts about an instance by its name, or else about the one that is configured for `port`."""
    facts = HostFacts()
    found = [_instance(record, facts) for record in _records()]
    chosen = [entry for entry in found if _is_meant(entry, port, instance)]
    facts.instance = chosen[0] if chosen else None
    facts.other_instances = [
        {"name": entry["name"], "port": entry["port"]} for entry in found if entry is not facts.instance
    ]
    facts.holders = [_holder(entry, facts) for entry in _processes.holders(port)]
    name = facts.instance["name"] if facts.instance else instance
    if name:
        facts.service = _service(name, facts)
    if facts.instance is not None:
        home = facts.instance["home_directory"]
        facts.rights = _rights(facts)
        facts.disk = _disk(home)
        facts.log = _log(os.path.join(home, "Logs", "OctopusTentacle.txt"), facts) if home else None
    return facts


def is_known(port: int) -> bool:
    """Whether this host has an instance for that port: then it is worth looking at unasked."""
    return any(_is_meant(_instance(record, HostFacts()), port, None) for record in _records())


def _is_meant(entry: dict[str, Any], port: int, instance: str | None) -> bool:
    if instance is not None:
        return bool(entry["name"].lower() == instance.lower())
    return bool(entry["port"] == port)


def _records() -> list[records.Record]:
    """The instances of this account, and those of the machine."""
    found = {record.path: record for record in (*records.list_records(paths.MACHINE), *records.list_records())}
    return list(found.values())


def _instance(record: records.Record, facts: HostFacts) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": record.name,
        "configuration": record.path,
        "error": None,
        "port": None,
        "listen_address": None,
        "no_listen": None,
        "home_directory": None,
        "certificate_path": None,
        "trusted_thumbprints": None,
    }
    try:
        loaded = configuration.load(record.path, unknown="keep")
    except InstanceError as error:
        entry["error"] = str(error)
        facts.notes.append(f"The configuration of {record.name} was not read: {error}")
        return entry
    entry.update(
        port=loaded.port,
        listen_address=loaded.listen_address,
        no_listen=loaded.no_listen,
        home_directory=loaded.home_directory,
        certificate_path=loaded.certificate_path,
        trusted_thumbprints=sorted(loaded.trusted_pins()),
    )
    return entry


def _holder(entry: _processes.Holder, facts: HostFacts) -> dict[str, Any]:
    """Who listens; `of_agent` and `of_script` say what the process is, None where this account may not see it."""
    found = {**entry.facts(), "of_agent": None, "of_script": None, "state": None}
    if entry.pid is None:
        facts.notes.append(f"Which process of {entry.user} holds port {entry.port} needs root to be seen.")
        return found
    command = entry.command or ""
    found["of_agent"] = bool({"run", "agent"} & set(command.split()[1:])) and any(
        mark in command for mark in ("tentacle_agent", "tentacle-agent", "--instance", "--config")
    )
    with contextlib.suppress(OSError), open(f"/proc/{entry.pid}/environ", "rb") as file:
        found["of_script"] = not found["of_agent"] and b"\0TentacleHome=" in b"\0" + file.read(256 * 1024)
    with contextlib.suppress(OSError), open(f"/proc/{entry.pid}/stat", encoding="utf-8", errors="replace") as file:
        found["state"] = file.read(4096).rpartition(")")[2].split()[0]
    return found


def _service(instance: str, facts: HostFacts) -> dict[str, Any] | None:
    """What systemd knows about the unit of an instance."""
    if not os.path.isdir(RUNNING_MARK) or shutil.which("systemctl") is None:
        facts.notes.append("systemd does not run here: the agent's service is not known.")
        return None
    try:
        unit = paths.unit_name(instance)
    except InstanceError:
        return None
    shown = _ask(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", unit])
    if shown is None:
        facts.notes.append("systemctl did not answer.")
        return None
    values = dict(line.partition("=")[::2] for line in shown.splitlines())
    return {
        "unit": unit,
        "installed": values.get("LoadState") == "loaded",
        "active": values.get("ActiveState"),
        "sub": values.get("SubState"),
        "result": values.get("Result"),
        "restarts": int(values.get("NRestarts") or 0),
        "exit_status": int(values.get("ExecMainStatus") or 0),
        "pid": int(values.get("MainPID") or 0) or None,
        "account": values.get("User") or "root",
    }


def _rights(facts: HostFacts) -> dict[str, Any] | None:
    """What the agent's account lacks: read on configuration and identity, write on the home directory."""
    instance = facts.instance or {}
    places = [instance["configuration"], instance["certificate_path"], instance["home_directory"]]
    if not facts.service or not all(places):
        return None
    account = facts.service["account"]
    try:
        entry = pwd.getpwnam(account)
    except KeyError:
        return {"account": account, "lacks": ["account"]}
    command = ["sh", "-c", _RIGHTS, "sh", *places]
    if entry.pw_uid == os.geteuid():
        said = _ask(command)
    elif os.geteuid() == 0:
        groups = os.getgrouplist(account, entry.pw_gid)
        said = _ask(command, user=entry.pw_uid, group=entry.pw_gid, extra_groups=groups)
    else:
        facts.notes.append(f"The rights of the account {account} need root to be seen.")
        return None
    return None if said is None else {"account": account, "lacks": said.split()}


def _disk(home: str | None) -> dict[str, Any] | None:
    try:
        numbers = os.statvfs(home or "")
    except OSError:
        return None
    free = numbers.f_bavail * numbers.f_frsize
    no_files = numbers.f_files > 0 and numbers.f_favail == 0
    return {
        "path": home,
        "bytes_free": free,
        "bytes_total": numbers.f_blocks * numbers.f_frsize,
        "files_free": numbers.f_favail if numbers.f_files else None,
        "full": free < FULL_BYTES or no_files,
    }


def _log(path: str, facts: HostFacts) -> list[str] | None:
    """The last lines of the agent's log."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - LOG_BYTES, 0))
            text = file.read(LOG_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        facts.notes.append(f"The agent's log {path} was not read: {error.strerror}.")
        return None
    return [line[:LINE_LENGTH] for line in text.splitlines()[-LOG_LINES:]]


def _ask(command: list[str], **account: Any) -> str | None:
    """What a program prints; None where it cannot be run."""
    try:
        # The agent runs this too, and has no AnsibleModule whose run_command could be called.
        done: subprocess.CompletedProcess[str] = subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
            cwd="/",
            **account,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
