# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL of the command line while it changes configuration and identity: what is read afterwards is whole.

The agent that runs meanwhile goes on serving.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import subprocess
import sys
from collections.abc import Callable

from agent_process import ROOT, AgentProcess, make_identity

from .caller import Caller, expect
from .kills import CRASHES

MOST_CHANGES = 8
"""A change of the configuration writes beside it, renames, and touches a lock: fewer changes than these."""


def run(rounds: int, seed: int, directory: pathlib.Path, say: Callable[[str], None]) -> str:
    """Each round one command, killed in front of a random change of the file system. Raises Broken."""
    rng, identity, order = random.Random(seed), make_identity(directory / "server.pem"), directory / "kill-at"
    killed = 0
    with AgentProcess(directory, [identity.thumbprint]) as agent:
        for number in range(rounds):
            before = json.loads(agent.configuration_path.read_text(encoding="utf-8"))
            order.write_text(str(1 + rng.randrange(MOST_CHANGES)), encoding="ascii")
            old, new = f"{number - 1:040X}", f"{number:040X}"
            words = rng.choice((
                ["configure", f"--trust={new}"], ["configure", f"--app={directory / new}"], ["new-certificate"],
                ["update-trust", f"--oldThumbprint={old}", f"--newThumbprint={new}"],
            ))
            killed += _command(agent, order, words) == -9
            order.unlink(missing_ok=True)
            text = agent.configuration_path.read_text(encoding="utf-8")
            try:
                after = json.loads(text)
            except ValueError:
                after = None
            expect(after, f"after {words[0]} was killed the configuration reads {text[:200]!r}")
            lost = [key for key in before if key not in after]
            expect(not lost, f"after {words[0]} was killed the configuration has lost {lost}")
            expect(identity.thumbprint in text, f"after {words[0]} was killed the server is no longer trusted")
            if number % 20 == 19:
                say(f"{number + 1} of {rounds} commands")
        expect(_command(agent, order, ["show-thumbprint"]) == 0, "the identity cannot be read any more")
        expect(_command(agent, order, ["show-configuration"]) == 0, "the configuration cannot be read any more")
        with Caller(agent, identity) as caller:
            expect(caller.start("after", "exit 4", 10).exit_code == 4, "the agent does not serve any more")
        litter = _litter(agent.directory)
        agent.stop()
        agent.start()
    return f"{rounds} commands, {killed} killed in the middle; {len(litter)} files left beside"


def _command(agent: AgentProcess, order: pathlib.Path, words: list[str]) -> int:
    path = os.pathsep.join(map(str, (CRASHES, ROOT / "files" / "agent", ROOT / "plugins")))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "CHAOS_KILL_FILE": str(order)}
    command = [sys.executable, "-m", "tentacle_agent", *words, f"--config={agent.configuration_path}"]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode


def _litter(directory: pathlib.Path) -> list[str]:
    known = {"home", "tentacle.json", "identity.pem", "console.txt"}
    return [path.name for path in directory.iterdir() if path.name not in known]
