# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs that we did not write see of the listener: `openssl s_client` and `curl`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from agent_process import AgentProcess, Identity

from tentacle_agent import runtime
from tentacle_agent.tls import ServerContext

HELLO = b"MX\n\nMX-CLIENT 1.0\r\n\r\n"
IDENTITY = b"MX-SERVER 1.0\r\n\r\n"
HEADERS = ["Content-Type", "Content-Length", "Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options",
           "X-Frame-Options", "X-XSS-Protection", "Strict-Transport-Security"]


def program(name: str) -> str:
    """The program's path; without it the test is skipped by name, in CI it fails."""
    path = shutil.which(name)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing")
        pytest.skip(f"{name} is not installed")
    return path


def s_client(agent: AgentProcess, *options: str, say: bytes = b"", seconds: float = 2) -> tuple[bytes, str]:
    """Run s_client, say something, listen for a while; what the agent answered, and what s_client tells."""
    command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{agent.port}", "-ign_eof", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdin is not None
    try:
        process.stdin.write(say)
        process.stdin.flush()
        out, _unused = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _unused = process.communicate()
    except BrokenPipeError:
        out, _unused = process.communicate()
    return out, out.decode("latin-1")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client_is_served_in_both_versions(agent: AgentProcess, server_identity: Identity, version: str) -> None:
    pem = str(server_identity.path)
    out, text = s_client(agent, version, "-cert", pem, "-key", pem, "-quiet", say=HELLO)
    assert IDENTITY in out
    out, text = s_client(agent, version, "-cert", pem, "-key", pem, say=HELLO)
    assert "No client certificate CA names sent" in text
    assert re.search(rf"(New|Reused), {'TLSv1.2' if version == '-tls1_2' else 'TLSv1.3'}, Cipher is \S*AES", text)


def test_no_session_tickets_are_sent_where_openssl_can_be_told(
    agent: AgentProcess, server_identity: Identity
) -> None:
    """A binding that has OpenSSL inside cannot tell it; all the same after the identity was read again."""
    tickets = 0 if ServerContext(str(agent.identity_path)).spare_work() else 2
    time.sleep(runtime.SETTLE_SECONDS + 0.5)  # it is told when the first caller has been served
    pem = str(server_identity.path)
    for _unused in range(2):
        out, text = s_client(agent, "-tls1_3", "-cert", pem, "-key", pem, "-msg", say=HELLO)
        assert IDENTITY in out
        assert text.count("NewSessionTicket") == tickets
        position = len(agent.log())
        agent.signal(signal.SIGHUP)
        agent.wait_for_log("The configuration was read again", position)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(agent: AgentProcess, version: str) -> None:
    _unused, text = s_client(agent, version, "-cipher", "DEFAULT@SECLEVEL=0")
    assert "Cipher is (NONE)" in text


def test_the_servers_certificate_has_no_extension_and_works(agent: AgentProcess) -> None:
    text = subprocess.run([program("openssl"), "x509", "-in", str(agent.identity_path), "-noout", "-text"],
                          capture_output=True, text=True, check=True).stdout
    assert "X509v3 extensions" not in text
    _unused, text = s_client(agent, say=b"")
    assert "-----BEGIN CERTIFICATE-----" in text


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_strangers_and_people_without_a_certificate_hear_nothing(
    agent: AgentProcess, stranger_identity: Identity, version: str
) -> None:
    pem = str(stranger_identity.path)
    for options in ((), ("-cert", pem, "-key", pem)):
        out, _unused = s_client(agent, version, "-quiet", *options, say=HELLO, seconds=5)
        assert b"MX-SERVER" not in out
        assert b"HTTP" not in out


def test_renegotiation_is_refused(agent: AgentProcess) -> None:
    command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{agent.port}", "-tls1_2"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdin is not None
    try:
        time.sleep(0.5)
        process.stdin.write(b"R\n")
        process.stdin.flush()
        out, _unused = process.communicate(timeout=10)
    finally:
        process.kill()
    assert b"RENEGOTIATING" in out
    assert b"no renegotiation" in out


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("request_options", [(), ("-X", "POST", "-d", "x" * 1000), ("-I",), ("-d", "x" * 100_000)],
                         ids=["get", "post", "head", "large post"])
def test_curl_gets_the_page(agent: AgentProcess, version: str, request_options: tuple[str, ...]) -> None:
    command = [program("curl"), "-k", "-s", "-S", "-i", "--max-time", "10", f"--tlsv{version}", "--tls-max", version,
               *request_options, f"https://127.0.0.1:{agent.port}/any/path"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head, _unused, body = done.stdout.partition("\n\n")
    assert head.splitlines()[0] == "HTTP/1.0 200 OK"
    assert [line.partition(":")[0] for line in head.splitlines()[1:]] == HEADERS
    if "-I" not in request_options:
        assert "<title>Octopus Tentacle</title>" in body
        assert "<h1>Octopus Tentacle configured successfully</h1>" in body
        assert body.endswith("</html>\n")


def test_the_page_can_be_hidden(agent: AgentProcess, tmp_path: object) -> None:
    position = len(agent.log())
    agent.configure(show_page=False)
    agent.wait_for_log("The configuration was read again", position)
    try:
        done = subprocess.run([program("curl"), "-k", "-s", "--max-time", "10", f"https://127.0.0.1:{agent.port}/"],
                              capture_output=True, check=False)
        assert done.returncode == 52, "empty reply from server"
    finally:
        position = len(agent.log())
        agent.configure(show_page=True)
        agent.wait_for_log("The configuration was read again", position)


def test_plain_http_is_closed_at_once(agent: AgentProcess) -> None:
    done = subprocess.run([program("curl"), "-s", "--max-time", "10", f"http://127.0.0.1:{agent.port}/"],
                          capture_output=True, check=False)
    assert done.returncode in (52, 56)
    assert done.stdout == b""
