# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded conversations, with the agent killed and started again in front of every call after the first.

Where the recording is about one connection or about a script that runs from call to call, that cannot give the recorded
answers; `NOT` names those, with what is different.
"""

from __future__ import annotations

import json
import pathlib
import random
from collections.abc import Callable

from agent_process import AgentProcess, make_identity
from vectors import check, replay

from .caller import expect

NOT = {
    "03-script-v2-polled": "the script runs from call to call; after the kill its ticket reads -46",
    "05-script-v2-cancel": "the script to cancel runs from call to call; after the kill its ticket reads -46",
    "08-script-v2-nulls": "StartScript does not wait here; the script may or may not have ended before the kill",
    "12-script-v1": "a running script of version 1 reads as done after a restart, with the lines that it had",
}


def run(most: int, seed: int, directory: pathlib.Path, say: Callable[[str], None]) -> str:
    """At most so many of them, chosen by the seed. Raises Broken."""
    identity = make_identity(directory / "server.pem")
    names = [name for name in replay.names_of() if name not in NOT and calls_of(name) > 1]
    chosen = sorted(random.Random(seed).sample(names, min(most, len(names))))
    failed, restarts = [], 0
    with AgentProcess(directory, [identity.thumbprint]) as agent:
        known = replay.load_identity(identity.path, identity.path)
        (agent.home / "Files").mkdir(exist_ok=True)  # the recorded listener had it from earlier conversations

        def between() -> int:
            nonlocal restarts
            restarts += 1
            agent.kill()
            agent.start()
            return agent.port

        for name in chosen:
            target = replay.Target("127.0.0.1", agent.port, known, agent.thumbprint)
            differences = replay.play(check.HERE / name, target, between)
            if differences:
                failed.append(name)
                say(f"{name}: {'; '.join(differences)[:600]}")
    expect(not failed, f"other answers after kill and restart: {', '.join(failed)}")
    return f"{len(chosen)} of {len(names)} conversations with {restarts} restarts; {len(NOT)} cannot be played so"


def calls_of(name: str) -> int:
    """How many calls of a conversation can each have a connection of its own."""
    segments = json.loads((check.HERE / name / "conversation.json").read_text(encoding="utf-8"))["segments"]
    return 1 + sum(replay.asks_for_another(segments, number) for number in range(len(segments)))
