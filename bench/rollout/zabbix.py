# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer: `community.zabbix.zabbix_agent` as the `ansible` package brings it, with Debian's own agent.

The hosts reach no package mirror. So the agent's package lies in a repository on each host, from which the role
installs it. What it depends on is installed before, as the hosts also have the libraries of our agent before.
"""

from __future__ import annotations

import hashlib
import io
import pathlib
import re
import subprocess
import sys
import tarfile
import zipfile
from typing import Any

from hosts import NAMES, Hosts
from processes import BenchError

# The newest of the package that the oldest supported controller can have.
_ANSIBLE = "ansible==12.3.0"
_COLLECTIONS = re.compile(r"ansible_collections/(community/(zabbix|general)|ansible/(posix|utils|netcommon|windows))/")
_PACKAGE = "zabbix-agent"
_REPOSITORY = "/var/cache/zabbix"
PLAY: list[dict[str, Any]] = [
    {
        "hosts": "targets",
        "become": True,
        "roles": [{"role": "community.zabbix.zabbix_agent"}],
        "vars": {
            "zabbix_manage_repo": False,
            "zabbix_agent_version": 6.0,
            "zabbix_agent_install_agent_only": True,
            "zabbix_agent_server": "10.77.0.1",
            # where Debian's package has them
            "zabbix_agent_logfile": "/var/log/zabbix-agent/zabbix_agentd.log",
            "zabbix_agent_pidfile": "/run/zabbix/zabbix_agentd.pid",
            "zabbix_agent_include_dirs": ["/etc/zabbix/zabbix_agentd.conf.d"],
        },
    }
]


class Zabbix:
    """The peer's collections and packages, fetched once into ``place``, which is kept for the next time."""

    def __init__(self, place: pathlib.Path) -> None:
        self.place = place
        self.collections = place / "ansible_collections"
        if not self.collections.exists():
            self._fetch_collections()

    def describe(self) -> str:
        manifest = (self.collections / "community" / "zabbix" / "MANIFEST.json").read_text(encoding="utf-8")
        version = re.search(r'"version": "([^"]+)"', manifest)
        return f"community.zabbix {version[1] if version else '?'} of {_ANSIBLE}"

    def prepare(self, hosts: Hosts) -> None:
        """On fresh hosts: install the libraries, and let apt know the repository with the agent alone."""
        archive = _archive(self._packages(hosts))
        commands = (
            f"mkdir -p {_REPOSITORY}/libraries && tar -C {_REPOSITORY} -xf -",
            f"DEBIAN_FRONTEND=noninteractive dpkg -i {_REPOSITORY}/libraries/*.deb >/dev/null",
            "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*",
            f"echo 'deb [trusted=yes] file:{_REPOSITORY} ./' >/etc/apt/sources.list && apt-get -qq update",
        )
        for name in NAMES:
            for number, command in enumerate(commands):
                hosts.execute(name, command, archive if number == 0 else None)

    def _fetch_collections(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(self.place), _ANSIBLE]
        if subprocess.run(pip, check=False).returncode:
            raise BenchError(f"{_ANSIBLE}, which has the peer's role, could not be fetched from the package index")
        (wheel,) = self.place.glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as package:
            package.extractall(self.place, [name for name in package.namelist() if _COLLECTIONS.match(name)])
        wheel.unlink()

    def _packages(self, hosts: Hosts) -> list[pathlib.Path]:
        """The agent's package and those it needs that a host does not have, by this machine's apt."""
        archives = self.place / "packages"
        if not list(archives.glob(f"{_PACKAGE}_*.deb")):
            (archives / "partial").mkdir(parents=True, exist_ok=True)
            status = self.place / "status"
            status.write_text(hosts.execute(NAMES[0], "cat /var/lib/dpkg/status"), encoding="utf-8")
            apt = ["apt-get", "-qq", "-o", f"Dir::State::status={status}", "-o", f"Dir::Cache::archives={archives}"]
            apt += ["-o", "Debug::NoLocking=true", "--download-only", "--no-install-recommends", "install", _PACKAGE]
            if subprocess.run(apt, stdout=subprocess.DEVNULL, check=False).returncode:
                raise BenchError(f"{_PACKAGE} could not be fetched by apt (it must know the mirror of Debian 12)")
        return sorted(archives.glob("*.deb"))


def _archive(packages: list[pathlib.Path]) -> bytes:
    """A tar of the repository: the agent with its index, and the libraries beside it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in packages:
            if path.name.startswith(f"{_PACKAGE}_"):
                plain = path.name.replace("%3a", ".")
                archive.add(path, plain)
                _add(archive, "Packages", _index(path, plain))
            else:
                archive.add(path, f"libraries/{path.name}")
    return out.getvalue()


def _index(path: pathlib.Path, name: str) -> bytes:
    control = subprocess.run(["dpkg-deb", "--field", str(path)], capture_output=True, check=True).stdout
    data = path.read_bytes()
    more = f"Filename: ./{name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    return control + more.encode()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o644
    archive.addfile(entry, io.BytesIO(data))
