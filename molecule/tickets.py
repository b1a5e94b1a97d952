# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that starts a script and comes back for it later, whatever became of the agent meanwhile.

    tickets.py IDENTITY ADDRESS:PORT start TICKET SCRIPT    start it, alone under its mutex, and do not wait
    tickets.py IDENTITY ADDRESS:PORT ask TICKET             what is known of it
    tickets.py IDENTITY ADDRESS:PORT await TICKET [LINE]    the same, once it has ended, or has printed that line

Prints the state (`running` is also said of scripts that wait), the exit code, and what the script and the agent wrote.
An agent that does not answer is called again for a minute.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "plugins"), str(ROOT / "tests" / "e2e")]

from script_client import Scripts, lines
from wire_client import Ended, WireClient

PATIENCE = 60.0
STATES = ("pending", "running", "complete")


def main(identity: str, endpoint: str, verb: str, ticket: str, *more: str) -> None:
    address, _separator, port = endpoint.rpartition(":")
    limit = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError, Ended):
            scripts = Scripts(WireClient(int(port), pathlib.Path(identity), address=address))
            scripts.prefix = "scenario"
            status = scripts.start(ticket, *more, wait=None, isolation=1) if verb == "start" else scripts.status(ticket)
            if verb != "await" or STATES[status.state] == "complete" or _has(status, *more):
                break
        if time.monotonic() > limit:
            raise SystemExit(f"{ticket} at {endpoint} was not as awaited for {PATIENCE:.0f} s.")
        time.sleep(0.2)
    print(json.dumps(facts(status)))


def _has(status: Any, *wanted: str) -> bool:
    return any(line.text in wanted for line in status.logs)


def facts(status: Any) -> dict[str, Any]:
    """A status as conditions of a playbook ask for it."""
    said = {name: lines(status, source) for source, name in enumerate(("stdout", "stderr"))}
    return {"state": STATES[status.state], "rc": status.exit_code, **said, "log": [line.text for line in status.logs]}


if __name__ == "__main__":
    main(*sys.argv[1:])
