# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the demo lives: hosts, ports, inventory, and an Ansible that writes nowhere else.

Everything is below one directory (``.dev/demo`` of the checkout). Each "host" is a loopback address and a directory
with programs, configuration and home of its own; Ansible reaches it with the connection ``local``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys

import archive
import ports

ROOT = pathlib.Path(__file__).resolve().parents[1]
HERE = ROOT / "demo"
PLACE = ROOT / ".dev" / "demo"
AGENT_PORT = 10933
SITE_PORT = 8080
ADDRESSES = {"web1": "127.0.10.1", "web2": "127.0.10.2", "web3": "127.0.10.3"}
_SYSTEM_PYTHON, _OLDEST_PYTHON = "/usr/bin/python3", (3, 9)
_FOREIGN = ("ANSIBLE_", "PYTHON", "XDG_", "DEMO_", "Tentacle")


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Host:
    """A host of the demo."""

    name: str
    address: str
    port: int
    site_port: int
    directory: str

    @property
    def executable(self) -> pathlib.Path:
        return pathlib.Path(self.directory) / "programs" / "tentacle-agent"

    @property
    def configuration_home(self) -> pathlib.Path:
        return pathlib.Path(self.directory) / "etc"

    @property
    def configuration(self) -> pathlib.Path:
        return self.configuration_home / self.name / "tentacle.json"

    @property
    def home(self) -> pathlib.Path:
        return pathlib.Path(self.directory) / "home"

    @property
    def site_pid_file(self) -> pathlib.Path:
        return self.home / "Applications" / "site" / "site.pid"


def check_prerequisites() -> pathlib.Path:
    """The directory of this Python's commands. Raises DemoError naming what is missing."""
    commands = pathlib.Path(sys.executable).parent
    if not (commands / "ansible-playbook").exists():
        raise DemoError(f"There is no ansible-playbook beside {sys.executable}. Start the demo with './dev demo'.")
    for command, package in (("/bin/bash", "bash"), ("tar", "tar"), ("gzip", "gzip")):
        if shutil.which(command) is None:
            raise DemoError(f"There is no {command} here (apt-get install {package}).")
    return commands


def choose_hosts() -> tuple[list[Host], list[str]]:
    """The hosts with free ports, and a sentence for every wanted port that was taken."""
    hosts, remarks = [], []
    for name, address in ADDRESSES.items():
        chosen = {wanted: ports.choose(address, wanted) for wanted in (AGENT_PORT, SITE_PORT)}
        for wanted, port in chosen.items():
            if port != wanted:
                remarks.append(f"{address}:{wanted} is taken by {ports.holder(address, wanted)}; {name} uses {port}")
        hosts.append(Host(name, address, chosen[AGENT_PORT], chosen[SITE_PORT], str(PLACE / "hosts" / name)))
    return hosts, remarks


def prepare(hosts: list[Host]) -> pathlib.Path:
    """Make the directory anew and write package, inventory and Ansible's configuration; returns the package."""
    for name in ("ansible", "hosts", "identities", "collections", "tmp", "user"):
        if (PLACE / name).exists():
            shutil.rmtree(PLACE / name)
    for name in ("ansible", "identities", "logs", "tmp", "user"):
        (PLACE / name).mkdir(parents=True, exist_ok=True)
    (PLACE / "identities").chmod(stat.S_IRWXU)
    link = PLACE / "collections" / "ansible_collections" / "listening" / "tentacle"
    link.parent.mkdir(parents=True)
    link.symlink_to(ROOT)
    package = archive.build()
    path = PLACE / "package.tar.gz"
    path.write_bytes(package)
    inventory = json.dumps(_inventory(hosts, path, package), indent=2)
    (PLACE / "inventory.json").write_text(inventory + "\n", encoding="utf-8")
    (PLACE / "ansible.cfg").write_text(_ansible_configuration(), encoding="utf-8")
    return path


def environment(**more: str) -> dict[str, str]:
    """The surroundings of every command of the demo: home and temporary files below its directory, no proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    commands = str(pathlib.Path(sys.executable).parent)
    kept |= {
        "ANSIBLE_CONFIG": str(PLACE / "ansible.cfg"),
        "HOME": str(PLACE / "user"),
        "TMPDIR": str(PLACE / "tmp"),
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join([commands, kept.get("PATH", os.defpath)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "no_proxy": "*",
    }
    return kept | more


def site_url(host: Host) -> str:
    return f"http://{host.address}:{host.site_port}/"


def _inventory(hosts: list[Host], path: pathlib.Path, package: bytes) -> dict[str, object]:
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": _python_of_the_hosts(),
        "identities": str(PLACE / "identities"),
        "tentacle_agent_python": sys.executable,
    }
    web = {
        "package": str(path),
        "package_version": archive.version(package),
        "package_sha256": hashlib.sha256(package).hexdigest(),
        "site_python": _python_of_the_hosts(),
        "tentacle_service_manager": "standalone",
    }
    members = {
        host.name: {
            "ansible_host": host.address,
            "site_port": host.site_port,
            "tentacle_instance": host.name,
            "tentacle_listen_address": host.address,
            "tentacle_listen_port": host.port,
            "tentacle_programs_directory": str(host.executable.parent),
            "tentacle_configuration_home": str(host.configuration_home),
            "tentacle_home_directory": str(host.home),
        }
        for host in hosts
    }
    groups = {"web": {"hosts": members, "vars": web}, "controllers": {"hosts": {"server": {}}}}
    return {"all": {"vars": common, "children": groups}}


def _python_of_the_hosts() -> str:
    """Not the environment's, because a host has its own: the system's, else the one that the environment is made of."""
    code = f"import sys; sys.exit(sys.version_info < {_OLDEST_PYTHON})"
    suits = (
        os.path.exists(_SYSTEM_PYTHON)
        and not subprocess.run([_SYSTEM_PYTHON, "-I", "-c", code], check=False).returncode
    )
    return _SYSTEM_PYTHON if suits else os.path.realpath(sys.executable)


def _ansible_configuration() -> str:
    return f"""[defaults]
inventory = {PLACE}/inventory.json
collections_path = {PLACE}/collections
library = {ROOT}/plugins/modules
action_plugins = {ROOT}/plugins/action
module_utils = {ROOT}/plugins/module_utils
doc_fragment_plugins = {ROOT}/plugins/doc_fragments
callback_plugins = {HERE}/callback
home = {PLACE}/ansible
local_tmp = {PLACE}/ansible/tmp
remote_tmp = {PLACE}/tmp
forks = 3
host_key_checking = true
retry_files_enabled = false
localhost_warning = false
"""
