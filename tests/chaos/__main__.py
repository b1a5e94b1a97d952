# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the scenarios of this folder, each in a process of its own, and ends with a table."""

from __future__ import annotations

import argparse
import importlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from . import clock
from .caller import Broken

ROUNDS = 500
PATIENCE_SECONDS = 5400


class Scenario(NamedTuple):
    """A file of this folder; how much it does at least and with 500 rounds; whether it mounts things."""

    name: str
    short: int
    full: int
    mounts: bool = False


SCENARIOS = (
    Scenario("kills", 25, 500),
    Scenario("configuration", 10, 100),
    Scenario("replays", 4, 75),
    Scenario("disk_full", 1, 10, mounts=True),
    Scenario("read_only_home", 2, 20, mounts=True),
    Scenario("clock", 1, 3),
    Scenario("refusals", 500, 10_000),
    Scenario("strangers", 200, 1000),
)


class Outcome(NamedTuple):
    """How a scenario ended: held, BROKEN or skipped."""

    name: str
    word: str
    seconds: float
    remark: str


def main(arguments: list[str] | None = None) -> int:
    """0: everything held; 1: something did not."""
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))  # so that agents are ended on SIGTERM as well
    options = _parser().parse_args(arguments)
    if options.run:
        return _run_here(options.run, options.rounds, options.seed)
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    chosen = [scenario for scenario in SCENARIOS if not options.only or scenario.name in options.only]
    print(f"seed {seed}", flush=True)
    outcomes = [_run(scenario, _amount(scenario, options.rounds), seed) for scenario in chosen]
    _table(outcomes)
    skipped = any(outcome.word == "skipped" for outcome in outcomes) and os.environ.get("CI", "").lower() == "true"
    return int(skipped or any(outcome.word == "BROKEN" for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, metavar="N", help="kills")
    parser.add_argument("--only", action="append", choices=[scenario.name for scenario in SCENARIOS], metavar="NAME")
    parser.add_argument("--seed", type=int, help="of an earlier run; times still differ")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    return parser


def _amount(scenario: Scenario, rounds: int) -> int:
    return rounds if scenario.name == "kills" else max(scenario.short, scenario.full * rounds // ROUNDS)


def _run(scenario: Scenario, amount: int, seed: int) -> Outcome:
    began = time.monotonic()
    missing = _missing(scenario)
    if missing:
        return Outcome(scenario.name, "skipped", 0.0, missing)
    print(f"== {scenario.name} ({amount})", flush=True)
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    command = [*(own if scenario.mounts else []), sys.executable, "-m", "chaos", "--run", scenario.name]
    command += ["--seed", str(seed), str(amount)]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                print(f"   {line.rstrip()}", flush=True)
        except BaseException:
            process.terminate()
            raise
    held = process.returncode == 0 and bool(lines)
    return Outcome(scenario.name, "held" if held else "BROKEN", time.monotonic() - began, lines[-1] if lines else "")


def _missing(scenario: Scenario) -> str:
    if scenario.name == "clock" and clock.LIBRARY is None:
        return "no libfaketime here (apt-get install libfaketime)"
    if scenario.mounts and not _may_mount():
        return "no mount namespace for this account (run as root, or allow user namespaces)"
    return ""


def _may_mount() -> bool:
    words = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    return bool(shutil.which("unshare")) and subprocess.run(
        ["unshare", *words, "true"], capture_output=True, check=False
    ).returncode == 0


def _run_here(name: str, amount: int, seed: int) -> int:
    scenario = importlib.import_module(f"chaos.{name}")
    with tempfile.TemporaryDirectory(prefix="tentacle-chaos-") as path:
        try:
            remark = scenario.run(amount, seed, pathlib.Path(path), lambda line: print(line, flush=True))
        except (Broken, RuntimeError) as problem:
            log = pathlib.Path(path) / "agent" / "console.txt"
            if log.exists():
                print(f"the end of the agent's log:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
            print(f"BROKEN: {' '.join(str(problem).split())[:2000]}", flush=True)
            return 1
    print(remark, flush=True)
    return 0


def _table(outcomes: Sequence[Outcome]) -> None:
    print(f"\n{'scenario':16} {'result':8} {'seconds':>7}")
    for outcome in outcomes:
        print(f"{outcome.name:16} {outcome.word:8} {outcome.seconds:7.1f}  {outcome.remark[:400]}")
    counts = {word: sum(outcome.word == word for outcome in outcomes) for word in ("held", "BROKEN", "skipped")}
    print(f"\n{counts['held']} held, {counts['BROKEN']} broken, {counts['skipped']} skipped", flush=True)


if __name__ == "__main__":
    sys.exit(main())
