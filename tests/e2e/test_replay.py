# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded conversations, played against a live agent: it must answer as the original did."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
from agent_process import ROOT, AgentProcess, Identity

REPLAY = ROOT / "tests" / "vectors" / "replay.py"
ALL = 75


@pytest.mark.slow
def test_an_agent_answers_as_the_original_in_every_recorded_conversation(
    agent: AgentProcess, server_identity: Identity, tmp_path: pathlib.Path
) -> None:
    command = [sys.executable, str(REPLAY), "--port", str(agent.port), "--cert", str(server_identity.path),
               "--key", str(server_identity.path), "--thumb", agent.thumbprint]
    played = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    print(played.stdout, played.stderr)
    assert f"{ALL} passed, 0 failed" in played.stdout
    assert played.returncode == 0
