# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the role takes beside a playbook written by hand and another project's role; and for how many hosts.

`hosts` boots three hosts anew for each of them in each round and runs it twice. `fleet` rolls out to loopback addresses
of this machine, more of them each time. README.md beside this file explains rows, goals and figures.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("bench", "tests/e2e", "plugins/plugin_utils")]

import _bundle
import ansible.release
import judgement
import latest
import loopback
import processes
from agent_process import make_identity
from ansible_command import environment
from hosts import Hosts, play
from processes import BenchError
from zabbix import PLAY, Zabbix

HERE = pathlib.Path(__file__).resolve().parent
README = HERE / "README.md"
PEER_PLACE = ROOT / ".dev" / "bench-zabbix"
SERVER_THUMBPRINT = "A" * 40
ROLE = {"role": "listening.tentacle.tentacle", "tentacle_trusted_thumbprints": [SERVER_THUMBPRINT]}
ROLE_PLAY = [{"hosts": "targets", "gather_facts": False, "become": True, "roles": [ROLE]}]
# Asked on each host after a first run, of the role and of the floor: the same result, not only a green play.
_OUR_RESULT = (
    "systemctl is-active --quiet 'tentacle-agent*' && systemctl is-enabled --quiet $(systemctl list-units --plain "
    "--no-legend 'tentacle-agent*' | cut -d' ' -f1) && id tentacle "
    "&& curl -sk https://127.0.0.1:10933/ | grep 'Octopus Tentacle'"
)
_PEERS_RESULT = "systemctl is-active zabbix-agent && grep '^Server=10.77.0.1' /etc/zabbix/zabbix_agentd.conf"


class Rollout:
    """One way to roll out: its play, what its fresh hosts get before, and what must be there afterwards."""

    def __init__(self, command: list[str], collections: str, result: str) -> None:
        self.command = command
        self.collections = collections
        self.result = result
        self.prepare: Callable[[Hosts], None] = lambda _hosts: None

    def measure(self, hosts: Hosts) -> judgement.Cells:
        """Boot, run, run again. Raises BenchError where the second run changes something or the result is not there."""
        hosts.fresh()
        self.prepare(hosts)
        variables = {**hosts.variables, "ANSIBLE_COLLECTIONS_PATH": self.collections}
        command = ["--inventory", str(hosts.inventory), *self.command]
        first = self._run(hosts, command, variables)
        for name in ("r1", "r2", "r3"):
            hosts.execute(name, self.result)
        second = self._run(hosts, command, variables)
        if not first["changed"] or second["changed"]:
            changes = f"{first['changed']} changes, then {second['changed']}"
            raise BenchError(f"{command[-1]}: {changes}; wanted: some, then none")
        return {"first": first, "second": second}

    def _run(self, hosts: Hosts, command: list[str], variables: dict[str, str]) -> dict[str, float]:
        before = hosts.cpu_seconds()
        run = play(command, variables)
        return {**run._asdict(), "hosts_cpu": hosts.cpu_seconds() - before}


