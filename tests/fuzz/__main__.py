# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damages recorded conversations and feeds them to the protocol core and to a live agent.

Prints the seed, so that a run can be repeated; what is found is made short, printed, and kept in `tests/fuzz/found`,
whose inputs every later run feeds first.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable

from . import conversation, hostile, live, shrinking, workers
from .workers import Finding, Total

SHOW_SECONDS = 1.0 if sys.stdout.isatty() else 15.0


def main(arguments: list[str] | None = None) -> int:
    """0: every promise held; 1: one was broken."""
    options = _parser().parse_args(arguments)
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    count = options.live if options.live is not None else max(options.inputs // 1000, 100)
    print(f"seed {seed}: {options.inputs} inputs for the core, {count} for a live agent", flush=True)
    kept = _feed_kept()
    costs = _measure(seed) if options.hostile else True
    core = _run_core(seed, options)
    agent = _run_live(seed, options.first, count) if count else True
    held = kept and costs and core and agent
    print("every promise held" if held else "a promise was broken: see above", flush=True)
    return int(not held)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("inputs", nargs="?", type=int, default=100_000, help="for the core (N)")
    parser.add_argument("--seed", type=int, help="the same seed gives the same inputs")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER", help="begin with this input")
    parser.add_argument("--live", type=int, metavar="N", help="for a live agent; else N/1000")
    parser.add_argument("--processes", type=int, default=min(os.cpu_count() or 1, 2), metavar="N")
    parser.add_argument("--no-hostile", dest="hostile", action="store_false", help="no bombs")
    return parser


def _feed_kept() -> bool:
    """Feed what earlier runs have found."""
    held, kept = True, list(shrinking.kept())
    for name, item in kept:
        try:
            conversation.check(item)
        except Exception as problem:
            print(f"found/{name}.json breaks a promise again: {workers.describe(problem)}")
            held = False
    print(f"{len(kept)} inputs found by earlier runs: {'all well' if held else 'NOT WELL'}", flush=True)
    return held


def _measure(seed: int) -> bool:
    held = True
    for cost in hostile.measure(seed):
        verdict = "" if cost.allowed else "  TOO MUCH"
        print(f"  {cost.name:30} peak {cost.peak / 2**20:6.1f} of {cost.cap / 2**20:4.0f} MiB, "
              f"{cost.seconds:5.2f} s of CPU time{verdict}", flush=True)
        held = held and cost.allowed
    return held


def _run_core(seed: int, options: argparse.Namespace) -> bool:
    began = time.monotonic()
    total = workers.run(seed, options.first, options.inputs, options.processes, _progress(options.inputs, began))
    seconds = time.monotonic() - began
    print(f"core: {total.inputs} inputs, {total.events} events, {seconds:.0f} s, {total.inputs / seconds:.0f} a second "
          f"with {options.processes} processes ({total.inputs / (total.cpu_seconds or 1):.0f} a second of CPU time), "
          f"slowest {total.slowest * 1000:.0f} ms, memory grew by {total.growth_mib:.1f} MiB at most", flush=True)
    for finding in total.findings.values():
        _explain(seed, finding)
    return not total.findings


def _progress(count: int, began: float) -> Callable[[Total], None]:
    said = [began]

    def show(total: Total) -> None:
        now = time.monotonic()
        if now - said[0] >= SHOW_SECONDS:
            said[0] = now
            print(f"  {total.inputs} of {count} inputs, {total.inputs / (now - began):.0f} a second, "
                  f"{len(total.findings)} kinds of findings", flush=True)

    return show


def _explain(seed: int, finding: Finding) -> None:
    print(f"\nFOUND {finding.place} by input {finding.number}:\n{finding.text}")
    if finding.number >= 0:
        item = shrinking.shrink(conversation.nth(seed, finding.number), finding.place)
        print(f"  {item.role}, {item.size} bytes: {b''.join(item.pieces)!r:.2000}")
        print(f"  kept as {shrinking.keep(item, finding.text)}")
        print(f"  again: ./dev fuzz 1 --no-hostile --live 0 --seed {seed} --first {finding.number}", flush=True)


def _run_live(seed: int, first: int, count: int) -> bool:
    began = said = time.monotonic()

    def show(done: int) -> None:
        nonlocal said
        if time.monotonic() - said >= SHOW_SECONDS:
            said = time.monotonic()
            print(f"  {done} of {count} inputs for the agent, {done / (said - began):.0f} a second", flush=True)

    with tempfile.TemporaryDirectory(prefix="tentacle-fuzz-") as path, live.Live(pathlib.Path(path), seed) as agent:
        try:
            told = agent.run(first, count, show)
        except live.Broken as problem:
            print(f"\nFOUND with the live agent: {problem}")
            print(f"  again: ./dev fuzz 0 --no-hostile --seed {seed} --first NUMBER --live 1", flush=True)
            return False
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(agent.kinds.items()))
    print(f"agent: {count} inputs in {time.monotonic() - began:.0f} s ({kinds}); {told}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
