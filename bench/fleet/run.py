# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long `tentacle_verify` takes, for one agent and for many: `python bench/fleet/run.py`; see bench/fleet/README.md.

The floor is a C program that makes the same connections and concludes nothing. Both use the same agents and the same
two cores, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from agent_process import AgentProcess, Identity, make_identity
from ansible_command import environment

AGENTS = 3
THREADS = 32  # of the C program: more make it no faster
SOURCES = [ROOT / "bench" / name for name in ("fleet/connections.c", "load/request.c", "load/bson.c")]
MODULE = """
import json, sys, time
from ansible.module_utils.testing import patch_module_args
begin = time.perf_counter()
with patch_module_args(json.load(open(sys.argv[2]))):
    module = __import__(sys.argv[1], fromlist=["main"])
    module.main()
"""
VERIFY = "ansible_collections.listening.tentacle.plugins.modules.tentacle_verify"


class ModuleRun(NamedTuple):
    """What a module returned, how long its process took, its processor time, and its greatest resident memory in MB."""

    facts: dict[str, Any]
    seconds: float
    cpu: float
    megabytes: float


class Place:
    """A directory with identities and agents that answer at every loopback address."""

    def __init__(
        self, directory: pathlib.Path, agents: list[AgentProcess], server: Identity, stranger: Identity
    ) -> None:
        self.directory = directory
        self.agents = agents
        self.server = server
        self.stranger = stranger

    def endpoints(self, count: int, network: str = "127.1") -> list[dict[str, Any]]:
        """So many addresses, spread over the agents; 62,500 at most."""
        found = []
        for number in range(count):
            agent = self.agents[number % len(self.agents)]
            host = f"{network}.{number // 250}.{number % 250 + 1}"
            found.append({"host": host, "port": agent.port, "thumbprint": agent.thumbprint})
        return found

    def options(self, **more: Any) -> dict[str, Any]:
        """Options of `tentacle_verify` for all steps, with the agents' identities allowed to be shared."""
        allowed = {"allowed_shared_thumbprints": [agent.thumbprint for agent in self.agents]}
        return {"client_cert": str(self.server.path), "timeout": 15, **(allowed if "endpoints" in more else {}), **more}

    def module(self, name: str, options: dict[str, Any]) -> ModuleRun:
        """Run a module in a process of its own, as Ansible does, but without Ansible's own work."""
        arguments = self.directory / "arguments.json"
        arguments.write_text(json.dumps(options), encoding="utf-8")
        variables = {**environment(), "PYTHONPATH": environment()["ANSIBLE_COLLECTIONS_PATH"]}
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", MODULE, name, str(arguments)], env=variables,
                                   stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert process.stdout is not None
        text = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return ModuleRun(json.loads(text), time.perf_counter() - begin, usage.ru_utime + usage.ru_stime,
                         usage.ru_maxrss / 1024)  # fmt: skip

    def floor(self, endpoints: list[dict[str, Any]]) -> dict[str, Any]:
        """The same connections by the C program."""
        command = [str(self.directory / "connections"), str(THREADS), str(self.server.path), str(self.stranger.path)]
        listed = "".join(f"{entry['host']} {entry['port']}\n" for entry in endpoints)
        done = subprocess.run(command, input=listed, capture_output=True, text=True, check=False)
        counted: dict[str, Any] = json.loads(done.stdout)
        assert not counted["errors"], counted
        return counted


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """Everything made, and everything ended at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as name, contextlib.ExitStack() as stack:
        directory = pathlib.Path(name)
        command = ["cc", "-std=c11", "-O2", "-Wall", *map(str, SOURCES), "-o", str(directory / "connections")]
        subprocess.run([*command, "-lssl", "-lcrypto", "-lz", "-lpthread"], check=True)
        server = make_identity(directory / "server.pem")
        stranger = make_identity(directory / "stranger.pem", "Stranger", "ec")
        agents = []
        for number in range(AGENTS):
            home = directory / str(number)
            home.mkdir()
            agents.append(stack.enter_context(AgentProcess(home, [server.thumbprint], listen_address="0.0.0.0")))
        yield Place(directory, agents, server, stranger)


def fleet(here: Place, count: int, rounds: int) -> Iterator[str]:
    """All of a fleet at once, beside the C program, in turn."""
    endpoints = here.endpoints(count)
    here.floor(endpoints[:20])
    floors, checks = [], []
    for _round in range(rounds):
        floors.append(here.floor(endpoints))
        checks.append(here.module(VERIFY, here.options(endpoints=endpoints)))
        assert checks[-1].facts["totals"]["ok"] == count, checks[-1].facts["msg"]
    times = [run.facts["seconds"] for run in checks]
    floor, check = statistics.median(run["seconds"] for run in floors), statistics.median(times)
    spread = f"{min(times):.2f}-{max(times):.2f}"
    yield f"| {count:,} endpoints, C program, {floors[0]['connections']:,} connections | {floor:.2f} s | |"
    yield f"| {count:,} endpoints, one task | {check:.2f} s ({spread}) | {check / floor:.2f} x C, at most 2 |"
    yield f"| its process, with start and result | {statistics.median(c.seconds for c in checks):.2f} s | |"
    yield f"| its processor time | {statistics.median(c.cpu for c in checks) / count * 1e3:.1f} ms each | |"
    yield f"| its memory | {max(c.megabytes for c in checks):.0f} MB | at most 150 MB |"


def loop(here: Place, count: int, total: int) -> Iterator[str]:
    """A loop of single checks against one task for all, both by ansible-playbook, less what an empty play takes."""
    endpoints = here.endpoints(total)
    empty = min(playbook(here, [{"ansible.builtin.meta": "noop"}]) for _round in range(3))
    ping = (playbook(here, [{"ansible.builtin.ping": {}, "loop": endpoints[:count]}]) - empty) / count
    single = here.options(host="{{ item.host }}", port="{{ item.port }}", thumbprint="{{ item.thumbprint }}")
    each = (playbook(here, [{"listening.tentacle.tentacle_verify": single, "loop": endpoints[:count]}]) - empty) / count
    at_once = here.options(endpoints=endpoints)
    together = (playbook(here, [{"listening.tentacle.tentacle_verify": at_once}]) - empty) / total
    yield f"| one check of {count} in a loop | {each * 1e3:.0f} ms | |"
    yield f"| the same less {ping * 1e3:.0f} ms of ping in a loop | {(each - ping) * 1e3:.0f} ms | at most 150 ms |"
    yield f"| one of {total:,} in one task | {together * 1e3:.1f} ms | {each / together:.0f} x faster, at least 20 |"


def playbook(here: Place, tasks: list[dict[str, Any]]) -> float:
    """How long ansible-playbook takes for these tasks on localhost."""
    book = here.directory / "play.yml"
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    begin = time.perf_counter()
    subprocess.run([str(program), str(book)], env=environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def filtered(here: Place, good: int, silent: int, timeout: int, concurrency: int) -> Iterator[str]:
    """Most endpoints are dropped by a firewall, in the midst of others. Run this in a network namespace of its own."""
    for command in (
        "ip link set lo up",
        "nft add table inet bench",
        "nft add chain inet bench input { type filter hook input priority 0 ; }",
        "nft add rule inet bench input ip daddr 127.9.0.0/16 drop",
    ):
        subprocess.run(command.split(), check=True)
    dropped, rest = iter(here.endpoints(silent, "127.9")), here.endpoints(good)
    endpoints = [endpoint for answers in rest for endpoint in (answers, *itertools.islice(dropped, silent // good))]
    run = here.module(VERIFY, here.options(endpoints=endpoints, timeout=timeout, concurrency=concurrency, fail_on=[]))
    assert run.facts["totals"]["causes"] == {"filtered": silent}, run.facts["totals"]
    limit = timeout * silent / concurrency * 1.1
    title = f"{good + silent:,} endpoints, {silent:,} filtered, time-out {timeout} s, {concurrency} at once"
    yield f"| {title} | {run.facts['seconds']:.1f} s | at most {limit:.1f} s |"
    yield f"| its memory | {run.megabytes:.0f} MB | |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["fleet", "loop", "filtered"], nargs="?", help="one instead of the first two")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=int, default=2)
    parser.add_argument("--concurrency", type=int, default=500)
    arguments = parser.parse_args()
    parts = [arguments.part] if arguments.part else ["fleet", "loop"]
    with place() as here:
        print("| row | measured | goal |\n| --- | --- | --- |")
        for part in parts:
            lines = {
                "fleet": lambda: fleet(here, arguments.count, arguments.rounds),
                "loop": lambda: loop(here, 20, arguments.count),
                "filtered": lambda: filtered(
                    here, arguments.count, 9 * arguments.count, arguments.timeout, arguments.concurrency
                ),
            }[part]()
            for line in lines:
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
