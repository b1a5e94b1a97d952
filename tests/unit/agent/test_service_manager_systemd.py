"""Units of systemd, with a systemctl that only takes notes."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
from collections.abc import Sequence

import pytest

from module_utils._instance import configuration, paths
from tentacle_agent import service_manager
from tentacle_agent.service_manager import systemd, systemd_user
from tentacle_agent.service_manager.base import Service, ServiceError
from tentacle_agent.service_manager.systemd import Systemd
from tentacle_agent.service_manager.systemd_user import SystemdUser

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


class FakeControl:
    """Plays systemctl and loginctl: remembers calls, keeps a state, writes the agent's log line on a start."""

    def __init__(self, home: pathlib.Path) -> None:
        self.calls: list[list[str]] = []
        self.active = False
        self.trying = False  # between two attempts of Restart=always
        self.enabled = False
        self.listens = True
        self.fails: str | None = None
        self.linger = False
        self._log = home / "Logs" / "OctopusTentacle.txt"

    def __call__(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        words = [word for word in arguments if word != "--user"]
        self.calls.append(list(arguments))
        if self.fails in words:
            return subprocess.CompletedProcess(list(arguments), 5, "", "Access denied\n")
        if words[0] == "journalctl":
            return subprocess.CompletedProcess(list(arguments), 0, "the agent's words\n", "")
        verb = words[1]
        if verb == "show-user":
            return subprocess.CompletedProcess(list(arguments), 0, f"Linger={'yes' if self.linger else 'no'}\n", "")
        if verb in ("start", "restart"):
            self.active = True
            if self.listens:
                self._log.parent.mkdir(exist_ok=True)
                with self._log.open("a") as log:
                    log.write("Agent listening on: [::]:10933\n")
        if verb == "stop" or "--now" in words:
            self.active = self.trying = False
        self.enabled = {"enable": True, "disable": False}.get(verb, self.enabled)
        return subprocess.CompletedProcess(list(arguments), 0, self._facts(), "")

    def _facts(self) -> str:
        state, pid = ("active", 77) if self.active else ("activating" if self.trying else "inactive", 0)
        return f"ActiveState={state}\nMainPID={pid}\nUnitFileState={'enabled' if self.enabled else ''}\n"

    @property
    def verbs(self) -> list[str]:
        """What was done, without questions."""
        return [call[-2] if len(call) > 2 else call[-1] for call in self.calls if "show" not in call]


@pytest.fixture(name="service")
def fixture_service(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("TentacleMachineConfigurationHomeDirectory", str(tmp_path / "etc"))
    directory = tmp_path / "etc" / "web"
    directory.mkdir(parents=True)
    (tmp_path / "home").mkdir()
    path = str(directory / "tentacle.json")
    configuration.save(path, configuration.create(path, "Web"))
    (directory / "identity.pem").write_bytes(b"key")
    return Service(
        instance="Web",
        configuration_path=path,
        home_directory=str(tmp_path / "home"),
        application_directory=str(tmp_path / "home" / "Applications"),
        certificate_path=str(directory / "identity.pem"),
        command=("/opt/tentacle-agent/tentacle-agent",),
        user="root" if os.geteuid() else "daemon",
    )


@pytest.fixture(name="control")
def fixture_control(tmp_path: pathlib.Path) -> FakeControl:
    return FakeControl(tmp_path / "home")


@pytest.fixture(name="said")
def fixture_said() -> list[str]:
    return []


@pytest.fixture(name="manager")
def fixture_manager(control: FakeControl, said: list[str], tmp_path: pathlib.Path) -> Systemd:
    return Systemd(said.append, control, str(tmp_path / "units"), start_seconds=1)


@pytest.fixture(name="user_manager")
def fixture_user_manager(control: FakeControl, said: list[str], tmp_path: pathlib.Path) -> SystemdUser:
    return SystemdUser(said.append, control, str(tmp_path / "units"), start_seconds=1)


def test_installing_writes_the_unit_once(service: Service, manager: Systemd, control: FakeControl) -> None:
    manager.install(service)
    unit = pathlib.Path(manager.unit_path(service))
    assert unit.name == "tentacle-agent@web.service"
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert f"ExecStart=/opt/tentacle-agent/tentacle-agent run --config={service.configuration_path}" in unit.read_text()
    assert control.verbs == ["daemon-reload", "enable"]
    manager.install(service)
    assert control.verbs == ["daemon-reload", "enable", "enable"]


@ROOT_ONLY
def test_the_account_may_read_but_not_change_whom_it_trusts(service: Service, manager: Systemd) -> None:
    manager.install(service)
    group = systemd._group_of("daemon")
    for path in (service.configuration_path, service.certificate_path):
        present = os.stat(path)
        assert (present.st_uid, present.st_gid, stat.S_IMODE(present.st_mode)) == (0, group, 0o640)
    directory = os.stat(os.path.dirname(service.configuration_path))
    assert (directory.st_uid, directory.st_gid, stat.S_IMODE(directory.st_mode)) == (0, group, 0o750)
    assert os.stat(service.home_directory).st_uid != 0
    assert os.stat(service.application_directory).st_uid != 0


@ROOT_ONLY
def test_a_directory_that_is_not_ours_keeps_its_mode(
    service: Service, manager: Systemd, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TentacleMachineConfigurationHomeDirectory", str(tmp_path / "elsewhere"))
    before = os.stat(os.path.dirname(service.configuration_path))
    manager.install(service)
    after = os.stat(os.path.dirname(service.configuration_path))
    assert (before.st_mode, before.st_gid) == (after.st_mode, after.st_gid)


def test_a_certificate_is_made_when_there_is_none(service: Service, manager: Systemd, said: list[str]) -> None:
    pytest.importorskip("cryptography")
    os.unlink(service.certificate_path)
    manager.install(service)
    assert b"BEGIN CERTIFICATE" in pathlib.Path(service.certificate_path).read_bytes()
    assert said == ["A new certificate is made, as none is there yet."]


def test_an_account_has_to_be_there_or_named(
    service: Service, manager: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "DEFAULT_ACCOUNT", "nobody-has-this-name")
    object.__setattr__(service, "user", None)
    with pytest.raises(ServiceError, match="useradd --system") as caught:
        manager.install(service)
    assert caught.value.cause == "account_missing"
    assert not manager.holds(service)


def test_started_stopped_restarted(service: Service, manager: Systemd, control: FakeControl) -> None:
    manager.install(service)
    assert manager.start(service) is True
    assert manager.status(service) == (True, True, 77, True)
    assert manager.start(service) is False
    manager.restart(service)
    assert manager.stop(service) is True
    assert manager.stop(service) is False
    assert manager.status(service) == (True, False, None, True)
    assert control.verbs == ["daemon-reload", "enable", "start", "restart", "stop"]


def test_an_agent_that_does_not_listen_is_reported(service: Service, manager: Systemd, control: FakeControl) -> None:
    manager.install(service)
    control.listens = False
    with pytest.raises(ServiceError, match=r"as far as listening.*journalctl -n 10 -u tentacle-agent@web\.service"):
        manager.start(service)


def test_a_start_that_fails_tells_what_the_agent_said_and_can_be_ended(
    service: Service, manager: Systemd, control: FakeControl
) -> None:
    manager.install(service)
    control.fails = "start"
    with pytest.raises(ServiceError, match=r"as far as listening[\s\S]*\n  the agent's words"):
        manager.start(service)
    control.fails, control.trying = None, True
    assert manager.status(service).running is False
    assert manager.stop(service) is True
    assert manager.stop(service) is False


def test_uninstalling_removes_the_unit(service: Service, manager: Systemd, control: FakeControl) -> None:
    manager.install(service)
    manager.start(service)
    manager.uninstall(service)
    assert not manager.holds(service)
    assert not control.active
    assert not control.enabled
    count = len(control.calls)
    manager.uninstall(service)
    assert len(control.calls) == count


def test_a_service_that_is_not_installed_cannot_be_started(service: Service, manager: Systemd) -> None:
    for call in (manager.start, manager.stop, manager.restart):
        with pytest.raises(ServiceError, match=r"There is no unit tentacle-agent@web\.service"):
            call(service)
    assert manager.status(service).installed is False


def test_what_systemctl_said_is_passed_on(service: Service, manager: Systemd, control: FakeControl) -> None:
    control.fails = "enable"
    with pytest.raises(ServiceError, match=r"'systemctl enable tentacle-agent@web\.service' failed.*5: Access denied"):
        manager.install(service)


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(ServiceError, match="none-such could not be run"):
        systemd.run_program(["none-such"])


def test_the_user_s_systemd_says_when_it_starts(
    service: Service, user_manager: SystemdUser, control: FakeControl, said: list[str]
) -> None:
    user_manager.install(service)
    assert "loginctl enable-linger" in said[0]
    assert "User=" not in pathlib.Path(user_manager.unit_path(service)).read_text()
    assert user_manager.start(service) is True
    assert user_manager.status(service).survives_reboot is False
    control.linger = True
    assert user_manager.status(service).survives_reboot is True
    assert all(call[1] == "--user" for call in control.calls if call[0] == "systemctl")


def test_the_user_s_systemd_has_to_answer(
    user_manager: SystemdUser, control: FakeControl, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(paths, "is_privileged", lambda: False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setattr(systemd_user, "RUNTIME_DIRECTORIES", str(tmp_path))
    assert "XDG_RUNTIME_DIR" in (user_manager.why_not() or "")
    (tmp_path / str(os.getuid())).mkdir()
    assert user_manager.why_not() is None
    assert os.environ["XDG_RUNTIME_DIR"] == str(tmp_path / str(os.getuid()))
    control.fails = "show-environment"
    assert "Access denied" in (user_manager.why_not() or "")
    monkeypatch.setattr(paths, "is_privileged", lambda: True)
    assert "root" in (user_manager.why_not() or "")


class TestChoice:
    @pytest.fixture(autouse=True)
    def fixture_works(self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
        self.reasons: dict[str, str | None] = {"systemd": None, "user": None}
        monkeypatch.setattr(Systemd, "why_not", lambda manager: self.reasons[manager.name])
        monkeypatch.setattr(SystemdUser, "why_not", lambda manager: self.reasons[manager.name])
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def _chosen(self, name: str, service: Service) -> str:
        return service_manager.choose(name, service, lambda _text: None).name

    def test_the_best_that_works(self, service: Service) -> None:
        assert self._chosen("auto", service) == "systemd"
        self.reasons["systemd"] = "it needs root."
        assert self._chosen("auto", service) == "user"
        self.reasons["user"] = "no."
        assert self._chosen("auto", service) == "standalone"

    def test_the_one_that_has_it_already(self, service: Service, tmp_path: pathlib.Path) -> None:
        units = tmp_path / "config" / "systemd" / "user"
        units.mkdir(parents=True)
        (units / service.unit).write_text("")
        assert self._chosen("auto", service) == "user"

    def test_the_one_that_is_named(self, service: Service) -> None:
        assert self._chosen("standalone", service) == "standalone"
        self.reasons["systemd"] = "it needs root."
        with pytest.raises(ServiceError, match="does not work here: it needs root"):
            self._chosen("systemd", service)
        with pytest.raises(ServiceError, match="'runit' is not known"):
            self._chosen("runit", service)
