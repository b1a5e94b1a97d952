"""The service that is a process of its own: whatever happened to it before, its state is told and handled right.

The agent is played by a few lines of shell or Python that write the log line the manager waits for.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tentacle_agent.service_manager.base import Service, ServiceError
from tentacle_agent.service_manager.standalone import PID_NAME, Standalone, find_process

LISTENING = """
import os, signal, sys, time
os.makedirs("Logs", exist_ok=True)
with open("Logs/OctopusTentacle.txt", "a") as log:
    log.write("Agent listening on: 127.0.0.1:1\\n")
while True:
    time.sleep(0.05)
"""
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTENING
DYING = "import sys\nsys.exit('the port is taken')"
SILENT = "import time\ntime.sleep(60)"
WITH_CHILD = "import subprocess\nsubprocess.Popen(['sleep', '60'], close_fds=False)\n" + LISTENING

MakeService = Callable[..., Service]


@pytest.fixture(name="make_service")
def fixture_make_service(tmp_path: pathlib.Path) -> Iterator[MakeService]:
    home = tmp_path / "home"
    home.mkdir()

    def make(program: str = LISTENING, drain_seconds: int = 5) -> Service:
        return Service(
            instance="Web",
            configuration_path=str(tmp_path / "x.json"),
            home_directory=str(home),
            application_directory=str(home / "Applications"),
            certificate_path=str(home / "identity.pem"),
            command=(sys.executable, "-c", program),
            drain_seconds=drain_seconds,
        )

    yield make
    pid = find_process(str(home))
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(name="said")
def fixture_said() -> list[str]:
    return []


@pytest.fixture(name="manager")
def fixture_manager(said: list[str]) -> Standalone:
    return Standalone(said.append, start_seconds=20)


def test_started_and_stopped_and_told_each_time(make_service: MakeService, manager: Standalone) -> None:
    service = make_service()
    assert manager.status(service) == (False, False, None, False)
    assert manager.start(service) is True
    pid = find_process(service.home_directory)
    assert manager.status(service) == (True, True, pid, False)
    assert manager.holds(service)
    assert manager.start(service) is False
    assert find_process(service.home_directory) == pid
    assert manager.stop(service) is True
    assert manager.stop(service) is False
    assert manager.status(service) == (True, False, None, False)


def test_the_agent_has_a_session_of_its_own_and_no_terminal(make_service: MakeService, manager: Standalone) -> None:
    service = make_service()
    manager.start(service)
    pid = find_process(service.home_directory)
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)
    assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1)] == ["/dev/null", "/dev/null"]
    assert os.readlink(f"/proc/{pid}/cwd") == service.home_directory
    inherited = {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
    assert os.path.join(service.home_directory, PID_NAME) in inherited
    assert not any(name.startswith("pipe:") for name in inherited)


def test_restart_makes_another_process(make_service: MakeService, manager: Standalone) -> None:
    service = make_service()
    manager.restart(service)
    first = find_process(service.home_directory)
    manager.restart(service)
    assert find_process(service.home_directory) not in (None, first)


def test_a_killed_agent_is_noticed_and_started_again(make_service: MakeService, manager: Standalone) -> None:
    service = make_service()
    manager.start(service)
    pid = find_process(service.home_directory)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _wait_until_gone(service)
    assert manager.status(service).running is False
    assert manager.start(service) is True
    assert find_process(service.home_directory) != pid


def test_a_number_left_behind_means_nothing_even_if_somebody_has_it_now(
    make_service: MakeService, manager: Standalone
) -> None:
    service = make_service()
    other = subprocess.Popen(["sleep", "60"])
    try:
        pathlib.Path(service.home_directory, PID_NAME).write_text(f"{other.pid}\n")
        assert manager.status(service).running is False
        assert manager.stop(service) is False
        assert manager.start(service) is True
        assert manager.stop(service) is True
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff\xff", b"99999999999999999999"])
def test_rubbish_in_the_file_means_nothing(make_service: MakeService, manager: Standalone, content: bytes) -> None:
    service = make_service()
    pathlib.Path(service.home_directory, PID_NAME).write_bytes(content)
    assert manager.status(service).running is False
    assert manager.start(service) is True


def test_a_script_that_outlives_the_agent_does_not_count_as_the_agent(
    make_service: MakeService, manager: Standalone
) -> None:
    """The child inherits every descriptor, the lock file's too; the lock itself stays the agent's."""
    service = make_service(WITH_CHILD)
    manager.start(service)
    pid = find_process(service.home_directory)
    assert pid is not None
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    try:
        os.kill(pid, signal.SIGKILL)
        _wait_until_gone(service)
        assert children
        assert all(pathlib.Path(f"/proc/{child}").exists() for child in children)
        assert manager.status(service).running is False
        assert manager.start(service) is True
    finally:
        for child in [*children, *_children(find_process(service.home_directory))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)


def test_an_agent_that_ends_at_once_leaves_its_last_words(make_service: MakeService, manager: Standalone) -> None:
    with pytest.raises(ServiceError, match=r"ended right after its start.*\n  the port is taken") as caught:
        manager.start(make_service(DYING))
    assert caught.value.cause == "service_failed"


def test_an_agent_that_cannot_be_loaded(make_service: MakeService, manager: Standalone, tmp_path: pathlib.Path) -> None:
    service = make_service()
    object.__setattr__(service, "command", (str(tmp_path / "none"),))
    with pytest.raises(ServiceError, match=r"could not be started.*No such file"):
        manager.start(service)
    assert manager.status(service).running is False


def test_an_agent_that_never_listens_is_reported_and_left(make_service: MakeService, said: list[str]) -> None:
    service = make_service(SILENT)
    with pytest.raises(ServiceError, match="does not say that it listens after 0 seconds"):
        Standalone(said.append, start_seconds=0.2).start(service)
    assert find_process(service.home_directory) is not None


def test_an_agent_that_does_not_end_is_killed(
    make_service: MakeService, manager: Standalone, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tentacle_agent.service_manager import standalone

    monkeypatch.setattr(standalone, "STOP_MARGIN_SECONDS", 0.3)
    service = make_service(DEAF, drain_seconds=0)
    manager.start(service)
    time.sleep(0.1)
    assert manager.stop(service) is True
    assert "did not end in time and is killed" in said[-1]
    assert find_process(service.home_directory) is None


def test_many_starts_at_once_make_one_agent(make_service: MakeService) -> None:
    service = make_service()
    children = []
    for _unused in range(6):
        child = os.fork()
        if child == 0:
            code = 3
            try:
                code = 0 if Standalone(lambda _text: None).start(service) else 1
            finally:
                os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert sorted(codes) == [0, 1, 1, 1, 1, 1]


def test_installing_says_what_such_a_service_is_not_and_removing_leaves_the_rest(
    make_service: MakeService, manager: Standalone, said: list[str]
) -> None:
    service = make_service()
    manager.install(service)
    assert "not after a reboot" in said[0]
    manager.start(service)
    manager.uninstall(service)
    manager.uninstall(service)
    assert sorted(os.listdir(service.home_directory)) == ["Logs"]
    assert manager.status(service).installed is False


def _wait_until_gone(service: Service) -> None:
    deadline = time.monotonic() + 10
    while find_process(service.home_directory) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _children(pid: int | None) -> list[str]:
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if pid else []