def main(arguments: list[str] | None = None) -> int:
    """0: all measured and every goal reached; 1: a goal was missed; 2: it could not be run."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))  # so that hosts and agents are ended then as well
    try:
        with tempfile.TemporaryDirectory(prefix="rollout-", dir="/var/tmp") as name:
            directory = pathlib.Path(name)
            text, reached = {"hosts": _hosts, "fleet": _fleet}[options.part](options, directory)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted; hosts and agents are ended", file=sys.stderr)
        return 130
    print("\n" + text)
    if options.readme:
        latest.replace(README, options.part, text)
    return 0 if reached else 1


def _parser() -> argparse.ArgumentParser:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="bench/rollout/run.py", description=__doc__, formatter_class=as_written)
    add = parser.add_argument
    add("part", choices=["hosts", "fleet"], nargs="?", default="hosts")
    add("--rounds", type=int, default=3, help="interleaved rounds on booted hosts (default 3)")
    add("--only", default="role,floor,peer", metavar="NAMES", help="some of role,floor,peer")
    add("--pipelining", action="store_true", help="let Ansible send a module and run it in one step")
    add("--sizes", default="10,30,100", metavar="NUMBERS", help="sizes of the fleet (default 10,30,100)")
    add("--forks", type=int, default=20, help="hosts of the fleet at once (default 20)")
    add("--results", type=pathlib.Path, metavar="FILE", help="add the rounds to those that are there, and judge all")
    add("--readme", action="store_true", help="put the table into README.md beside this file, as the latest figures")
    return parser


def _hosts(options: argparse.Namespace, directory: pathlib.Path) -> tuple[str, bool]:
    rounds: list[judgement.Round] = []
    if options.results and options.results.exists():
        rounds = json.loads(options.results.read_text(encoding="utf-8"))
    ways = _ways(options.only.split(","), directory)
    hosts = Hosts(directory, environment(), options.pipelining)
    try:
        for number in range(1, options.rounds + 1):
            begin = time.monotonic()
            rounds.append({name: way.measure(hosts) for name, way in ways.items()})
            print(f"round {number} of {options.rounds}: {time.monotonic() - begin:.0f} s, {_load()}", flush=True)
            if options.results:
                options.results.write_text(json.dumps(rounds, indent=1) + "\n", encoding="utf-8")
    finally:
        hosts.end()
    said = [*_machine(), f"3 hosts with Debian 12, ssh, pipelining {'on' if options.pipelining else 'off'}"]
    if "peer" in ways:
        said.append(f"peer: {Zabbix(PEER_PLACE).describe()}")
    return judgement.of_rounds(said, rounds)


def _ways(names: list[str], directory: pathlib.Path) -> dict[str, Rollout]:
    """What is compared, in the order of a round."""
    ours = environment()["ANSIBLE_COLLECTIONS_PATH"]
    files = directory / "files"
    for part in ("programs", "identity"):
        (files / part).mkdir(parents=True)
    (files / "programs" / "tentacle-agent.pyz").write_bytes(_bundle.build(ROOT).data)
    make_identity(files / "identity" / "identity.pem", "Octopus Tentacle")
    variables = {"files": str(files), "server_thumbprint": SERVER_THUMBPRINT}
    floor = ["--extra-vars", json.dumps(variables), str(HERE / "floor.yml")]
    ways = {
        "floor": lambda: Rollout(floor, ours, _OUR_RESULT),
        "role": lambda: Rollout([_write(directory / "role.json", ROLE_PLAY)], ours, _OUR_RESULT),
        "peer": lambda: _peer(directory),
    }
    unknown = [name for name in names if name not in ways]
    if unknown:
        raise BenchError(f"there is no {', '.join(unknown)}, but {', '.join(ways)}")
    return {name: make() for name, make in ways.items() if name in names}


def _peer(directory: pathlib.Path) -> Rollout:
    zabbix = Zabbix(PEER_PLACE)
    way = Rollout([_write(directory / "peer.json", PLAY)], str(PEER_PLACE), _PEERS_RESULT)
    way.prepare = zabbix.prepare
    return way


def _fleet(options: argparse.Namespace, directory: pathlib.Path) -> tuple[str, bool]:
    runs = []
    for size in map(int, options.sizes.split(",")):
        place = directory / str(size)
        place.mkdir()
        runs.append(loopback.measure(place, size, options.forks, {**ROLE}))
        print(f"{size} hosts: {runs[-1].first.seconds:.0f} s, {runs[-1].second.seconds:.0f} s, {_load()}", flush=True)
    said = [*_machine(), f"connection local, {options.forks} forks, agents as processes of their own"]
    return judgement.of_fleets(said, runs)


def _write(path: pathlib.Path, content: object) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


def _machine() -> list[str]:
    where = f"{processes.model()}, {os.cpu_count()} cores for controller and hosts"
    versions = f"ansible-core {ansible.release.__version__}, Python {platform.python_version()}"
    return [f"{time.strftime('%Y-%m-%d')}, {where}, Linux {platform.release()}, {versions}"]


if __name__ == "__main__":
    sys.exit(main())
