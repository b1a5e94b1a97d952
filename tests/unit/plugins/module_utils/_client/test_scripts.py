# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orchestration of a script, against a client that plays an agent."""

from __future__ import annotations

from typing import Any

import pytest

from module_utils._client import scripts
from module_utils._client.errors import ClientError
from module_utils._halibut.bson import Date
from module_utils._halibut.contracts import ProcessOutput, ScriptStatusResponseV2


class Agent:
    """Answers with prepared states; keeps what was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, int]] = []

    def _answer(self, name: str, after: int = -1) -> ScriptStatusResponseV2:
        self.calls.append((name, after))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def start_script(self, command: Any, streams: Any) -> ScriptStatusResponseV2:
        return self._answer("start")

    def get_status(self, ticket: Any, after: int) -> ScriptStatusResponseV2:
        return self._answer("status", after)

    def cancel_script(self, ticket: Any, after: int) -> ScriptStatusResponseV2:
        return self._answer("cancel", after)

    def complete_script(self, ticket: Any) -> None:
        self.calls.append(("complete", -1))


def state(number: int, sequence: int, *lines: str, code: int = 0) -> ScriptStatusResponseV2:
    logs = [ProcessOutput(0, Date(0), line) for line in lines]
    return ScriptStatusResponseV2(None, logs, sequence, number, code)


def test_polls_with_growing_pauses_and_hands_out_each_line_once() -> None:
    agent = Agent(state(1, 1, "a"), state(1, 1), state(1, 3, "b", "c"), state(2, 4, "d", code=5))
    pauses: list[float] = []
    seen: list[str] = []
    outcome = scripts.run(agent, scripts.Script("x"), lambda line: seen.append(line.text or ""), None, pauses.append)  # type: ignore[arg-type]
    assert seen == ["a", "b", "c", "d"] == [line.text for line in outcome.output]
    assert outcome.exit_code == 5
    assert agent.calls == [("start", -1), ("status", 1), ("status", 1), ("status", 3), ("complete", -1)]
    assert pauses == pytest.approx([0.345, 0.39675, 0.4562625])


def test_cancels_at_the_deadline_until_it_has_ended() -> None:
    agent = Agent(state(1, 0), state(1, 1, "x"), state(2, 1, code=-1))
    outcome = scripts.run(agent, scripts.Script("x"), None, 0, lambda _dummy: None)  # type: ignore[arg-type]
    assert outcome.timed_out
    assert [name for name, _dummy in agent.calls] == ["start", "cancel", "cancel", "complete"]


def test_a_lost_status_cancels_once_and_is_raised() -> None:
    agent = Agent(state(1, 0), ClientError("reset", "gone"), ClientError("reset", "gone"))
    with pytest.raises(ClientError, match="gone"):
        scripts.run(agent, scripts.Script("x"), None, None, lambda _dummy: None)  # type: ignore[arg-type]
    assert [name for name, _dummy in agent.calls] == ["start", "status", "cancel"]


def test_a_script_that_was_never_sent_is_not_cancelled() -> None:
    agent = Agent(ClientError("refused", "no", unsent=True))
    with pytest.raises(ClientError, match="no"):
        scripts.run(agent, scripts.Script("x"), None, None, lambda _dummy: None)  # type: ignore[arg-type]
    assert [name for name, _dummy in agent.calls] == ["start"]


def test_tickets_are_fresh_and_plain() -> None:
    tickets = {scripts.new_ticket().task_id or "" for _dummy in range(100)}
    assert len(tickets) == 100
    assert all(ticket.isalnum() and 15 <= len(ticket) <= 22 for ticket in tickets)


def test_the_command_says_for_ever_as_dotnet_does() -> None:
    command, _dummy = scripts.Script("x").command()
    assert command.mutex_timeout.format() == "24.20:31:23.6470000"
