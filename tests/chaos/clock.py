# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall clock jumps under a running agent: a day ahead, two hours back, to the year 2001.

Waits are not cut short and not prolonged, results and logs stay, no file is thrown away, the log is put aside once.
libfaketime turns the agent's wall clock; its monotonic clock goes on, as on a real host.
"""

from __future__ import annotations

import collections
import contextlib
import os
import pathlib
import re
import socket
import time
from collections.abc import Callable

from agent_process import ROOT, AgentProcess, make_identity

from module_utils._halibut.timespan import TimeSpan

from .caller import COMPLETE, FULL, PENDING, Caller, expect, texts

LIBRARY = next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
SLEEPING = pathlib.Path(__file__).parent / "sleeping"
JUMPS = ("+1d", "-2h", "-9000d", "+400d", "+0")


def run(rounds: int, seed: int, directory: pathlib.Path, say: Callable[[str], None]) -> str:
    """Needs libfaketime. Raises Broken."""
    expect(LIBRARY, "no libfaketime here (apt-get install libfaketime)")
    identity, now = make_identity(directory / "server.pem"), directory / "now"
    now.write_text("+0\n", encoding="ascii")
    path = os.pathsep.join(map(str, (SLEEPING, ROOT / "files" / "agent", ROOT / "plugins")))
    environment = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(now), "FAKETIME_NO_CACHE": "1",
                   "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "PYTHONPATH": path}
    with AgentProcess(directory, [identity.thumbprint], environment=environment) as agent:
        with Caller(agent, identity) as caller:
            caller.start("first", "exit 0", 10)
        with socket.create_connection(("127.0.0.1", agent.port)):
            time.sleep(0.5)  # whoever says nothing comes to the lobby, which is made for the first one
        before = names_of_files(agent)
        for number in range(rounds):
            for jump in JUMPS:
                _one(agent, identity, now, f"{number}-{jump}", jump)
        logs = sorted(path.name for path in (agent.home / "Logs").glob("OctopusTentacle*"))
        texts_of_log = "".join((agent.home / "Logs" / name).read_text(encoding="utf-8") for name in logs)
        expect("Traceback" not in texts_of_log, "the agent's log has a traceback")
        expect(len(logs) <= 8, f"there are {len(logs)} files of the log: {logs}")
        expect(len(logs) > 1, "the log was never put aside")
        more = names_of_files(agent) - before
        expect(not more, f"still open after the log was put aside: {dict(more)}")
    return f"{rounds * len(JUMPS)} jumps, {len(logs)} files of the log"


def _one(agent, identity, now: pathlib.Path, name: str, jump: str) -> None:  # type: ignore[no-untyped-def]
    with Caller(agent, identity) as caller, Caller(agent, identity) as other:
        caller.start(f"done-{name}", "echo x\nexit 2", 10)
        go = agent.directory / "go"
        body = f"unset LD_PRELOAD; echo begun; while [ ! -e {go} ]; do sleep 0.02; done; exit 1"
        caller.start(f"holder-{name}", body, isolation=FULL, mutex_name=name)
        while "begun" not in texts(caller.status(f"holder-{name}")):
            time.sleep(0.01)
        caller.start(f"waiting-{name}", "exit 5", isolation=FULL, mutex_name=name,
                     mutex_timeout=TimeSpan.from_seconds(3600))
        now.write_text(f"{jump}\n", encoding="ascii")
        time.sleep(0.05)
        expect(other.client.capabilities().error is None, f"no answer after the clock went {jump}")
        status = caller.status(f"waiting-{name}")
        expect(status.state == PENDING, f"after the clock went {jump} a waiting script is {status.state}")
        done = caller.status(f"done-{name}")
        expect(done.exit_code == 2 and done.logs, f"after the clock went {jump} a result reads {done.exit_code}")
        began = time.monotonic()
        quick = caller.start(f"quick-{name}", "exit 4", 10)
        in_time = time.monotonic() - began < 9
        expect(quick.exit_code == 4 and in_time, f"after the clock went {jump} a start waits wrongly")
        began = time.monotonic()
        slow = caller.start(f"slow-{name}", "unset LD_PRELOAD; sleep 20", 0.3)
        expect(slow.state != COMPLETE and 0.2 < time.monotonic() - began < 9, f"a wait of 0.3 s is wrong after {jump}")
        caller.cancel(f"slow-{name}")
        go.touch()
        limit = time.monotonic() + 20
        while (status := caller.status(f"waiting-{name}")).state != COMPLETE:
            expect(time.monotonic() < limit, f"after the clock went {jump} a waiting script never runs")
            time.sleep(0.02)
        expect(status.exit_code == 5, f"after the clock went {jump} a waiting script reads {status.exit_code}")
        go.unlink()
        for ticket in ("done", "holder", "waiting", "quick", "slow"):
            caller.complete(f"{ticket}-{name}")


def names_of_files(agent: AgentProcess) -> collections.Counter[str]:
    """What the agent has open, after a moment in which connections end."""
    time.sleep(1.0)
    found: collections.Counter[str] = collections.Counter()
    for path in pathlib.Path(f"/proc/{agent.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found[re.sub(r"\d{2,}", "N", os.readlink(path))] += 1
    return found
