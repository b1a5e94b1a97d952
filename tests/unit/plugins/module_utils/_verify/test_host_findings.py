# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent's own host tells, in the place of what a connection could only guess."""

from __future__ import annotations

from typing import Any

import pytest

from module_utils._client.endpoint import Endpoint
from module_utils._client.errors import ClientError
from module_utils._verify.host_facts import HostFacts
from module_utils._verify.host_findings import conclude
from module_utils._verify.result import Result

BEGIN = "2026-11-25 19:09:16.5491     15     15  INFO  Starting agent in process 15"
UNREADABLE = "2026-11-25 19:09:16.5497     15     15 FATAL  The identity could not be read: Permission denied."
BROKEN = "2026-11-25 19:09:16.5497     15     15 FATAL  There is no certificate in /x."
END = "2026-11-25 19:09:17.5497     15     15  INFO  The agent has stopped"
FAILED_UNIT = {"unit": "a.service", "installed": True, "active": "failed", "sub": "failed", "result": "exit-code",
               "exit_status": 1, "restarts": 5}  # fmt: skip


def refused(**known: Any) -> Result:
    result = Result(Endpoint("192.0.2.1", 10933, None))
    result.blame(ClientError("refused", "Refused."))
    instance = {"name": "Tentacle", "port": 10933, "no_listen": False}
    conclude(result, HostFacts(instance=instance, **known))
    return result


@pytest.mark.parametrize(
    ("log", "service", "word"),
    [
        ([BEGIN, UNREADABLE], None, "permissions"),
        ([BEGIN, UNREADABLE], FAILED_UNIT, "permissions"),
        ([BEGIN, BROKEN], None, "agent_crash"),
        ([BEGIN, BROKEN], FAILED_UNIT, "agent_crash"),
        ([BEGIN, BROKEN, BEGIN, END], None, "not_listening"),
        ([BEGIN], None, "not_listening"),
        ([], None, "not_listening"),
        (None, None, "not_listening"),
    ],
)
def test_the_end_of_the_log_says_why_it_does_not_run(log: list[str] | None, service: Any, word: str) -> None:
    result = refused(log=log, service=service)
    assert result.cause == word
    assert result.evidence.startswith("Refused. ")
    assert word == "not_listening" or (log or [""])[-1] in result.evidence
