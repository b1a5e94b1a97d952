# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make faults for real, let the diagnosis name them, and compare: `./dev faults [--json FILE] [--jobs N] [NAME...]`.

Each fault has namespaces of its own, so that many run at once. A name may be the beginning of several. Exit status 0
only if every fault that was made has been named right; with CI=true a fault that was skipped counts as wrong.

`--as-user` shows each as Ansible's own command does, and compares nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "e2e"), os.environ["ANSIBLE_COLLECTIONS_PATH"]]
os.environ["PATH"] += os.pathsep + "/usr/sbin:/sbin"

from agent_process import make_identity
from catalogue import FAULTS
from diagnosis import ask_as_user, diagnose
from entry import Fault
from matrix import Outcome, closing, table
from namespaces import Apart, unavailable
from stage import Identities, Stage

SECONDS = 120.0  # for one fault, at most
JOBS = 8  # most of them wait most of the time


def perform(fault: Fault, identities: Identities, scratch: pathlib.Path) -> dict[str, Any]:
    """Make one fault and have it named. Runs apart."""
    stage = Stage(scratch, identities)
    changes = fault.make(stage) or {}
    began = time.monotonic()
    return {"result": diagnose(stage, changes), "seconds": time.monotonic() - began}


def show(fault: Fault, identities: Identities, scratch: pathlib.Path) -> str:
    """Make one fault and ask about it as a user does. Runs apart."""
    stage = Stage(scratch, identities)
    return ask_as_user(stage, fault.make(stage) or {})


def show_each(faults: Sequence[Fault], identities: Identities, scratch: pathlib.Path) -> None:
    """Print what a user sees, one fault behind the other."""
    for fault in faults:
        place = scratch / fault.name
        place.mkdir()
        apart = Apart(functools.partial(show, fault, identities, place), scratch)
        os.waitpid(apart.pid, 0)
        print(f"# {fault.name}\n{apart.result()}", flush=True)


def chosen(names: Sequence[str]) -> list[Fault]:
    """The faults that names stand for, each a whole one or a beginning; SystemExit for a name that is none."""
    found = list(FAULTS.values()) if not names else []
    for name in names:
        fitting = [FAULTS[name]] if name in FAULTS else [one for one in FAULTS.values() if one.name.startswith(name)]
        if not fitting:
            sys.exit(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
        found += fitting
    return list(dict.fromkeys(found))


def run_all(faults: Sequence[Fault], identities: Identities, scratch: pathlib.Path, jobs: int) -> list[Outcome]:
    """Make all of them, some at a time, and print each as it ends; the outcomes in the order of the list."""
    waiting = list(faults)
    outcomes: dict[str, Outcome] = {}
    running: dict[int, tuple[Fault, Apart, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            fault = waiting.pop(0)
            absent = fault.missing()
            if absent:
                outcomes[fault.name] = _say(Outcome(fault.name, fault.cause, skipped=absent))
                continue
            place = scratch / fault.name
            place.mkdir()
            apart = Apart(functools.partial(perform, fault, identities, place), scratch)
            running[apart.pid] = (fault, apart, time.monotonic())
        ended, _status = os.waitpid(-1, os.WNOHANG) if running else (0, 0)
        if ended in running:
            fault, apart, _began = running.pop(ended)
            outcomes[fault.name] = _say(_judge(fault, apart))
        elif not ended:
            for _fault, apart, began in running.values():
                if time.monotonic() - began > SECONDS:
                    apart.end()
            time.sleep(0.02)
    return [outcomes[fault.name] for fault in faults]


def _judge(fault: Fault, apart: Apart) -> Outcome:
    try:
        answer = apart.result()
    except RuntimeError as error:
        return Outcome(fault.name, fault.cause, evidence=str(error), wrong=["the fault could not be made and checked"])
    result = answer["result"]
    if "cause" not in result:
        return Outcome(fault.name, fault.cause, evidence=str(result), wrong=["the module gave no diagnosis"])
    return Outcome(
        fault.name,
        fault.cause,
        reported=result["cause"],
        side=result["side"],
        seconds=answer["seconds"],
        evidence=result["evidence"],
        wrong=fault.complaints(result),
        result=result,
    )


def _say(outcome: Outcome) -> Outcome:
    print(outcome.lines(), flush=True)
    return outcome


def made_identities(scratch: pathlib.Path) -> Identities:
    """Certificates for everybody."""
    return Identities(
        server=make_identity(scratch / "server.pem"),
        stranger=make_identity(scratch / "stranger.pem", "Stranger"),
        agent=make_identity(scratch / "agent.pem", "Octopus Tentacle"),
        other=make_identity(scratch / "other.pem", "Octopus Tentacle"),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--as-user", action="store_true")
    arguments = parser.parse_args()
    faults = chosen(arguments.names)
    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        why_not = unavailable()
        if arguments.as_user and not why_not:
            show_each(faults, made_identities(scratch), scratch)
            return 0
        if why_not:
            outcomes = [_say(Outcome(fault.name, fault.cause, skipped=why_not)) for fault in faults]
        else:
            outcomes = run_all(faults, made_identities(scratch), scratch, arguments.jobs)
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(one) for one in outcomes], indent=1), encoding="utf-8")
    print(f"\n{table(outcomes)}\n\n{closing(outcomes)}")
    in_ci = os.environ.get("CI", "").lower() == "true"
    return int(any(one.wrong or (one.skipped and in_ci) for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
