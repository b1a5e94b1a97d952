# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check on the agent's own host: why nobody answers there, found with real processes."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from agent_process import AgentProcess, Identity

from module_utils._client.endpoint import endpoint
from module_utils._instance import paths, records
from module_utils._verify import target
from module_utils._verify.result import Result
from module_utils._verify.steps import Options, verify


@pytest.fixture(name="agent")
def fixture_agent(
    tmp_path: pathlib.Path, server_identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AgentProcess]:
    """An agent of an instance that this machine knows, for this test alone."""
    monkeypatch.setenv(paths.CONFIGURATION_HOME_VARIABLE, str(tmp_path / "configuration"))
    with AgentProcess(tmp_path, [server_identity.thumbprint]) as running:
        running.configure(port=running.port)
        records.add_record("Test", str(running.configuration_path))
        yield running


def look(port: int, mode: str = target.AUTO, instance: str | None = None) -> Result:
    result = verify(endpoint("127.0.0.1", port), Options(timeout=1))
    target.look(result, mode, instance)
    return result


def test_a_good_agent(agent: AgentProcess) -> None:
    result = look(agent.port)
    assert result.cause == "ok"
    seen = result.facts.target
    assert seen is not None
    assert seen["instance"]["name"] == "Test"
    assert seen["instance"]["trusted_thumbprints"]
    assert seen["holders"][0]["of_agent"] is True
    assert seen["disk"]["full"] is False
    assert any("listening on" in line for line in seen["log"])
    assert result.steps["target"].seconds is not None


def test_a_stopped_agent(agent: AgentProcess) -> None:
    agent.stop()
    result = look(agent.port)
    assert result.cause == "not_listening"
    assert result.steps["target"].status == "failed"
    assert result.facts.target is not None
    assert result.facts.target["holders"] == []


def test_a_frozen_agent(agent: AgentProcess) -> None:
    agent.signal(signal.SIGSTOP)
    try:
        result = look(agent.port)
    finally:
        agent.signal(signal.SIGCONT)
    assert result.cause == "unknown"
    assert f"process {agent.pid} is stopped by a signal" in result.evidence


@pytest.mark.parametrize(("environment", "cause"), [({}, "port_taken"), ({"TentacleHome": "/x"}, "port_taken_zombie")])
def test_another_process_at_the_port(agent: AgentProcess, environment: dict[str, str], cause: str) -> None:
    """A child that holds the socket it inherited, with and without the environment that scripts of an agent have."""
    agent.stop()
    with socket.create_server(("127.0.0.1", agent.port)) as listener:
        child = subprocess.Popen(
            ["sleep", "60"], pass_fds=[listener.fileno()], env={"PATH": os.environ["PATH"], **environment}
        )
    try:
        while pathlib.Path(f"/proc/{child.pid}/cmdline").read_bytes() != b"sleep\x0060\0":  # until it is `sleep`
            time.sleep(0.01)
        result = look(agent.port)
    finally:
        child.kill()
        child.wait()
    assert result.cause == cause
    assert "sleep 60" in result.evidence


def test_an_agent_that_is_told_not_to_listen(agent: AgentProcess) -> None:
    agent.stop()
    agent.configure(no_listen=True)
    assert look(agent.port).cause == "wrong_mode"


def test_the_port_of_no_instance(agent: AgentProcess) -> None:
    free = agent.port + 1 if agent.port < 65535 else agent.port - 1
    assert look(free).facts.target is None
    asked = look(free, target.ALWAYS)
    assert asked.cause == "port_mismatch"
    assert f"Test (port {agent.port})" in asked.evidence
    named = look(free, instance="Nobody")
    assert named.cause == "service_missing"
    assert look(agent.port, target.NEVER).facts.target is None


def test_a_disk_that_is_full(tmp_path: pathlib.Path, agent: AgentProcess) -> None:
    """The home on a file system of its own that is filled up; in a mount namespace, so that nobody else sees it."""
    script = (
        "mount -t tmpfs -o size=1M none {home} && mkdir {home}/Logs && "
        "(dd if=/dev/zero of={home}/fill bs=64k 2>/dev/null; true) && "
        "{python} -c 'from module_utils._verify.host_facts import gather; f = gather({port});"
        ' print(f.disk["full"], f.disk["bytes_free"])\''
    )
    command = script.format(home=agent.home, python=sys.executable, port=agent.port)
    root = pathlib.Path(__file__).resolve().parents[2]
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", command], capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(root / "plugins")},
    )  # fmt: skip
    if "unshare failed" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.stdout.split() == ["True", "0"], done.stderr


def test_the_verdict_of_the_packet_filter(agent: AgentProcess) -> None:
    """A rule of nftables for one source, in a network namespace of its own."""
    rule = f"ip saddr 192.0.2.9 tcp dport {agent.port} drop"
    rules = f"table inet x {{ chain c {{ type filter hook input priority 0; {rule}; }}; }}"
    code = (
        "from module_utils._verify.target import ask_firewall\n"
        f"for source in ('192.0.2.9', '192.0.2.8'): print(ask_firewall(source, {agent.port})['verdict'])\n"
    )
    root = pathlib.Path(__file__).resolve().parents[2]
    done = subprocess.run(
        ["unshare", "-Urn", "sh", "-c", f"nft '{rules}' && exec {sys.executable} -c \"$CODE\""],
        capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(root / "plugins"), "CODE": code,
             "PATH": os.environ["PATH"] + os.pathsep + "/usr/sbin:/sbin"},
    )  # fmt: skip
    if "unshare failed" in done.stderr or "nft: not found" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.stdout.split() == ["drop", "accept"], done.stderr
