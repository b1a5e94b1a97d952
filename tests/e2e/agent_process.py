# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real agent in a process of its own, for tests: made, started on a free port, watched, ended by its number."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 20.0
LISTENING = re.compile(r"Agent listening on: \S+:(\d+)")


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for something to become true."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


class Identity(NamedTuple):
    """A certificate and its key in one PEM file."""

    path: pathlib.Path
    thumbprint: str
    thumbprint_sha256: str


def make_identity(path: pathlib.Path, name: str = "Octopus Server", key_type: str = "rsa") -> Identity:
    """Write a fresh self-signed identity without any extension, as the original makes them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import NameOID

    key: Any = ec.generate_private_key(ec.SECP256R1()) if key_type == "ec" else rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now,
                                      now + datetime.timedelta(days=3650))
    certificate = builder.sign(key, hashes.SHA256())
    der = certificate.public_bytes(serialization.Encoding.DER)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    path.chmod(0o600)
    return Identity(path, hashlib.sha1(der).hexdigest().upper(), hashlib.sha256(der).hexdigest().upper())


@functools.lru_cache(maxsize=1)
def _agent_pem() -> bytes:
    """One key for all agents of a test run: making one takes a tenth of a second."""
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        return make_identity(pathlib.Path(directory) / "identity.pem", "Octopus Tentacle").path.read_bytes()


class AgentProcess:
    """A running agent. `with AgentProcess(tmp_path, trusted=[thumbprint]) as agent: ... agent.port ...`

    Further keywords are keys of the configuration. `python` and `program` choose another interpreter and another
    bundle; `environment` adds variables.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        trusted: Iterable[str] = (),
        *,
        python: str = sys.executable,
        program: Sequence[str] = ("-m", "tentacle_agent"),
        environment: dict[str, str] | None = None,
        identity: bytes | None = None,
        **configuration: Any,
    ) -> None:
        self.directory = directory / "agent"
        self.home = self.directory / "home"
        self.configuration_path = self.directory / "tentacle.json"
        self.identity_path = self.directory / "identity.pem"
        self.port = 0
        self.thumbprint = ""
        self._command = [python, *program, "run", f"--config={self.configuration_path}", "--noninteractive"]
        self._environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'files' / 'agent'}{os.pathsep}{ROOT / 'plugins'}",
                             "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.home.mkdir(parents=True, exist_ok=True)
        pem = identity or _agent_pem()
        if pem:
            self.identity_path.write_bytes(pem)
        self.values: dict[str, Any] = {
            "home_directory": str(self.home), "port": 0, "listen_address": "127.0.0.1",
            "certificate_path": "identity.pem", **configuration,
        }
        self.trust(trusted)

    # Configuration

    def trust(self, thumbprints: Iterable[str]) -> None:
        """Write the set of trusted thumbprints into the configuration; a running agent takes it up within seconds."""
        self.values["trusted_servers"] = [{"thumbprint": thumbprint} for thumbprint in thumbprints]
        self.configure()

    def configure(self, **values: Any) -> None:
        """Change keys of the configuration and write it."""
        self.values.update(values)
        aside = self.configuration_path.with_suffix(".new")
        aside.write_text(json.dumps(self.values), encoding="utf-8")
        aside.replace(self.configuration_path)

    # Life

    def __enter__(self) -> AgentProcess:
        self.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it listens. Raises RuntimeError with its output when it does not."""
        self._output = self.directory / "console.txt"
        already = len(self.log())
        with open(self._output, "ab") as console:
            self._process = subprocess.Popen(self._command, cwd=self.directory, env=self._environment,
                                             stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        try:
            self.port = int(self.wait_for_log(LISTENING, already).group(1))
            self.thumbprint = re.findall(r"has the thumbprint ([0-9A-F]{40})", self.log())[-1]
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, patience: float = PATIENCE) -> int | None:
        """Ask it to end (SIGTERM) and wait; killed when it does not. Returns its exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)

    # What can be seen

    def log(self) -> str:
        """The agent's log so far, all of it."""
        try:
            return (self.home / "Logs" / "OctopusTentacle.txt").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def audit(self) -> list[str]:
        """The lines of the audit trail; those of calls that only ask come up to a second late."""
        try:
            return (self.home / "Logs" / "Audit.txt").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def wait_for_log(
        self, pattern: str | re.Pattern[str], behind: int = 0, patience: float = PATIENCE
    ) -> re.Match[str]:
        """Wait until the log has the pattern behind that position."""
        limit = time.monotonic() + patience
        while True:
            found = re.compile(pattern).search(self.log(), behind)
            if found:
                return found
            if not self.running() or time.monotonic() > limit:
                console = self._output.read_text(encoding="utf-8", errors="replace")[-4000:]
                state = "runs" if self.running() else "has ended"
                raise RuntimeError(f"no {pattern!r} in the log; the agent {state}:\n{self.log()}\n{console}")
            time.sleep(0.02)

    def descriptors(self) -> int:
        """How many files it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self) -> int:
        """How many threads it has."""
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def resident_kib(self) -> int:
        """Its resident memory in KiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
