# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is measured: our agent on one Python or another, nginx, scp, and any listener given on the command line."""

from __future__ import annotations

import getpass
import importlib.util
import io
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import zipfile

import processes
from processes import BenchError, Server
from workplace import Workplace

ROOT = pathlib.Path(__file__).resolve().parents[1]
_VERSIONS = """
import sys, OpenSSL, cryptography
from OpenSSL import SSL
print("Python %d.%d.%d," % sys.version_info[:3], "pyOpenSSL", OpenSSL.__version__ + ",",
      "cryptography", cryptography.__version__ + ",", SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode())
"""


class Peer:
    """A server that is measured. ``kind`` says what can be asked of it: halibut, http or scp."""

    kind = "halibut"

    def __init__(self, name: str, workplace: Workplace) -> None:
        self.name = name
        self.workplace = workplace
        self.slug = "".join(letter if letter.isalnum() else "-" for letter in name)
        self.home = workplace.home(f"home-{self.slug}")

    def command(self, port: int, identity: str = "server") -> list[str]:
        """The command that serves on ``port`` of loopback until it is ended, with that certificate and key."""
        raise NotImplementedError

    def describe(self) -> str:
        """Versions, for the report."""
        return ""

    def environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": str(self.home)}

    def start(self, identity: str = "server") -> Server:
        """A fresh server process on a port of its own."""
        port = processes.free_port()
        return Server(self.command(port, identity), self.log(), port, self.environment())

    def log(self) -> pathlib.Path:
        """Where the output of its processes goes."""
        return self.workplace.path / f"{self.slug}.log"


class Agent(Peer):
    """Our agent as it is installed: the bundle unpacked and compiled, on the Python given."""

    def __init__(self, name: str, workplace: Workplace, python: pathlib.Path) -> None:
        super().__init__(name, workplace)
        self.python = python
        self.programs = workplace.path / f"programs-{self.slug}"
        with zipfile.ZipFile(io.BytesIO(_build_bundle())) as bundle:
            bundle.extractall(self.programs)
        workplace.run([str(python), "-I", "-m", "compileall", "-q", str(self.programs)])
        for identity in ("server", "server-p256"):
            pem = workplace.key(identity).read_bytes() + workplace.certificate(identity).read_bytes()
            (self.home / f"{identity}.pem").write_bytes(pem)

    def command(self, port: int, identity: str = "server") -> list[str]:
        path = self.home / f"tentacle-{port}.json"
        configuration = {
            "instance": "bench",
            "home_directory": str(self.home),
            "application_directory": str(self.home / "Applications"),
            "port": port,
            "listen_address": processes.HOST,
            "certificate_path": str(self.home / f"{identity}.pem"),
            "trusted_servers": [{"thumbprint": self.workplace.thumbprint(name)} for name in ("rsa", "p256")],
        }
        path.write_text(json.dumps(configuration))
        return [str(self.python), "-I", str(self.programs), "run", f"--config={path}"]

    def environment(self) -> dict[str, str]:
        """As under its unit, where systemd's journal takes the output: it gets warnings, not the whole log again."""
        log = self.log()
        log.touch()
        place = log.stat()
        return {**super().environment(), "JOURNAL_STREAM": f"{place.st_dev}:{place.st_ino}"}

    def describe(self) -> str:
        return _first_line([str(self.python), "-I", "-c", _VERSIONS])


class Command(Peer):
    """Any other Halibut listener, from a command line with places for what it needs."""

    def __init__(self, name: str, workplace: Workplace, template: str) -> None:
        super().__init__(name, workplace)
        self.template = template

    def command(self, port: int, identity: str = "server") -> list[str]:
        workplace = self.workplace
        places = {
            "port": port,
            "certificate": workplace.certificate(identity),
            "key": workplace.key(identity),
            "thumbprint": workplace.thumbprint("rsa"),
            "thumbprints": ",".join(workplace.thumbprint(name) for name in ("rsa", "p256")),
            "home": self.home,
        }
        try:
            return [part.format(**places) for part in shlex.split(self.template)]
        except (KeyError, IndexError) as error:
            known = ", ".join(f"{{{name}}}" for name in places)
            raise BenchError(f"--peer {self.name}: no such place as {error}; there are {known}") from None

    def describe(self) -> str:
        return self.template


