# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tentacle_verify` and what is below it, against a live agent and against faults made for real on loopback."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from agent_process import ROOT, AgentProcess
from ansible_command import adhoc
from faulty_servers import closed_port, closes, echoes, resets, says, server, silent, tls
from identities import MadeIdentity, make, short, with_sha1

from module_utils._client.endpoint import endpoint
from module_utils._client.identity import load
from module_utils._instance import paths
from module_utils._verify.causes import CAUSES
from module_utils._verify.result import NAMES, Result
from module_utils._verify.steps import Options, verify

ONLY_12 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> MadeIdentity:
    return make(tmp_path_factory.mktemp("identity") / "identity.pem", "Octopus Server")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, identity: MadeIdentity) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path_factory.mktemp("verify"), [identity.thumbprint]) as running:
        yield running


def check(
    port: int,
    pin: str | None = None,
    certificate: pathlib.Path | None = None,
    *,
    host: str = "127.0.0.1",
    timeout: float = 2,
) -> Result:
    identity = load(str(certificate)) if certificate else None
    result = verify(endpoint(host, port, pin), Options(identity=identity, timeout=timeout))
    assert list(result.as_dict()) == KEYS
    assert result.cause in CAUSES
    json.dumps(result.as_dict())
    return result


KEYS = list(verify(endpoint("127.0.0.1", closed_port()), Options(timeout=2)).as_dict())


def statuses(result: Result) -> dict[str, str]:
    return {name: result.steps[name].status for name in NAMES}


# Good -----------------------------------------------------------------------------------------------------------------


def test_everything_is_good(agent: AgentProcess, identity: MadeIdentity) -> None:
    result = check(agent.port, agent.thumbprint.lower(), identity.path)
    assert result.cause == "ok", result.as_dict()
    untried = {"proxy", "tls_versions", "impostor", "proof", "target"}
    assert {name for name, status in statuses(result).items() if status != "ok"} == untried
    facts = result.facts
    assert facts.trusted is True
    assert facts.stranger_refused is True
    assert facts.capabilities == ["IScriptService", "IFileTransferService", "IScriptServiceV2"]
    assert facts.tls_version == "TLSv1.3"
    assert facts.thumbprint == agent.thumbprint
    assert facts.client_thumbprint == identity.thumbprint
    assert facts.page is not None
    assert facts.page["title"] == "Octopus Tentacle"
    assert facts.certificate is not None
    assert facts.certificate["key_size"] == 2048
    assert facts.certificate["self_signed"] is True
    assert result.findings == []
    assert all(step.seconds is not None for step in result.steps.values() if step.name not in untried)
    assert facts.client_certificate_requested is True
    assert facts.position == "loopback"


