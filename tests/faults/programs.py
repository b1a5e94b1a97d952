# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of other people that faults are made with, each with the smallest configuration that it starts with."""

from __future__ import annotations

import pathlib
import subprocess
import textwrap

from stage import PORT, Stage

PROXY_PORT = 3128
MAKER = "/usr/lib/squid/security_file_certgen"
AS_ANOTHER = ["unshare", "--user", "--map-user=13", "--map-group=13"]  # for what refuses to be root


def nginx(stage: Stage, host: str, servers: str, port: int = PORT) -> None:
    """A web server; `servers` are server blocks."""
    directory = stage[host].directory
    places = " ".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = directory / "nginx.conf"
    path.write_text(
        f"user root root; daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off; {places}\n{servers}\n}}\n",
        encoding="ascii",
    )
    stage.run(host, "nginx", "-c", path, "-e", "stderr", port=port)


def sshd(stage: Stage, host: str) -> None:
    """A real SSH daemon."""
    directory = stage[host].directory
    key = directory / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    path = directory / "sshd_config"
    path.write_text(f"Port {PORT}\nHostKey {key}\nPidFile none\nUsePAM no\n", encoding="ascii")
    pathlib.Path("/run/sshd").mkdir()
    stage.run(host, "/usr/sbin/sshd", "-D", "-e", "-f", path, port=PORT)


def haproxy(stage: Stage, host: str, listen: str) -> None:
    """A balancer; `listen` is the body of one listen section."""
    path = stage[host].directory / "haproxy.cfg"
    body = textwrap.indent(listen, " ")
    path.write_text(
        "defaults\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n"
        f"listen front\n{body}\n", encoding="ascii")  # fmt: skip
    stage.run(host, "haproxy", "-db", "-f", path, port=PORT)


def stunnel(stage: Stage, host: str, service: str) -> None:
    """A wrapper that ends TLS; `service` is the body of one service section."""
    path = stage[host].directory / "stunnel.conf"
    path.write_text(f"foreground = yes\npid =\n[service]\n{service}\n", encoding="ascii")
    stage.run(host, "stunnel4", path, port=PORT)


def squid(stage: Stage, host: str, rules: str, listen: str = f"http_port {PROXY_PORT}") -> None:
    """A proxy with these rules; `listen` are the lines that name its ports."""
    directory = stage[host].directory
    path = directory / "squid.conf"
    path.write_text(
        f"{listen}\n{rules}\npid_filename none\ncoredump_dir {directory}\ncache_log /dev/null\naccess_log none\n"
        f"cache_mem 8 MB\nshutdown_lifetime 0 seconds\npinger_enable off\ndns_nameservers {stage.router.ipv4}\n"
        "visible_hostname proxy.example.com\n",
        encoding="ascii",
    )
    stage.run(host, *AS_ANOTHER, "squid", "-N", "-d", "1", "-f", path, port=PROXY_PORT)


def squid_that_opens_tls(stage: Stage, host: str, *, unseen: bool = False) -> None:
    """A proxy that shows certificates of an authority of its own for whatever is asked for.

    `unseen`: its port takes connections that a router has turned aside, whose callers know nothing of a proxy.
    """
    directory = stage[host].directory
    authority, store = directory / "authority.pem", directory / "made"
    words = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=Example Inspection")
    more = ("-addext", "basicConstraints=critical,CA:TRUE", "-keyout", authority, "-out", authority)
    subprocess.run(["openssl", *words, *more], check=True, capture_output=True)
    subprocess.run([*AS_ANOTHER, MAKER, "-c", "-s", store, "-M", "4MB"], check=True, capture_output=True)
    rules = (
        f"http_access allow all\nsslcrtd_program {MAKER} -s {store} -M 4MB\nsslcrtd_children 1\nssl_bump bump all\n"
        "sslproxy_cert_error allow all\ntls_outgoing_options flags=DONT_VERIFY_PEER"
    )
    opened = f"ssl-bump tls-cert={authority} generate-host-certificates=on"
    port = f"http_port {PROXY_PORT} {opened}"
    if unseen:
        port = f"http_port {PROXY_PORT + 1}\nhttps_port {PROXY_PORT} intercept {opened}"
    squid(stage, host, rules, port)


def tinyproxy(stage: Stage, host: str, rules: str) -> None:
    """A small proxy with these rules."""
    path = stage[host].directory / "tinyproxy.conf"
    path.write_text(f"Port {PROXY_PORT}\nTimeout 60\nMaxClients 10\n{rules}\n", encoding="ascii")
    stage.run(host, "tinyproxy", "-d", "-c", path, port=PROXY_PORT)


def passwords(path: pathlib.Path, name: str, password: str) -> pathlib.Path:
    """A file with one login, as web servers and proxies read it."""
    command = ["openssl", "passwd", "-apr1", "-stdin"]
    done = subprocess.run(command, input=password, capture_output=True, text=True, check=True)
    path.write_text(f"{name}:{done.stdout}", encoding="ascii")
    return path
