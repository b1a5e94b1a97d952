# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporary directory of one run: the load generator, certificates, and the file that is downloaded."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from typing import Any

import processes
from processes import BenchError

SOURCES = pathlib.Path(__file__).resolve().parent / "load"
MEMORY = pathlib.Path("/dev/shm")
_CERTIFICATES = (("server", "rsa:2048"), ("server-p256", "ec"), ("rsa", "rsa:2048"), ("p256", "ec"))
_APT = {"cc": "gcc", "openssl": "openssl"}
_LOAD_SECONDS = 300


class Workplace:
    """Everything below ``path``; ``file_bytes`` is the size of the file of the transfer rows."""

    def __init__(self, path: pathlib.Path, file_bytes: int) -> None:
        self.path = path
        self.file_bytes = file_bytes
        self.load = path / "load"
        self.download = path / "download.bin"
        self._check_room()
        self._build_load()
        for name, algorithm in _CERTIFICATES:
            self._make_certificate(name, algorithm)
        self.run([str(self.load), "make-file", "--remote", str(self.download), "--bytes", str(file_bytes)])

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.path).free
        needed = 4 * self.file_bytes
        if free < needed:
            raise BenchError(
                f"{self.path} has {free >> 20} MiB free, but the transfers of {self.file_bytes >> 20} MiB need "
                f"{needed >> 20} MiB. Choose a smaller --file-megabytes or another --directory."
            )

    def _build_load(self) -> None:
        for tool, package in _APT.items():
            if shutil.which(tool) is None:
                raise BenchError(f"no {tool} here (apt-get install {package})")
        sources = sorted(str(file) for file in SOURCES.glob("*.c"))
        libraries = ["-lssl", "-lcrypto", "-lz", "-lpthread"]
        command = ["cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-o", str(self.load), *sources, *libraries]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            hint = " (apt-get install libssl-dev zlib1g-dev)" if "No such file" in result.stderr else ""
            raise BenchError(f"cannot build the load generator{hint}:\n{result.stderr}")

    def _make_certificate(self, name: str, algorithm: str) -> None:
        curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if algorithm == "ec" else []
        files = ["-keyout", str(self.path / f"{name}.key"), "-out", str(self.path / f"{name}.pem")]
        subject = ["-days", "3650", "-sha256", "-subj", f"/CN=bench {name}"]
        self.run(["openssl", "req", "-x509", "-newkey", algorithm, *curve, "-nodes", *files, *subject])

    def certificate(self, name: str) -> pathlib.Path:
        return self.path / f"{name}.pem"

    def key(self, name: str) -> pathlib.Path:
        return self.path / f"{name}.key"

    def thumbprint(self, name: str) -> str:
        """SHA-1 of the certificate, 40 upper-case hexadecimal digits."""
        der = ssl.PEM_cert_to_DER_cert(self.certificate(name).read_text())
        return hashlib.sha1(der).hexdigest().upper()

    def home(self, name: str) -> pathlib.Path:
        """A new directory for a peer, with the file to download in it (the same bytes, not a copy)."""
        home = self.path / name
        home.mkdir()
        os.link(self.download, home / self.download.name)
        return home

    def run(self, command: Sequence[str]) -> None:
        """Run a command that must succeed. Raises BenchError with what it said."""
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise BenchError(f"{command[0]} failed: {result.stderr.strip()}")

    def load_command(self, mode: str, port: int, *options: str, client: str = "rsa") -> list[str]:
        """The load generator's command line, on the load's core, with one of the clients' certificates."""
        identity = ["--certificate", str(self.certificate(client)), "--key", str(self.key(client))]
        pinned = ["taskset", "-c", str(processes.cores()[1])]
        return [*pinned, str(self.load), mode, "--port", str(port), *identity, *options]

    def measure(self, command: Sequence[str]) -> dict[str, Any]:
        """Run the load generator; gives what it counted. Raises BenchError when it could not work at all."""
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_LOAD_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise BenchError(f"the load generator hung for {_LOAD_SECONDS} s: {' '.join(command)}") from None
        if not result.stdout.startswith("{"):
            raise BenchError(f"the load generator failed: {result.stderr.strip() or result.returncode}")
        counted: dict[str, Any] = json.loads(result.stdout)
        return counted
