# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`playbooks/verify.yml` in networks of its own: prints what it concludes of each case, as one JSON object.

The controller is the stage's client. Modules for web01 and web02 run in their networks, because their Python is a
program that goes there first.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parents[1] / "plugins")]
os.environ["PATH"] += os.pathsep + "/usr/sbin:/sbin"

import subprocess

import ansible_command
from agent_process import make_identity
from faulty_servers import tls
from namespaces import Apart, unavailable
from stage import PORT, Host, Identities, Stage

NAME = "web01.example.com"
Case = Callable[[Stage], dict[str, Any]]


def good(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.names({NAME: [stage["web01"].ipv4]})
    return {"tentacle_verify_name": NAME, "tentacle_verify_from": ["web02"]}


def firewall_between(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.forbid("drop")
    return {}


def firewall_for_one(stage: Stage) -> dict[str, Any]:
    """The other host may connect, the controller may not."""
    stage.agent()
    stage.forbid("drop", f"ip saddr {stage.client.ipv4}")
    return {"tentacle_verify_from": ["web02"]}


def firewall_refuses(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.forbid("reject with tcp reset")
    return {}


def loopback_only(stage: Stage) -> dict[str, Any]:
    stage.agent(address="127.0.0.1")
    return {}


def stopped(stage: Stage) -> dict[str, Any]:
    stage.agent().stop()
    return {}


def name_elsewhere(stage: Stage) -> dict[str, Any]:
    stage.agent()
    stage.names({NAME: [stage["web02"].ipv4]})
    return {"tentacle_verify_name": NAME}


def opened_on_the_way(stage: Stage) -> dict[str, Any]:
    """Whoever comes from outside meets another TLS server, on the router."""
    stage.agent()
    device = stage.scratch / "device.pem"
    make_identity(device, "Balancer")
    stage.serve_at_router(tls(lambda connection: None, device))
    return {}


CASES: tuple[Case, ...] = (
    good,
    firewall_between,
    firewall_for_one,
    firewall_refuses,
    loopback_only,
    stopped,
    name_elsewhere,
    opened_on_the_way,
)


def conclude(case: Case, identities: Identities, scratch: pathlib.Path) -> dict[str, Any]:
    """Make the case, run the playbook as the controller does, and take its conclusion. Runs apart."""
    stage = Stage(scratch, identities)
    hosts = [stage["web01"], stage["web02"]]
    values = case(stage)
    book = scratch / "book.yml"
    answer = scratch / "answer.json"
    report = {
        "hosts": "web01",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.copy": {"dest": str(answer), "mode": "0600",
                                            "content": "{{ tentacle_verified | to_json }}"}}],
    }  # fmt: skip
    book.write_text(json.dumps([{"import_playbook": str(HERE.parents[1] / "playbooks" / "verify.yml")}, report]))
    extra = {
        "target": "web01", "tentacle_become": False, "tentacle_verify_timeout": 2, "tentacle_listen_port": PORT,
        "tentacle_thumbprint": stage.identities.agent.thumbprint, "tentacle_verify_fail_on": [],
        "tentacle_verify_client_cert": str(stage.identities.server.path),
        "tentacle_verify_controller_client_cert": str(stage.identities.server.path), **values,
    }  # fmt: skip
    command = ["ansible-playbook", "-i", str(_inventory(hosts, scratch)), str(book), "-e", json.dumps(extra)]
    with stage.client.network:
        done = subprocess.run(
            [str(pathlib.Path(sys.executable).with_name(command[0])), *command[1:]],
            env={**ansible_command.environment(), "HOME": str(scratch)},
            cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
    if not answer.exists():
        raise RuntimeError(done.stdout + done.stderr)
    return dict(json.loads(answer.read_text(encoding="utf-8")))


def _inventory(hosts: list[Host], scratch: pathlib.Path) -> pathlib.Path:
    lines = [f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}"]
    for host in hosts:
        python = scratch / f"python-{host.name}"
        python.write_text(f'#!/bin/sh\nexec nsenter --net={host.network.path} -- {sys.executable} "$@"\n')
        python.chmod(0o755)
        where = f"ansible_host={host.ipv4} ansible_connection=local"
        lines.append(f"{host.name} {where} ansible_python_interpreter={python}")
    path = scratch / "hosts.ini"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main() -> None:
    reason = unavailable()
    if reason:
        sys.exit(reason)
    wanted = [case for case in CASES if case.__name__ in sys.argv[1:] or not sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="vantage-") as name:
        scratch = pathlib.Path(name)
        made = [make_identity(scratch / f"{who}.pem", who) for who in ("server", "stranger", "agent", "other")]
        running = {}
        for case in wanted:
            place = scratch / case.__name__
            place.mkdir()
            running[case.__name__] = Apart(functools.partial(conclude, case, Identities(*made), place), scratch)
        for apart in running.values():
            os.waitpid(apart.pid, 0)
        print(json.dumps({name: apart.result() for name, apart in running.items()}))


if __name__ == "__main__":
    main()
