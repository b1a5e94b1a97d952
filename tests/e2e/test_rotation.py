# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities of agents and of a server are rotated by the playbooks while the server checks health twice a second."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import ansible_command
import pytest
from agent_process import AgentProcess, Identity, make_identity
from health_server import HealthServer

PLAYBOOKS = pathlib.Path(__file__).resolve().parents[2] / "playbooks"
# What tells the stand-in about an agent; a genuine server would be told by its REST API.
TELL = """
- name: Say which thumbprints count
  ansible.builtin.copy:
    dest: "{{ server }}/{{ inventory_hostname }}.pins"
    content: "{{ counting[tentacle_server_step] | join('\\n') }}"
    mode: "0600"
  vars:
    old: "{{ [tentacle_old_thumbprint] if tentacle_old_thumbprint else [] }}"
    new: "{{ [tentacle_new_thumbprint] }}"
    counting: {announce: "{{ old + new }}", switch: "{{ old + new }}", retire: "{{ new }}", revert: "{{ old }}"}
- name: Fail where the test says so
  ansible.builtin.fail:
    msg: The server does not answer.
  when: [tentacle_server_step == 'switch', inventory_hostname == broken | default('')]
"""
SWITCH = """
- name: Change the certificate
  ansible.builtin.copy:
    dest: "{{ server }}/identity"
    content: "{{ tentacle_new_client_cert }}"
    mode: "0600"
"""
pytestmark = pytest.mark.slow


class Fleet:
    """Two agents, the server that checks them, and playbooks over both."""

    def __init__(self, directory: pathlib.Path, agents: dict[str, AgentProcess], server: HealthServer) -> None:
        self.directory = directory
        self.agents = agents
        self.server = server
        self._inventory = directory / "inventory.json"
        hosts = {name: {"tentacle_configuration_home": str(agent.directory.parent)} for name, agent in agents.items()}
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "tentacle_become": False,
            "tentacle_instance": "agent",
            "tentacle_batch": 1,
            "server": str(server.directory),
        }
        self._inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
        (directory / "tell.yml").write_text(TELL)
        (directory / "switch.yml").write_text(SWITCH)

    def play(self, name: str, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        command = [program, "-i", self._inventory, PLAYBOOKS / f"{name}.yml", *options, "-e", json.dumps(variables)]
        return subprocess.run(
            [str(word) for word in command], env=ansible_command.environment(), cwd=self.directory,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def thumbprints(self) -> list[str]:
        """What the identity files hold."""
        from module_utils._instance import identity

        return [identity.thumbprints_of(agent.identity_path.read_bytes()).sha1 for agent in self.agents.values()]


def unchanged(played: subprocess.CompletedProcess[str]) -> bool:
    recap = [line for line in played.stdout.splitlines() if "changed=" in line]
    return played.returncode == 0 and bool(recap) and all("changed=0 " in line for line in recap)


@pytest.fixture(name="fleet")
def fixture_fleet(
    tmp_path: pathlib.Path, start_agent: Callable[..., AgentProcess], server_identity: Identity
) -> Iterator[Fleet]:
    agents = {name: start_agent() for name in ("one", "two")}
    endpoints = {name: ("127.0.0.1", agent.port) for name, agent in agents.items()}
    for agent in agents.values():  # what its configuration says is where the playbooks look for it
        agent.configure(port=agent.port)
    with HealthServer(tmp_path / "server", server_identity.path, endpoints) as server:
        for name, agent in agents.items():
            server.accept(name, agent.thumbprint)
        server.failures.clear()
        yield Fleet(tmp_path, agents, server)


def test_no_health_check_fails_while_agents_get_new_identities(fleet: Fleet, server_identity: Identity) -> None:
    old = fleet.thumbprints()
    options: dict[str, Any] = {
        "tentacle_rotation": "autumn",
        "tentacle_server_tasks": str(fleet.directory / "tell.yml"),
        "tentacle_verify_client_cert": str(server_identity.path),
    }
    checked = fleet.play("rotate_agents", "--check", **options)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert fleet.thumbprints() == old

    broken = fleet.play("rotate_agents", broken="two", **options)
    assert broken.returncode != 0
    assert "two was not rotated: The server does not answer. Its old identity" in broken.stdout, broken.stdout
    assert fleet.thumbprints()[0] != old[0]
    assert fleet.thumbprints()[1] == old[1]

    resumed = fleet.play("rotate_agents", **options)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    new = fleet.thumbprints()
    assert not set(new) & set(old)
    assert unchanged(fleet.play("rotate_agents", **options))
    assert fleet.thumbprints() == new
    assert [(fleet.server.directory / f"{name}.pins").read_text() for name in fleet.agents] == new
    assert not list(fleet.directory.rglob("identity.pem.previous"))
    assert "PRIVATE KEY" not in resumed.stdout + broken.stdout
    assert fleet.server.failures == []
    assert min(fleet.server.checks.values()) > 10


def test_no_health_check_fails_while_the_server_gets_a_new_certificate(fleet: Fleet, server_identity: Identity) -> None:
    coming = make_identity(fleet.directory / "coming.pem", "Octopus Server, new")
    options: dict[str, Any] = {
        "tentacle_old_server_thumbprint": server_identity.thumbprint,
        "tentacle_new_server_thumbprint": coming.thumbprint,
        "tentacle_new_client_cert": str(coming.path),
    }
    trust = fleet.play("rotate_server", **options)
    assert trust.returncode == 0, trust.stdout + trust.stderr
    assert "tentacle_phase=finish" in trust.stdout
    both = {server_identity.thumbprint, coming.thumbprint}
    assert [trusted(agent) for agent in fleet.agents.values()] == [both, both]

    assert fleet.play("rotate_server", tentacle_phase="rollback", **options).returncode == 0
    assert [trusted(agent) for agent in fleet.agents.values()] == [{server_identity.thumbprint}] * 2
    early = fleet.play("rotate_server", tentacle_phase="finish", **options)
    assert early.returncode != 0
    assert "does not trust" in early.stdout

    whole = fleet.play("rotate_server", tentacle_server_tasks=str(fleet.directory / "switch.yml"), **options)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert [trusted(agent) for agent in fleet.agents.values()] == [{coming.thumbprint}] * 2
    again = fleet.play("rotate_server", tentacle_phase="finish", **options)
    assert unchanged(again), again.stdout
    assert fleet.server.failures == []
    assert min(fleet.server.checks.values()) > 10


def trusted(agent: AgentProcess) -> set[str]:
    document = json.loads(agent.configuration_path.read_text())
    return {server["thumbprint"] for server in document["trusted_servers"]}
