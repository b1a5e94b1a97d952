# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roll-outs over several hosts: in batches that stop at the first bad one, drained, and behind address translation."""

from __future__ import annotations

import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import ansible_command
import pytest
from agent_process import Identity
from rollout import Rollout, free_port

pytestmark = pytest.mark.slow


class Fleet:
    """Hosts of one inventory, each a `Rollout` with its own directories, and the playbook over all of them."""

    def __init__(self, directory: pathlib.Path, collections: pathlib.Path, trusted: list[str]) -> None:
        self.directory = directory
        self._collections = collections
        self.hosts: dict[str, Rollout] = {}
        for name in ("one", "two", "three"):
            (directory / name).mkdir()
            self.hosts[name] = Rollout(directory / name, collections, trusted)
        inventory = {"all": {"hosts": {name: host.variables for name, host in self.hosts.items()}}}
        (directory / "inventory.json").write_text(json.dumps(inventory))

    def play(self, playbook: str = "rollout", **variables: object) -> subprocess.CompletedProcess[str]:
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        given = json.dumps({"tentacle_become": False, **variables})
        command = [program, "-i", self.directory / "inventory.json", f"listening.tentacle.{playbook}", "-e", given]
        return subprocess.run(
            [str(word) for word in command],
            env={**ansible_command.environment(), "ANSIBLE_COLLECTIONS_PATH": str(self._collections)},
            cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def pids(self) -> dict[str, int | None]:
        return {name: host.pid() for name, host in self.hosts.items()}

    def levels(self) -> list[str]:
        """A setting that each run of these tests changes, as each host has it."""
        return [
            json.loads((host.host / "etc/tentacle/tentacle.json").read_text()).get("log_level", "info")
            for host in self.hosts.values()
        ]


@pytest.fixture(name="fleet")
def fixture_fleet(tmp_path: pathlib.Path, collections: pathlib.Path, server_identity: Identity) -> Iterator[Fleet]:
    made = Fleet(tmp_path, collections, [server_identity.thumbprint])
    yield made
    for host in made.hosts.values():
        host.end()


def test_a_bad_batch_stops_the_change_and_the_next_run_finishes_it(fleet: Fleet) -> None:
    gate = fleet.directory / "gate.yml"
    gate.write_text(
        "- name: Ask for the health\n"
        "  ansible.builtin.fail: {msg: 'The server sees {{ tentacle_result.uri }} unhealthy.'}\n"
        "  when: inventory_hostname == sick | default('')\n"
    )
    first = fleet.play()
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("PLAY [") == 1
    pids = fleet.pids()
    assert all(pids.values())

    # In the second batch nobody answers at the address that is verified.
    broken = fleet.play(
        tentacle_batch=1, tentacle_log_level="debug", tentacle_verify_retries=1, tentacle_verify_delay=1,
        tentacle_verify_host="{{ '127.0.0.77' if inventory_hostname == 'two' else '127.0.0.1' }}",
    )  # fmt: skip
    assert broken.returncode != 0
    assert broken.stdout.count("PLAY [") == 2, broken.stdout
    assert fleet.levels() == ["debug", "debug", "info"]
    assert fleet.pids() == pids

    # All of it was right for the role, and the gate of the user's own says no.
    gated = fleet.play(tentacle_batch=1, tentacle_log_level="warn", tentacle_gate_tasks=str(gate), sick="two")
    assert gated.returncode != 0
    assert f"The server sees https://two:{fleet.hosts['two'].port}/ unhealthy." in gated.stdout
    assert fleet.levels() == ["warn", "warn", "info"]

    whole = fleet.play(tentacle_batch=[1, "100%"], tentacle_log_level="warn", tentacle_gate_tasks=str(gate))
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert whole.stdout.count("PLAY [") == 2
    assert fleet.levels() == ["warn"] * 3
    again = fleet.play(tentacle_batch=2, tentacle_log_level="warn")
    assert again.stdout.count("changed=0 ") == 3, again.stdout


def test_a_restart_waits_for_the_script_that_runs(rollout: Rollout, server_identity: Identity) -> None:
    _changed, failed, said = rollout.run(tentacle_drain_seconds=60)
    assert failed == 0, said
    pid, marks = rollout.pid(), rollout.directory
    options = {
        "host": "127.0.0.1", "port": rollout.port, "client_cert": str(server_identity.path),
        "thumbprint": rollout.report()["result"]["thumbprint"],
        "script": f"touch {marks}/begun; sleep 8; touch {marks}/ended",
    }  # fmt: skip
    deployment = threading.Thread(target=ansible_command.adhoc, args=("tentacle_script", options), daemon=True)
    deployment.start()
    limit = time.monotonic() + 60
    while not (marks / "begun").exists():
        assert time.monotonic() < limit
        time.sleep(0.05)
    # Another port takes a restart, and the role comes back when that is over.
    _changed, failed, said = rollout.run(tentacle_drain_seconds=60, tentacle_listen_port=free_port())
    assert failed == 0, said
    assert (marks / "ended").exists()
    assert rollout.pid() not in (None, pid)
    deployment.join(60)


def test_a_host_behind_address_translation_is_checked_where_servers_find_it(fleet: Fleet) -> None:
    outside, host = free_port(), fleet.hosts["one"]
    options = {
        "target": "one",
        "tentacle_verify_from_controller": True,
        "tentacle_public_hostname": "127.0.0.5",
        "tentacle_comms_port": outside,
        "tentacle_verify_retries": 1,
        "tentacle_verify_delay": 1,
    }
    closed = fleet.play(**options)
    assert closed.returncode != 0
    assert f"127.0.0.5:{outside}" in closed.stdout
    assert "refused" in closed.stdout

    with Translation(("127.0.0.5", outside), ("127.0.0.1", host.port)):
        opened = fleet.play(**options)
        assert "changed=0 " in opened.stdout, opened.stdout
        assert f"one: https://127.0.0.5:{outside}/, thumbprint" in opened.stdout
        # What the agent's configuration says is enough for those who are told nothing.
        checked = fleet.play("verify", target="one", tentacle_verify_fail_on=["any"])
        assert checked.returncode == 0, checked.stdout
        assert f"127.0.0.5:{outside}" in checked.stdout

    # A controller inside the network goes there directly.
    inside = fleet.play(**options, tentacle_verify_controller_host="127.0.0.1")
    assert "changed=0 " in inside.stdout, inside.stdout


class Translation:
    """What a router does that forwards one address and port to another."""

    def __init__(self, outside: tuple[str, int], inside: tuple[str, int]) -> None:
        self._listener = socket.create_server(outside)
        self._inside = inside
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Translation:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                one, _address = self._listener.accept()
            except OSError:
                return
            other = socket.create_connection(self._inside, 10)
            for pair in ((one, other), (other, one)):
                threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()