class Nginx(Peer):
    """nginx with one worker and the same mutual TLS: what a web server in C does with the same handshakes and bytes."""

    kind = "http"

    def __init__(self, name: str, workplace: Workplace) -> None:
        super().__init__(name, workplace)
        self.program = _find("nginx", "nginx-light")

    def command(self, port: int, identity: str = "server") -> list[str]:
        scratch = self.home / f"nginx-{port}"
        scratch.mkdir()
        temporary = "".join(
            f"{kind}_temp_path {scratch / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        (scratch / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {scratch}/pid; error_log stderr; {user}
events {{ worker_connections 4096; }}
http {{
  access_log off; tcp_nodelay on; sendfile on; keepalive_requests 100000000; keepalive_timeout 600;
  client_max_body_size 0; client_body_buffer_size 256k; output_buffers 2 256k;
  {temporary}
  server {{
    listen {processes.HOST}:{port} ssl backlog=1024;
    ssl_certificate {self.workplace.certificate(identity)}; ssl_certificate_key {self.workplace.key(identity)};
    ssl_verify_client optional_no_ca; ssl_session_tickets off; ssl_session_cache off;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_buffer_size 16k;
    location = /small {{ return 200 "{"x" * 300}"; }}
    location /files/ {{ alias {self.home}/; dav_methods PUT; }}
  }}
}}
""")
        return [self.program, "-c", str(scratch / "nginx.conf"), "-p", str(scratch)]

    def describe(self) -> str:
        return _first_line([self.program, "-v"])


class Scp(Peer):
    """OpenSSH's own copying, over an sshd of ours with keys of ours, AES-256-GCM as in the TLS of the others."""

    kind = "scp"
    _RUN_DIRECTORY = pathlib.Path("/run/sshd")  # sshd insists on it as root; a booted system makes it

    def __init__(self, name: str, workplace: Workplace) -> None:
        super().__init__(name, workplace)
        self.program = _find("sshd", "openssh-server")
        self.client = _find("scp", "openssh-client")
        self.made_run_directory = False
        for key in ("host_key", "user_key"):
            workplace.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.home / key)])
        if os.geteuid() == 0 and not self._RUN_DIRECTORY.exists():
            self._RUN_DIRECTORY.mkdir(mode=0o755)
            self.made_run_directory = True

    def command(self, port: int, identity: str = "server") -> list[str]:
        path = self.home / f"sshd-{port}"
        path.write_text(
            f"ListenAddress {processes.HOST}\nPort {port}\nHostKey {self.home}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {self.home}/user_key.pub\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
        )
        return [self.program, "-D", "-e", "-f", str(path)]

    def copy_command(self, port: int, source: str, target: str) -> list[str]:
        """scp from ``source`` to ``target``; a path of the server has ``:`` in front."""
        there = f"{getpass.getuser()}@{processes.HOST}"
        options = ["IdentitiesOnly=yes", "StrictHostKeyChecking=no", f"UserKnownHostsFile={self.home}/known_hosts"]
        options += ["LogLevel=ERROR", "Ciphers=aes256-gcm@openssh.com", "BatchMode=yes"]
        said = [part for option in options for part in ("-o", option)]
        ends = [there + end if end.startswith(":") else end for end in (source, target)]
        command = ["taskset", "-c", str(processes.cores()[1]), self.client, "-q", "-F", "none", "-P", str(port)]
        return [*command, "-i", str(self.home / "user_key"), *said, *ends]

    def describe(self) -> str:
        return _first_line(["ssh", "-V"])

    def clean_up(self) -> None:
        if self.made_run_directory:
            self._RUN_DIRECTORY.rmdir()


def _find(program: str, package: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if path is None:
        raise BenchError(f"no {program} here (apt-get install {package})")
    return path


def _first_line(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return ((result.stdout + result.stderr).strip().splitlines() or ["?"])[-1]


def _build_bundle() -> bytes:
    """The agent's bundle, made by the code that makes it for every target."""
    path = ROOT / "plugins" / "plugin_utils" / "_bundle.py"
    specification = importlib.util.spec_from_file_location("_bundle", path)
    if specification is None or specification.loader is None:
        raise BenchError(f"cannot load {path}")
    module = importlib.util.module_from_spec(specification)
    sys.modules["_bundle"] = module
    specification.loader.exec_module(module)
    data: bytes = module.build(ROOT).data
    return data
