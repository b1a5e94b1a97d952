"""Putting the script services together."""

from __future__ import annotations

import pathlib

import pytest

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import ScriptTicket, StartScriptCommandV2
from module_utils._halibut.messages import Request
from module_utils._halibut.timespan import TimeSpan
from tentacle_agent.dispatch import Context, Peer
from tentacle_agent.services.script import ScriptServices, build_script_services

CONTEXT = Context(Peer("127.0.0.1:1", "AB" * 20, "1"), Request("1", Guid(bytes(16)), "s", "m", (), None), {})


def lines_of(services: ScriptServices, body: str) -> list[str | None]:
    command = StartScriptCommandV2(ScriptTicket("t"), body, "T", TimeSpan.from_seconds(20))
    return [line.text for line in services.v2.start_script(CONTEXT, command).logs if line.source == 0][3:]


@pytest.fixture(autouse=True)
def _enough_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tentacle_agent.workspace.WorkspaceStore._check_room", lambda store: None)


def test_scripts_find_the_agents_environment_and_its_variables(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_THE_AGENT", "inherited")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/never")
    services = build_script_services(str(tmp_path), {"TentacleHome": str(tmp_path)})
    found = lines_of(services, 'echo "$FROM_THE_AGENT $TentacleHome ${NOTIFY_SOCKET-unset}"')
    assert found == [f"inherited {tmp_path} unset"]


def test_secrets_do_not_reach_the_log(tmp_path: pathlib.Path) -> None:
    services = build_script_services(str(tmp_path), {}, masked=["proxy-password"])
    assert lines_of(services, "echo it is proxy-password") == ["it is ********"]


def test_leftovers_of_an_earlier_agent_are_removed_and_workspaces_stay(tmp_path: pathlib.Path) -> None:
    (tmp_path / "Work" / "ticket").mkdir(parents=True)
    (tmp_path / "Work" / ".incoming-1").write_text("half a file")
    build_script_services(str(tmp_path), {})
    assert [path.name for path in (tmp_path / "Work").iterdir()] == ["ticket"]


def test_nothing_is_made_before_it_is_needed(tmp_path: pathlib.Path) -> None:
    build_script_services(str(tmp_path / "home"), {})
    assert list(tmp_path.iterdir()) == []
