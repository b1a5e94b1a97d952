# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk fills up under a running agent: calls are refused in a sentence, results are not lost, and it recovers."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import time
from collections.abc import Callable

from agent_process import AgentProcess, make_identity

from .caller import COMPLETE, UNKNOWN_RESULT, Caller, Refused, expect, texts

SIZE = 640
"""MiB of the small disk: more than the 551 that a script wants to see free."""
ROOM = ("room", "space", "No space")


def run(rounds: int, seed: int, directory: pathlib.Path, say: Callable[[str], None]) -> str:
    """Needs a mount namespace of its own. Raises Broken."""
    small = directory / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(small)], check=True)
    identity = make_identity(directory / "server.pem")
    try:
        with AgentProcess(small, [identity.thumbprint]) as agent:
            for number in range(rounds):
                _one(agent, identity, small / "ballast", str(number))
            log = agent.log()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
    expect("Traceback" not in log, f"the agent's log has a traceback:\n{log[log.find('Traceback') - 300 :][:2000]}")
    return f"{rounds} times filled and emptied"


def _one(agent, identity, ballast: pathlib.Path, name: str) -> None:  # type: ignore[no-untyped-def]
    with Caller(agent, identity) as caller:
        done = caller.start(f"done-{name}", "echo before", 10)
        expect(done.exit_code == 0, f"a script on an empty disk reads {done.exit_code}")
        gate = agent.directory / f"go-{name}"
        body = f"echo early\nwhile [ ! -e {gate} ]; do sleep 0.02; done\n"
        body += "for i in {1..400}; do echo line $i; done\nexit 6"
        caller.start(f"long-{name}", body)
        while "early" not in texts(caller.status(f"long-{name}")):
            time.sleep(0.01)
        fill(ballast)
        _refused(lambda: caller.upload(f"Files/big-{name}", bytes(300_000)), "an upload")
        _refused(lambda: caller.start(f"new-{name}", "exit 0", 10), "a new script")
        expect(not list((agent.home / "Files").glob("*")), "an upload to a full disk has left something")
        with contextlib.suppress(OSError):
            gate.touch()  # a name may not fit any more; room is made below
        expect(caller.status(f"done-{name}").exit_code == 0, "a finished result cannot be read on a full disk")
        if not gate.exists():
            ballast.unlink()
            gate.touch()
        limit = time.monotonic() + 30
        while (status := caller.status(f"long-{name}")).state != COMPLETE:
            expect(time.monotonic() < limit, "a script does not end on a full disk")
            time.sleep(0.02)
        expect(status.exit_code in (6, -41), f"a script whose log could not be written reads {status.exit_code}")
        expect("early" in texts(status), "a line from before is lost")
        ballast.unlink(missing_ok=True)
        again = caller.start(f"new-{name}", "echo ran\nexit 3", 10)
        expect(again.exit_code == 3, f"once there is room the same ticket reads {again.exit_code}")
        uploaded = caller.upload(f"Files/big-{name}", b"x" * 300_000)
        expect(uploaded.length == 300_000, "once there is room an upload fails")
        gate.unlink(missing_ok=True)
    _survives(agent, identity, ballast, name)


def _survives(agent, identity, ballast: pathlib.Path, name: str) -> None:  # type: ignore[no-untyped-def]
    """Killed and started with room for some lines of the log, which tell us its port, and full again."""
    fill(ballast)
    agent.kill()
    os.truncate(ballast, ballast.stat().st_size - 65536)
    agent.start()
    fill(ballast)
    with Caller(agent, identity) as caller:
        expect(caller.status(f"done-{name}").exit_code == 0, "a result is lost with a restart on a full disk")
        result = caller.status(f"long-{name}").exit_code
        expect(result in (6, -41, UNKNOWN_RESULT), f"after a restart on a full disk the long script reads {result}")
        ballast.unlink()
        for ticket in ("done", "long", "new"):
            caller.complete(f"{ticket}-{name}")
        caller.call("IFileTransferService", "DownloadFile", "none")
    (agent.home / "Files" / f"big-{name}").unlink()


def _refused(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except Refused as refusal:
        expect(any(word in str(refusal) for word in ROOM), f"{what} on a full disk is refused with: {refusal}")
        return
    expect(False, f"{what} on a full disk was not refused")


def fill(ballast: pathlib.Path) -> None:
    """Take all the room there is."""
    with open(ballast, "ab") as file:
        left = os.statvfs(ballast.parent)
        size = left.f_bavail * left.f_frsize
        while size > 4096:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)
            except OSError:
                size //= 2
        with contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))
