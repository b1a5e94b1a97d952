# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed and memory of the agent beside nginx and scp, in one run.

Every server has a process of its own on one core, the load generator has the other. Round 1 of all peers, then round 2,
and so on, so that a disturbance meets all of them. README.md beside this file explains rows, floors and figures.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import pathlib
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import goals
import latest
import processes
import report
from peers import Agent, Command, Nginx, Peer, Scp
from processes import BenchError, Server, cores, serving
from rows import ROWS, Cell, FreshRow, measure_fresh
from workplace import MEMORY, Workplace

README = pathlib.Path(__file__).resolve().parent / "README.md"
DISTRIBUTION_PYTHON = pathlib.Path("/usr/bin/python3")
_WARM_UP = (("connect", "1"), ("call", "20"))
Cells = dict[str, dict[str, list[Cell]]]


def main(arguments: list[str] | None = None) -> int:
    """0: all measured and no floor missed; 1: a floor was missed or a cell failed; 2: it could not be run."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))  # so that the servers are ended on SIGTERM as well
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    megabytes = options.file_megabytes or (64 if options.quick else 1000)
    directory = options.directory or (MEMORY if MEMORY.is_dir() else None)
    try:
        with tempfile.TemporaryDirectory(prefix="tentacle-bench-", dir=directory) as path:
            place = Workplace(pathlib.Path(path), megabytes * 10**6)
            with contextlib.ExitStack() as stack:
                peers = _choose_peers(options, place, stack)
                return _bench(options, place, peers, stack)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted; all servers are ended", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=as_written)
    add = parser.add_argument
    places = "{port} {certificate} {key} {thumbprint} {thumbprints} {home}"
    keys = ",".join(row.key for row in ROWS)
    add("--rounds", type=int, help="interleaved rounds (default 5, with --quick 1)")
    add("--quick", action="store_true", help="one short round: shows that all works, not how fast it is")
    add(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help=f"one more Halibut listener; places: {places}",
    )
    add("--only", metavar="NAMES", help="peers, separated by commas: agent,agent-wheels,nginx,scp and those of --peer")
    add("--rows", metavar="KEYS", help=f"rows, separated by commas: {keys}")
    add("--file-megabytes", type=int, help="size of the large file (default 1000, with --quick 64)")
    add("--directory", type=pathlib.Path, help="where the temporary directory is made (default /dev/shm)")
    add("--json", type=pathlib.Path, metavar="FILE", help="write every figure there")
    add("--markdown", type=pathlib.Path, metavar="FILE", help="write the tables there as well")
    add("--readme", action="store_true", help="put the tables into README.md beside this file, as the latest figures")
    return parser


def _choose_peers(options: argparse.Namespace, place: Workplace, stack: contextlib.ExitStack) -> list[Peer]:
    wanted = options.only.split(",") if options.only else None
    own = pathlib.Path(sys.executable)
    makers: dict[str, Callable[[str], Peer]] = {
        "agent": lambda name: Agent(name, place, DISTRIBUTION_PYTHON),
        "agent-wheels": lambda name: Agent(name, place, own),
        "nginx": lambda name: Nginx(name, place),
        "scp": lambda name: Scp(name, place),
    }
    for given in options.peer:
        name, separator, template = given.partition("=")
        if not separator:
            raise BenchError(f"--peer {given}: a name, '=' and a command are wanted")
        makers[name] = functools.partial(_listener, place, template)
    unknown = [name for name in wanted or [] if name not in makers]
    if unknown:
        raise BenchError(f"no such peer: {', '.join(unknown)}; there are {', '.join(makers)}")
    if wanted is None:
        wanted = [name for name in makers if name != "agent-wheels" or _has_pyopenssl(own)]
    peers = [makers[name](name) for name in makers if name in wanted]
    for peer in peers:
        if isinstance(peer, Scp):
            stack.callback(peer.clean_up)
    return peers


def _listener(place: Workplace, template: str, name: str) -> Peer:
    return Command(name, place, template)


def _has_pyopenssl(python: pathlib.Path) -> bool:
    return not subprocess.run([python, "-I", "-c", "import OpenSSL"], capture_output=True, check=False).returncode


def _bench(options: argparse.Namespace, place: Workplace, peers: list[Peer], stack: contextlib.ExitStack) -> int:
    rounds = options.rounds or (1 if options.quick else 5)
    keys = options.rows.split(",") if options.rows else [row.key for row in ROWS]
    machine = _describe_machine(place, peers)
    print("\n".join(machine), flush=True)
    cells: Cells = {peer.name: {} for peer in peers}
    servers = {peer.name: stack.enter_context(serving(peer.start())) for peer in peers}
    for peer in peers:
        _warm_up(place, peer, servers[peer.name])
    for number in range(1, rounds + 1):
        for peer in peers:
            since = time.monotonic()
            _measure_round(place, peer, servers[peer.name], keys, options.quick, cells[peer.name])
            took, load = time.monotonic() - since, os.getloadavg()[0]
            print(f"round {number} of {rounds}: {peer.name}, {took:.0f} s, load {load:.1f}", flush=True)
    machine.append(f"load average at the end: {os.getloadavg()[0]:.1f}")
    return _conclude(options, machine, peers, cells)


def _warm_up(place: Workplace, peer: Peer, server: Server) -> None:
    if peer.kind == "scp":
        return
    http = ["--http"] if peer.kind == "http" else []
    for mode, clients in _WARM_UP:
        counted = place.measure(place.load_command(mode, server.port, "--clients", clients, "--seconds", "0.5", *http))
        if counted["errors"]:
            raise BenchError(f"{peer.name} does not answer as it should: {counted['error']}. Its log is {server.log}")


def _measure_round(
    place: Workplace, peer: Peer, server: Server, keys: list[str], quick: bool, cells: dict[str, list[Cell]]
) -> None:
    fresh: dict[str, Cell] | None = None
    for row in ROWS:
        if row.key not in keys or peer.kind not in row.kinds:
            continue
        if isinstance(row, FreshRow):
            fresh = fresh or measure_fresh(place, peer, quick)
            cell = fresh[row.key]
        else:
            cell = row.measure(place, peer, server, quick)
        cells.setdefault(row.key, []).append(cell)


def _describe_machine(place: Workplace, peers: list[Peer]) -> list[str]:
    servers_core, load_core = cores()
    return [
        f"{time.strftime('%Y-%m-%d')}, {processes.model()}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}; servers on core {servers_core}, load on core {load_core}; "
        f"file of {place.file_bytes // 10**6} MB in {place.path.parent}",
        *(f"{peer.name}: {peer.describe()}" for peer in peers),
        f"load average at the start: {os.getloadavg()[0]:.1f}",
    ]


def _conclude(options: argparse.Namespace, machine: list[str], peers: list[Peer], cells: Cells) -> int:
    listeners = [peer.name for peer in peers if peer.kind == "halibut"]
    reference = next((peer.name for peer in peers if peer.kind == "http"), None)
    ours = listeners[0] if listeners else ""
    tables = [report.main_table(cells, ours, reference), report.cost_table(cells)]
    if len(listeners) > 1 and reference:
        tables.append(report.ratio_table(cells, listeners, reference))
    beyond = [sentence for peer in listeners[:2] for sentence in goals.missed(cells, peer, reference)]
    remarks = report.failures(cells) + report.busy(cells) + beyond
    lists = ["\n".join(f"- {line}" for line in lines) for lines in (machine, remarks)]
    text = "\n\n".join([lists[0], *tables, lists[1]])
    print("\n" + text.strip())
    if options.markdown:
        options.markdown.write_text(text.strip() + "\n", encoding="utf-8")
    if options.readme:
        latest.replace(README, "latest", text.strip())
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "cells": cells}, indent=1) + "\n", encoding="utf-8")
    verdicts = {row.key: report.verdict(cells, ours, reference, row) for row in ROWS}
    below = [key for key, word in verdicts.items() if word == "below"]
    if below:
        print(f"\n{ours} is below the floor in: {', '.join(below)}" + (" (one short round)" if options.quick else ""))
    failed = bool(report.failures(cells))
    return 1 if failed or (below and not options.quick) else 0


if __name__ == "__main__":
    sys.exit(main())
