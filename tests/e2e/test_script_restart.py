# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outlives the agent (docs/protocol/tentacle-services.md §2.12, §7.1, §14)."""

from __future__ import annotations

import pathlib
import signal
import time
from collections.abc import Callable

import pytest
from agent_process import AgentProcess
from script_client import PATIENCE, Scripts, lines, seen
from wire_client import WireClient

from module_utils._halibut.contracts import (
    ScriptTicket,
    StartScriptCommand,
    StartScriptCommandV2,
)


def test_what_is_known_after_a_restart(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient], tmp_path: pathlib.Path
) -> None:
    agent = start_agent(drain_seconds=0)
    before = Scripts(connect(agent))
    finished = before.start("finished", "echo result; exit 5", task_id="T")
    before.start("running", f"echo begun; sleep 1.5; echo x >{tmp_path}/proof", wait=None, isolation=1)
    before.until("running", seen("begun"))
    before.start("waiting", "echo stored", wait=None, isolation=1)
    before.start("asked", "echo never", wait=None, isolation=1)
    agent.kill()
    agent.start()
    after = Scripts(connect(agent))
    after.prefix = before.prefix
    assert after.status("FINISHED") == type(finished)(ScriptTicket(after.name("FINISHED")), finished.logs, 8, 2, 5)
    for answer in (after.start("running", "echo again"), after.status("running")):
        assert (answer.state, answer.exit_code, lines(answer)) == (2, -46, ["begun"])
    assert after.status("asked").exit_code == -46
    assert after.start("asked", "echo never").exit_code == -46
    assert lines(after.start("waiting", "echo sent"))[-1] == "stored"
    limit = time.monotonic() + 10
    while not (tmp_path / "proof").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    assert (tmp_path / "proof").exists()


def test_stopping_waits_for_running_scripts(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient]
) -> None:
    agent = start_agent(drain_seconds=20)
    scripts, other = Scripts(connect(agent)), Scripts(connect(agent))
    other.client.capabilities()
    scripts.start("t", "echo begun; sleep 1; echo ended", wait=None)
    scripts.until("t", seen("begun"))
    agent.signal(signal.SIGTERM)
    agent.wait_for_log("The agent stops")
    response = other.client.call("IScriptServiceV2", "StartScript", StartScriptCommandV2(ScriptTicket("late"), "true"))
    assert response.error is not None
    assert "The Tentacle service is shutting down" in (response.error.message or "")
    assert scripts.status("t").state == 1
    limit = time.monotonic() + PATIENCE
    while agent.running() and time.monotonic() < limit:
        time.sleep(0.05)
    assert agent.stop() == 0
    agent.start()
    after = Scripts(connect(agent))
    after.prefix = scripts.prefix
    done = after.status("t")
    assert (done.state, done.exit_code, lines(done)) == (2, 0, ["begun", "ended"])


@pytest.mark.parametrize("version", [1, 2])
def test_workspaces_that_nobody_completes_are_deleted_and_running_ones_stay(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient], version: int
) -> None:
    prefix = "TENTACLE_WORKSPACE_CLEANER_"
    spans = {prefix + "DELAY": "00:00:00.3", prefix + "DELETE_OLDER_THAN": "00:00:01"}
    agent = start_agent(environment=spans, drain_seconds=0)
    scripts = Scripts(connect(agent))
    work = agent.home / "Work"
    if version == 1:
        for body in ("sleep 6", "true"):
            command = StartScriptCommand(body, task_id=body.replace(" ", ""))
            scripts.call("IScriptService", "StartScript", command)
    else:
        scripts.start("sleep6", "sleep 6", wait=None)
        scripts.start("true", "true")
    agent.wait_for_log(r"Deleted 1 workspace\.")
    left = list(work.iterdir())
    assert [path.name for path in left if "sleep6" in path.name] == [path.name for path in left]
    assert len(left) == 1


def test_a_script_can_stop_the_agent_and_lives_on(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient], tmp_path: pathlib.Path
) -> None:
    """What a script does that restarts the agent's own service, as an upgrade would."""
    agent = start_agent(drain_seconds=0)
    before = Scripts(connect(agent))
    before.start("t", f"trap '' PIPE; kill -TERM $PPID; sleep 1.5; echo lost; echo x >{tmp_path}/proof", wait=None)
    limit = time.monotonic() + PATIENCE
    while agent.running() and time.monotonic() < limit:
        time.sleep(0.05)
    assert agent.stop() == 0
    agent.start()
    after = Scripts(connect(agent))
    after.prefix = before.prefix
    assert after.status("t").exit_code == -46
    while not (tmp_path / "proof").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    assert (tmp_path / "proof").exists()
