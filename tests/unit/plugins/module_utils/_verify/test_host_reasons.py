# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the facts of a host make of a cause that a connection reported."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest

from module_utils._client.endpoint import Endpoint
from module_utils._client.errors import ClientError
from module_utils._instance import configuration
from module_utils._verify import host_facts, host_findings
from module_utils._verify.host_facts import HostFacts
from module_utils._verify.result import Result

INSTANCE = {
    "name": "Tentacle", "configuration": "/etc/x/tentacle.json", "error": None, "port": 10933, "listen_address": None,
    "no_listen": False, "home_directory": "/var/x", "certificate_path": "/etc/x/identity.pem",
    "trusted_thumbprints": ["AB" * 20],
}  # fmt: skip
SERVICE = {
    "unit": "tentacle-agent@tentacle.service", "installed": True, "active": "active", "sub": "running",
    "result": "success", "restarts": 0, "exit_status": 0, "pid": 7, "account": "tentacle",
}  # fmt: skip
HOLDER = {
    "address": "::", "port": 10933, "user": "tentacle", "pid": 7, "command": "python tentacle-agent run",
    "of_agent": True, "of_script": False, "state": "S",
}  # fmt: skip
DISK = {"path": "/var/x", "bytes_free": 0, "bytes_total": 9, "files_free": 9, "full": True}


def facts(**values: Any) -> HostFacts:
    return HostFacts(**{"instance": INSTANCE, "service": SERVICE, **values})


def concluded(cause: str, seen: HostFacts, wanted: str | None = None) -> Result:
    result = Result(Endpoint("127.0.0.1"))
    if cause != "ok":
        result.blame(ClientError(cause, "Something was seen.", also=("agent_crash",)))
    host_findings.conclude(result, seen, wanted)
    return result


@pytest.mark.parametrize(
    ("seen", "cause", "word"),
    [
        (facts(), "not_listening", "is active"),
        (facts(service={**SERVICE, "active": "inactive", "sub": "dead"}), "not_listening", "is inactive"),
        (facts(service={**SERVICE, "active": "failed", "result": "exit-code"}, log=["a", "Boom."]), "agent_crash",
         "Boom."),
        (facts(service={**SERVICE, "active": "activating", "sub": "auto-restart"}), "agent_crash", "auto-restart"),
        (facts(service={**SERVICE, "installed": False}), "service_missing", "has no unit"),
        (facts(service=None), "not_listening", "nothing listens"),
        (facts(instance={**INSTANCE, "no_listen": True}), "wrong_mode", "not to listen"),
        (facts(instance={**INSTANCE, "port": 11000}), "port_mismatch", "port 11000"),
        (facts(instance=None, service=None), "service_missing", "no instance of the agent"),
        (facts(instance=None, service=None, other_instances=[{"name": "B", "port": 1}]), "port_mismatch", "B (port 1)"),
        (facts(rights={"account": "tentacle", "lacks": ["identity"]}), "permissions", "lacks rights on: identity"),
        (facts(rights={"account": "gone", "lacks": ["account"]}), "permissions", "does not exist"),
        (facts(disk=DISK), "disk_full", "0 bytes"),
        (facts(holders=[{**HOLDER, "address": "192.0.2.1"}]), "wrong_address", "192.0.2.1 only"),
    ],
)  # fmt: skip
def test_why_nobody_listens(seen: HostFacts, cause: str, word: str) -> None:
    result = concluded("refused", seen)
    assert result.cause == cause
    assert result.evidence.startswith("Something was seen. ")
    assert word in result.evidence


def test_an_instance_that_was_named_and_is_not_there() -> None:
    seen = facts(instance=None, service=None, other_instances=[{"name": "B", "port": 1}])
    result = concluded("refused", seen, "A")
    assert result.cause == "service_missing"
    assert "no instance A on the host; there are B (port 1)" in result.evidence


@pytest.mark.parametrize(
    ("holder", "cause", "word"),
    [
        ({"of_agent": False, "command": "nginx"}, "port_taken", "nginx"),
        ({"of_agent": False, "of_script": True, "command": "sleep 9"}, "port_taken_zombie", "script of the agent"),
        ({"state": "T"}, "unknown", "stopped by a signal"),
        ({}, "unknown", "Something was seen."),
        ({"of_agent": None, "pid": None, "command": None}, "unknown", "Something was seen."),  # not to be seen
    ],
)
def test_who_answers_in_the_agents_place(holder: dict[str, Any], cause: str, word: str) -> None:
    result = concluded("unknown", facts(holders=[{**HOLDER, **holder}]))
    assert result.cause == cause
    assert word in result.evidence


def test_what_is_wrong_without_being_in_the_way_is_a_finding() -> None:
    firewall = {"source": "192.0.2.9", "verdict": "drop", "evidence": "Connections are dropped by x."}
    result = concluded(
        "ok", facts(holders=[HOLDER], disk=DISK, firewall=firewall, rights={"account": "a", "lacks": ["home"]})
    )
    assert result.cause == "ok"
    assert [finding["cause"] for finding in result.findings] == ["disk_full", "permissions", "filtered"]


def test_a_server_that_is_not_trusted_learns_who_is() -> None:
    result = concluded("server_not_trusted", facts(holders=[HOLDER]))
    assert result.cause == "server_not_trusted"
    assert "AB" * 20 in result.evidence
    assert result.alternatives == ("agent_crash",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask for another account")
def test_rights_of_another_account(tmp_path: pathlib.Path) -> None:
    """`nobody` may not read a file of root's, nor write to a directory of root's, and is found out for real."""
    path = tmp_path / "tentacle.json"
    configuration.save(str(path), configuration.create(str(path)))
    tmp_path.chmod(0o755)
    identity = tmp_path / "identity.pem"
    identity.write_text("key")
    identity.chmod(0o600)
    entry = {**INSTANCE, "configuration": str(path), "certificate_path": str(identity), "home_directory": str(tmp_path)}
    service = {**SERVICE, "account": "nobody"}
    found = host_facts._rights(HostFacts(instance=entry, service=service))
    assert found is not None
    assert set(found["lacks"]) >= {"identity", "home"}
    own = host_facts._rights(HostFacts(instance=entry, service={**SERVICE, "account": "root"}))
    assert own == {"account": "root", "lacks": []}
    gone = host_facts._rights(HostFacts(instance=entry, service={**SERVICE, "account": "no-such-account"}))
    assert gone == {"account": "no-such-account", "lacks": ["account"]}
