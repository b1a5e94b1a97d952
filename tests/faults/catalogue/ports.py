# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another service where the agent should be: well-known ones by name, web servers, and what talks HTTP in its place."""

from __future__ import annotations

from typing import Any

import programs
from entry import fault
from faulty_servers import says, tls
from stage import PORT, Stage

_MYSQL = b"J\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xc1\x15" + bytes(11) + b"ijklmnopqrst\0"


@fault("port-ssh", "port_mismatch", "caller", r"an SSH server.*SSH-2\.0-OpenSSH", needs=["sshd", "ssh-keygen"])
def ssh(stage: Stage) -> None:
    """A real sshd."""
    programs.sshd(stage, "web01")


@fault("port-http", "http_injected", "network", r"with HTTP.*400 Bad Request", fits="port_mismatch", needs=["nginx"])
def http(stage: Stage) -> None:
    """A real web server without TLS."""
    programs.nginx(stage, "web01", f"server {{ listen {PORT}; }}")


@fault("port-https", "http_injected", "network", r"not as a Tentacle.*nginx", fits="port_mismatch", needs=["nginx"])
def https(stage: Stage) -> None:
    """A real web server with TLS, and so with another certificate."""
    pem = stage.identities.other.path
    programs.nginx(stage, "web01", f"server {{ listen {PORT} ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; }}")


@fault("port-http2", "http_injected", "network", r"with HTTP.*400 Bad Request", fits="port_mismatch", needs=["nginx"])
def http2(stage: Stage) -> dict[str, Any]:
    """A real web server that offers HTTP/2, checked before the thumbprint is known."""
    pem = stage.identities.other.path
    programs.nginx(
        stage, "web01", f"server {{ listen {PORT} ssl http2; ssl_certificate {pem}; ssl_certificate_key {pem}; }}"
    )
    return {"thumbprint": None}


@fault("port-mysql", "port_mismatch", "caller", r"a MySQL or MariaDB server")
def mysql(stage: Stage) -> None:
    stage.serve(says(_MYSQL, first=True))


@fault("port-redis", "port_mismatch", "caller", r"a Redis server")
def redis(stage: Stage) -> None:
    stage.serve(says(b"-ERR unknown command\r\n"))


@fault("port-smtp", "port_mismatch", "caller", r"a mail or FTP server.*ESMTP Postfix")
def smtp(stage: Stage) -> None:
    stage.serve(says(b"220 mail.example.com ESMTP Postfix\r\n", first=True))


@fault("port-smtps", "port_mismatch", "caller", r"a mail or FTP server behind TLS")
def smtp_behind_tls(stage: Stage) -> dict[str, Any]:
    stage.serve(tls(says(b"220 mail.example.com ESMTP Postfix\r\n", first=True), stage.identities.other.path))
    return {"thumbprint": None}


@fault("port-imap", "port_mismatch", "caller", r"an IMAP server")
def imap(stage: Stage) -> None:
    stage.serve(says(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", first=True))


@fault("port-ftp", "port_mismatch", "caller", r"a mail or FTP server.*ProFTPD")
def ftp(stage: Stage) -> None:
    stage.serve(says(b"220 ProFTPD Server ready.\r\n", first=True))


@fault("port-amqp", "port_mismatch", "caller", r"an AMQP broker")
def amqp(stage: Stage) -> None:
    stage.serve(says(b"AMQP\0\0\x09\x01"))


@fault("port-vnc", "port_mismatch", "caller", r"a VNC server")
def vnc(stage: Stage) -> None:
    stage.serve(says(b"RFB 003.008\n", first=True))


@fault("page-in-place", "http_injected", "network", r"with HTTP.*Blocked by policy")
def page_in_place_of_the_agent(stage: Stage) -> None:
    """What some firewalls answer to whatever they do not let through."""
    stage.serve(says(b"<html><body>Blocked by policy</body></html>"))
