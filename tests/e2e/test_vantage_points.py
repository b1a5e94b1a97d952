# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`playbooks/verify.yml`: one check from several places, in networks that are broken for real."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import ansible_command
import pytest

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "faults" / "vantage_points.py"
TOOLS = ("ip", "nft", "nsenter")
PATH = os.environ["PATH"] + os.pathsep + "/usr/sbin:/sbin"


@pytest.fixture(scope="module", name="concluded")
def fixture_concluded() -> dict[str, Any]:
    """What the playbook concludes of every case; all of them at once, as each starts Ansible."""
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], env=ansible_command.environment(), capture_output=True, text=True,
        timeout=400, check=False,
    )  # fmt: skip
    if "user namespaces are off" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("case", "cause", "side", "word"),
    [
        ("good", "ok", None, "with the same certificate"),
        ("firewall_between", "filtered", "network", "The agent is good, so it is something between"),
        ("firewall_for_one", "filtered", "network", "web02"),
        ("firewall_refuses", "filtered", "network", "A firewall refuses in the agent's place"),
        ("loopback_only", "wrong_address", "network", "listens to loopback only"),
        ("stopped", "not_listening", "agent", "also on the host itself"),
        ("name_elsewhere", "dns", "network", "by the name not"),
        ("opened_on_the_way", "tls_offloaded", "network", "from the controller"),
    ],
)
def test_concludes(case: str, cause: str, side: str | None, word: str, concluded: dict[str, Any]) -> None:
    facts = concluded[case]
    assert (facts["cause"], facts["side"]) == (cause, side), facts["evidence"]
    assert word in facts["evidence"]
    assert [view["position"] for view in facts["vantages"]][:3] == ["loopback", "own_address", "elsewhere"]
    assert facts["changed"] is False
