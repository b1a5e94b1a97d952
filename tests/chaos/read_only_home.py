# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The home directory becomes read-only under a running agent, and comes back."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Callable

from agent_process import AgentProcess, make_identity

from .caller import Caller, Refused, expect


def run(rounds: int, seed: int, directory: pathlib.Path, say: Callable[[str], None]) -> str:
    """Needs a mount namespace of its own. Raises Broken."""
    place = directory / "place"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=640m", "tmpfs", str(place)], check=True)
    identity = make_identity(directory / "server.pem")
    agent = AgentProcess(place, [identity.thumbprint])
    try:
        with agent:
            for number in range(rounds):
                _one(agent, identity, str(number))
            noise = "Traceback" in agent.log()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
    expect(not noise, "the agent's log has a traceback")
    return f"{rounds} times read-only and back"


def _one(agent, identity, name: str) -> None:  # type: ignore[no-untyped-def]
    with Caller(agent, identity) as caller:
        expect(caller.start(f"done-{name}", "echo x\nexit 2", 10).exit_code == 2, "a script fails")
    # A second mount on top: the first one cannot become read-only while the agent's log is open for writing.
    subprocess.run(["mount", "--bind", str(agent.home), str(agent.home)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(agent.home)], check=True)
    try:
        with Caller(agent, identity) as caller:
            for what, call in (("an upload", lambda: caller.upload("Files/x", b"x")),
                               ("a script", lambda: caller.start(f"new-{name}", "exit 0", 10))):
                try:
                    call()
                except Refused as refusal:
                    text = str(refusal)
                    expect("denied" in text or "Read-only" in text, f"{what} in a read-only home: {text}")
                else:
                    expect(False, f"{what} in a read-only home was not refused")
            status = caller.status(f"done-{name}")
            expect(status.exit_code == 2 and status.logs, "a finished result cannot be read in a read-only home")
            expect(caller.client.capabilities().error is None, "no capabilities in a read-only home")
    finally:
        subprocess.run(["umount", "-l", str(agent.home)], check=True)
    with Caller(agent, identity) as caller:
        expect(caller.start(f"new-{name}", "exit 8", 10).exit_code == 8, "no script after the home came back")
        caller.complete(f"new-{name}")
        caller.complete(f"done-{name}")
        expect(not (agent.home / "Work" / f"done-{name}").exists(), "a workspace stays after the home came back")
