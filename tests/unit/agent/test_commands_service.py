"""The verb ``service``: which calls it makes in which order, and what it says."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable

import pytest

from tentacle_agent.__main__ import main
from tentacle_agent.commands import service as verb
from tentacle_agent.service_manager import program
from tentacle_agent.service_manager.base import Service, ServiceError, Status

Call = Callable[..., "tuple[int, str, str]"]


class FakeManager:
    """Notes what is asked of it."""

    name = "fake"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.running = False
        self.services: list[Service] = []
        self.failing: str | None = None

    def _note(self, call: str, service: Service) -> None:
        self.calls.append(call)
        self.services.append(service)
        if service.instance == self.failing:
            raise ServiceError("it did not work")

    def install(self, service: Service) -> None:
        self._note("install", service)

    def uninstall(self, service: Service) -> None:
        self._note("uninstall", service)

    def start(self, service: Service) -> bool:
        self._note("start", service)
        before, self.running = self.running, True
        return not before

    def stop(self, service: Service) -> bool:
        self._note("stop", service)
        before, self.running = self.running, False
        return before

    def restart(self, service: Service) -> None:
        self._note("restart", service)

    def status(self, service: Service) -> Status:
        return Status(True, self.running, 42 if self.running else None, False)


@pytest.fixture(name="manager")
def fixture_manager(monkeypatch: pytest.MonkeyPatch) -> FakeManager:
    manager = FakeManager()
    monkeypatch.setattr(verb, "choose", lambda _name, _service, _say: manager)
    return manager


@pytest.fixture(name="call")
def fixture_call(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    manager: FakeManager,
) -> Call:
    monkeypatch.setenv("TentacleMachineConfigurationHomeDirectory", str(tmp_path / "machine"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = main(words)
        return (code, *capsys.readouterr())

    call("create-instance", "--instance=web", f"--config={tmp_path / 'web.cfg'}")
    return call


def test_install_and_start(call: Call, manager: FakeManager, tmp_path: pathlib.Path) -> None:
    code, out, err = call("service", "--start", "--install", "--instance=web", "--username=deploy", "--dependOn=x")
    assert (code, out, err) == (0, "Service installed: web\nService started: web\n", "")
    service = manager.services[0]
    assert (service.user, service.depends_on, service.scripts_may_sudo) == ("deploy", "x", False)
    assert service.configuration_path == str(tmp_path / "web.cfg")
    assert service.run_command[-3:] == ("run", f"--config={tmp_path / 'web.cfg'}", "--noninteractive")


def test_the_order_is_the_original_s(call: Call, manager: FakeManager) -> None:
    code, out, _unused = call("service", "--start", "--install", "--uninstall", "--stop", "--restart")
    assert code == 0
    assert manager.calls == ["restart", "stop", "uninstall", "install", "start"]
    assert out.splitlines() == [
        "Restarting service: web",
        "Service has been restarted",
        "Stopping service: web",
        "Service stopped (it was not running)",
        "Removing fake service: web",
        "Service uninstalled",
        "Service installed: web",
        "Service started: web",
    ]


def test_reconfigure_installs_anew(call: Call, manager: FakeManager) -> None:
    call("service", "--reconfigure")
    assert manager.calls == ["uninstall", "install"]


def test_starting_twice_is_said(call: Call) -> None:
    call("service", "--start")
    assert call("service", "--start") == (0, "Service started: web (already running, pid 42)\n", "")
    assert call("service", "--stop")[1].endswith("Service stopped\n")


def test_status(call: Call) -> None:
    assert call("service", "--status") == (1, "Service web: stopped (fake)\n", "")
    call("service", "--start")
    assert call("service", "--status") == (
        0,
        "Service web: running (pid 42, fake, does not survive a reboot)\n",
        "",
    )
    document = json.loads(call("service", "--status", "--format=json")[1])
    assert document == {
        "Name": "web",
        "Manager": "fake",
        "Installed": True,
        "Running": True,
        "Pid": 42,
        "SurvivesReboot": False,
    }


def test_something_has_to_be_asked_for(call: Call) -> None:
    code, _unused, err = call("service", "--instance=web")
    assert code == 1
    assert err.startswith("Say what to do with the service: --restart")


def test_all_instances(call: Call, manager: FakeManager) -> None:
    call("create-instance", "--instance=other", "--config=other.cfg")
    code, _unused, _unused = call("service", "--stop", "--instance=*")
    assert code == 0
    assert [service.instance for service in manager.services] == ["other", "web"]
    code, _unused, err = call("service", "--install", "--instance=*")
    assert (code, err) == (1, "--instance=* can only be used for --start, --stop, and --restart flags\n")


def test_one_failure_does_not_stop_the_others(call: Call, manager: FakeManager) -> None:
    call("create-instance", "--instance=other", "--config=other.cfg")
    manager.failing = "other"
    code, out, err = call("service", "--restart", "--instance=*")
    assert (code, err) == (1, "other: it did not work\n")
    assert "Restarting service: web\nService has been restarted\n" in out


def test_the_account_may_come_from_the_environment(
    call: Call, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOPUS_SERVICE_USERNAME", "fromenv")
    call("service", "--install")
    call("service", "--install", "--user=named")
    assert [service.user for service in manager.services] == ["fromenv", "named"]


class TestProgram:
    """How the agent is run again, from wherever it was started."""

    def _place(self, monkeypatch: pytest.MonkeyPatch, bundle: pathlib.Path) -> None:
        monkeypatch.setattr(program, "__file__", str(bundle / "tentacle_agent" / "service_manager" / "program.py"))

    def test_in_a_source_tree(self) -> None:
        command = program.command()
        assert command[0] == "/usr/bin/env"
        assert command[-2:] == ("-m", "tentacle_agent")

    def test_in_a_directory(self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
        (tmp_path / "__main__.py").write_text("")
        self._place(monkeypatch, tmp_path)
        assert program.command() == (sys.executable, "-I", str(tmp_path))

    def test_in_an_archive(self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
        (tmp_path / "agent.pyz").write_text("")
        self._place(monkeypatch, tmp_path / "agent.pyz")
        assert program.command() == (sys.executable, "-I", str(tmp_path / "agent.pyz"))

    def test_in_an_installation(self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
        version = tmp_path / "1.0+abc"
        version.mkdir()
        (version / "__main__.py").write_text("")
        (tmp_path / "current").symlink_to(version.name)
        launcher = tmp_path / "tentacle-agent"
        launcher.write_text("#!/bin/sh\n")
        launcher.chmod(0o755)
        for bundle in (version, tmp_path / "current"):
            self._place(monkeypatch, bundle)
            assert program.command() == (str(launcher),)
        older = tmp_path / "0.9+abc"
        older.mkdir()
        (older / "__main__.py").write_text("")
        self._place(monkeypatch, older)
        assert program.command() == (sys.executable, "-I", str(older))