def test_a_good_check_loads_nothing_that_it_has_no_use_for(agent: AgentProcess, identity: MadeIdentity) -> None:
    """Ansible sends sources, so that every task compiles anew what it loads."""
    parameters = {"host": "127.0.0.1", "port": agent.port, "client_cert": str(identity.path)}
    if os.path.isdir(paths.records_directory(paths.MACHINE)):  # on the host of an agent it looks at that
        parameters["inspect"] = "never"
    program = (
        "import json, sys; from module_utils import _verification as it; given = json.loads(sys.argv[1]);"
        "given = {**{name: entry.get('default') for name, entry in it.arguments().items()}, **given};"
        "print(json.dumps([it.check(given)[0].cause, sorted(sys.modules)]))"
    )
    command = [sys.executable, "-c", program, json.dumps(parameters)]
    home = {"TentacleMachineConfigurationHomeDirectory": "/nonexistent", "PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run(command, env={**os.environ, **home}, capture_output=True, text=True, check=True)
    cause, loaded = json.loads(done.stdout)
    assert cause == "ok"
    unused = ("_client.alerts", "_client.client", "_client.proxy", "_client.session", "_halibut.scripts",
              "_instance.files", "_verify.host_facts", "_verify.proof", "_verify.versions")  # fmt: skip
    assert not {f"module_utils.{name}" for name in unused} & set(loaded)


def test_without_a_client_certificate_trust_is_not_known(agent: AgentProcess) -> None:
    result = check(agent.port)
    assert result.cause == "ok"
    assert result.facts.trusted is None
    assert result.facts.capabilities is None
    tried = {"name", "tcp", "first_bytes", "tls", "certificate", "page", "stranger"}
    assert {name for name, status in statuses(result).items() if status == "ok"} == tried
    assert "no client certificate" in result.evidence


def test_a_hidden_page_is_no_fault(tmp_path: pathlib.Path, identity: MadeIdentity) -> None:
    with AgentProcess(tmp_path, [identity.thumbprint], show_page=False) as hidden:
        result = check(hidden.port, hidden.thumbprint, identity.path)
    assert result.cause == "ok"
    assert result.facts.page is not None
    assert result.facts.page["tentacle"] is None


def test_nothing_is_left_on_the_agent(agent: AgentProcess, identity: MadeIdentity) -> None:
    before = sorted(str(path) for path in agent.home.rglob("*") if "Logs" not in path.parts)
    check(agent.port, agent.thumbprint, identity.path)
    assert sorted(str(path) for path in agent.home.rglob("*") if "Logs" not in path.parts) == before


# Faults ---------------------------------------------------------------------------------------------------------------


def test_unknown_name() -> None:
    result = check(10933, host="no-such-host.invalid")
    assert result.cause == "dns"
    assert statuses(result)["name"] == "failed"
    assert result.facts.addresses is None


def test_refused() -> None:
    result = check(closed_port())
    assert result.cause == "refused"
    assert statuses(result)["tcp"] == "failed"
    assert statuses(result)["tls"] == "skipped"
    assert result.steps["tls"].seconds is None
    assert result.facts.addresses is not None
    assert result.facts.addresses[0]["status"] == "refused"


def test_dropped() -> None:
    """A full backlog drops further hellos, as a firewall does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _dummy in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        begin = time.monotonic()
        result = check(listener.getsockname()[1], timeout=1)
        for one in waiting:
            one.close()
    assert result.cause == "filtered"
    assert 0.9 < time.monotonic() - begin < 3


@pytest.mark.parametrize(
    ("greeting", "cause", "word"),
    [
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>"), "http_injected", "400 Bad Request"),
        (says(b"<html><body>Blocked by policy</body></html>"), "http_injected", "Blocked by policy"),
        (says(b"SSH-2.0-OpenSSH_9.2p1\r\n", first=True), "port_mismatch", "an SSH server"),
        (says(b"220 mail.example.com ESMTP\r\n", first=True), "port_mismatch", "a mail or FTP server"),
        (says(b"J\0\0\0\x0a8.0.36\0", first=True), "port_mismatch", "MySQL"),
        (says(b"-ERR unknown command\r\n"), "port_mismatch", "Redis"),
        (echoes, "port_mismatch", "echo"),
        (says(b"\x8f\x02\x99\x17\x00"), "unknown", "something else"),
        (silent, "unknown", "does not answer the TLS hello"),
        (closes, "unknown", "without a word"),
        (resets, "reset", "resets it"),
    ],
)
def test_another_service_is_named_or_left_open(greeting: Any, cause: str, word: str) -> None:
    with server(greeting) as port:
        result = check(port, timeout=1)
    assert result.cause == cause
    assert word in result.evidence
    assert statuses(result)["first_bytes" if word != "echo" else "tls"] == "failed"
    if cause == "unknown":
        assert result.alternatives


def test_wrong_thumbprint_and_nothing_is_said(agent: AgentProcess, identity: MadeIdentity) -> None:
    result = check(agent.port, "AB" * 20, identity.path)
    assert result.cause == "agent_thumbprint_mismatch"
    assert agent.thumbprint in result.evidence
    assert "AB" * 20 in result.evidence
    assert statuses(result)["identity"] == "skipped"
    assert result.facts.trusted is None
    assert result.facts.page is not None  # shows that it is an agent all the same


def test_server_that_is_not_trusted(agent: AgentProcess, tmp_path: pathlib.Path) -> None:
    stranger = make(tmp_path / "stranger.pem", "Stranger")
    result = check(agent.port, agent.thumbprint, stranger.path)
    assert result.cause == "server_not_trusted"
    assert stranger.thumbprint in result.evidence
    assert result.facts.trusted is False
    assert statuses(result)["capabilities"] == "skipped"


def test_weak_certificate_of_a_trusted_server_is_a_finding(tmp_path: pathlib.Path) -> None:
    """RSA 1024 can be loaded because it was asked for, works with an agent of ours, and is named."""
    weak = make(tmp_path / "weak.pem", "Old Server", key=short())
    with AgentProcess(tmp_path, [weak.thumbprint]) as agent:
        result = check(agent.port, agent.thumbprint, weak.path)
    assert result.cause == "ok"
    assert [finding["cause"] for finding in result.findings] == ["weak_server_certificate"]


def test_weak_certificate_of_an_agent_is_a_finding(tmp_path: pathlib.Path, identity: MadeIdentity) -> None:
    weak = with_sha1(tmp_path / "weak.pem")
    with server(tls(lambda connection: None, weak.path)) as port:
        result = check(port, weak.thumbprint, identity.path)
    assert any("SHA-1" in (finding["evidence"] or "") for finding in result.findings)
    assert result.facts.certificate is not None
    assert result.facts.certificate["signature_hash"] == "sha1"


def test_expired_certificate_is_only_a_finding(tmp_path: pathlib.Path) -> None:
    old = make(tmp_path / "old.pem", "Old", days=0)
    with AgentProcess(tmp_path, identity=old.path.read_bytes()) as agent:
        result = check(agent.port, old.thumbprint)
    assert result.cause == "ok"
    assert any("expired" in (finding["evidence"] or "") for finding in result.findings)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_no_common_version(identity: MadeIdentity) -> None:
    old = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
    with server(tls(lambda connection: None, identity.path, versions=old, ciphers="ALL:@SECLEVEL=0")) as port:
        result = check(port)
    assert result.cause == "tls_no_common"
    assert "alert" in result.evidence or "protocol" in result.evidence


def test_no_common_cipher(identity: MadeIdentity) -> None:
    unwanted = "NULL-SHA256:@SECLEVEL=0"  # no encryption at all, which nobody offers unasked
    with server(tls(lambda connection: None, identity.path, versions=ONLY_12, ciphers=unwanted)) as port:
        result = check(port)
    assert result.cause == "tls_no_common"


def page_of(status: bytes, body: bytes) -> Any:
    def handler(connection: ssl.SSLSocket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nServer: nginx\r\nContent-Type: text/html\r\n\r\n" + body)

    return handler


def test_a_web_server_with_tls(identity: MadeIdentity) -> None:
    handler = tls(page_of(b"400 Bad Request", b"<html><title>400 Bad Request</title></html>"), identity.path)
    with server(handler) as port:
        anonymous = check(port)
        introduced = check(port, identity.thumbprint, identity.path)
    assert anonymous.cause == introduced.cause == "http_injected"
    assert "nginx" in anonymous.evidence
    assert "400" in introduced.evidence


def test_mail_behind_tls(identity: MadeIdentity) -> None:
    with server(tls(says(b"220 mail ESMTP\r\n", first=True), identity.path)) as port:
        assert check(port, timeout=1).cause == "port_mismatch"
        assert check(port, None, identity.path, timeout=1).cause == "port_mismatch"


@pytest.mark.parametrize("inside", [echoes, silent, says(b"\x00\x01\x02")])
def test_odd_servers_behind_tls_are_unknown(inside: Any, identity: MadeIdentity) -> None:
    with server(tls(inside, identity.path)) as port:
        for certificate in (None, identity.path):
            result = check(port, None, certificate, timeout=1)
            assert result.cause == "unknown"
            assert result.evidence
            assert result.facts.trusted is None


def test_tls_that_demands_a_known_client_certificate(identity: MadeIdentity, tmp_path: pathlib.Path) -> None:
    known = make(tmp_path / "known.pem", "Known")
    with server(tls(silent, identity.path, demand=known.path)) as port:
        for certificate in (None, identity.path):
            result = check(port, None, certificate, timeout=1)
            assert result.cause == "unknown"
            assert "tls_offloaded" in result.alternatives


def test_one_family_broken(agent: AgentProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with two addresses, which `localhost` has on most machines; the agent listens on one of them."""
    both = [socket.getaddrinfo(address, agent.port, type=socket.SOCK_STREAM)[0] for address in ("::1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    result = check(agent.port, host="localhost")
    assert result.cause == "ok"
    assert [finding["cause"] for finding in result.findings] == ["address_family"]


# The module, as a user runs it ----------------------------------------------------------------------------------------


def options_of(agent: AgentProcess, identity: MadeIdentity, **more: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": agent.port, "thumbprint": agent.thumbprint,
            "client_cert": str(identity.path), "timeout": 5, **more}  # fmt: skip


def test_module_succeeds(agent: AgentProcess, identity: MadeIdentity) -> None:
    result = adhoc("tentacle_verify", options_of(agent, identity))
    assert result.status == 0, result.output
    assert result.facts["cause"] == "ok"
    assert result.facts["changed"] is False
    assert result.facts["trusted"] is True


def test_module_takes_the_host_from_the_inventory(
    agent: AgentProcess, identity: MadeIdentity, tmp_path: pathlib.Path
) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text(
        "web01 ansible_host=127.0.0.1 ansible_connection=local\n"
        "[all:vars]\nansible_python_interpreter='{{ ansible_playbook_python }}'\n"
    )
    options = options_of(agent, identity)
    del options["host"]
    result = adhoc("tentacle_verify", options, inventory=inventory, host="web01")
    assert result.status == 0, result.output
    assert result.facts["host"] == "127.0.0.1"


def test_module_fails_with_a_sentence_and_a_word(
    agent: AgentProcess, identity: MadeIdentity, tmp_path: pathlib.Path
) -> None:
    stranger = make(tmp_path / "stranger.pem", "Stranger")
    result = adhoc("tentacle_verify", options_of(agent, stranger))
    assert result.status != 0
    assert result.facts["cause"] == "server_not_trusted"
    assert result.facts["side"] == "agent"
    assert stranger.thumbprint in result.facts["msg"]
    assert result.facts["remedy"] in result.facts["msg"]


def test_module_reports_instead_of_failing(identity: MadeIdentity) -> None:
    options = {"host": "127.0.0.1", "port": closed_port(), "timeout": 2}
    result = adhoc("tentacle_verify", {**options, "fail_on": ["filtered"]})
    assert result.status == 0
    assert result.facts["cause"] == "refused"
    assert "[WARNING]" in result.output
    assert adhoc("tentacle_verify", {**options, "fail_on": ["refused"]}).status != 0
    wrong = adhoc("tentacle_verify", {**options, "fail_on": ["typo"]})
    assert wrong.facts["cause"] == "invalid_input"


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("host", "https://web01", "URL"),
        ("host", "web01:10933", "colon"),
        ("thumbprint", "1234", "no thumbprint"),
        ("timeout", 0, "no time"),
        ("client_cert", "/no/such/file.pem", "cannot be read"),
        ("port", 70000, "no port"),
    ],
)
def test_module_says_what_is_wrong_with_an_option(
    option: str, value: Any, word: str, agent: AgentProcess, identity: MadeIdentity
) -> None:
    result = adhoc("tentacle_verify", options_of(agent, identity, **{option: value}))
    assert result.status != 0
    assert result.facts["cause"] == "invalid_input"
    assert result.facts["side"] == "caller"
    assert word in result.facts["msg"]
    assert set(KEYS) <= set(result.facts)


def test_check_mode_is_the_same(agent: AgentProcess, identity: MadeIdentity) -> None:
    result = adhoc("tentacle_verify", options_of(agent, identity), "--check")
    assert result.status == 0
    assert result.facts["cause"] == "ok"
