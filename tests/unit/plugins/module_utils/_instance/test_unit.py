"""The systemd unit: what stands in it, and that no value can say more than itself."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
from collections.abc import Callable

import pytest

from module_utils._instance import unit
from module_utils._instance.errors import ConfigurationError

CONFIGURATION = "/etc/tentacle-agent/web/tentacle.json"
LAUNCHER = "/opt/tentacle-agent/tentacle-agent"


def _lines(text: str) -> list[str]:
    return text.splitlines()


def test_what_the_service_is() -> None:
    lines = _lines(unit.render(CONFIGURATION, "Web", LAUNCHER, "tentacle"))
    assert f"ExecStart={LAUNCHER} run --config={CONFIGURATION} --noninteractive" in lines
    for line in ("User=tentacle", "Type=notify", "Restart=always", "KillMode=process", "FileDescriptorStoreMax=1024",
                 "WantedBy=multi-user.target"):
        assert line in lines
    assert "ExecReload=/bin/kill -HUP $MAINPID" in lines
    assert "Description=Octopus Deploy: Tentacle deployment agent (Web)" in lines


def test_an_account_of_its_own_is_sandboxed() -> None:
    lines = _lines(unit.render(CONFIGURATION, "Web", LAUNCHER, writable=["/srv/b", "/srv/a"]))
    for line in ("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=full", "PrivateDevices=yes"):
        assert line in lines
    assert "ReadWritePaths=-/srv/a -/srv/b" in lines
    assert not any(line.startswith(("MemoryDenyWriteExecute", "SystemCallFilter", "PrivateTmp")) for line in lines)


@pytest.mark.parametrize("arguments", [{"scripts_may_sudo": True}, {"user": "root"}, {"user": "0"}])
def test_who_may_become_root_is_not_bound(arguments: dict[str, object]) -> None:
    text = unit.render(CONFIGURATION, "Web", LAUNCHER, writable=["/srv"], **arguments)  # type: ignore[arg-type]
    assert not re.search("NoNewPrivileges|Protect|Capability|Private|ReadWritePaths", text)


def test_every_option_of_the_sandbox_is_explained() -> None:
    document = unit.__doc__ or ""
    names = {line.partition("=")[0] for line in unit._SANDBOX}
    missing = {name for name in names if name not in document and name.replace("ProtectKernel", "-") not in document}
    assert not missing


def test_waiting_for_scripts_is_part_of_stopping() -> None:
    assert "TimeoutStopSec=330" in _lines(unit.render(CONFIGURATION, "Web", LAUNCHER, drain_seconds=300))


@pytest.mark.parametrize("render", [unit.render, unit.render_for_user])
def test_an_agent_that_hangs_is_restarted_and_its_scripts_go_on(render: Callable[..., str]) -> None:
    lines = _lines(render(CONFIGURATION, "Web", LAUNCHER))
    assert f"WatchdogSec={unit.WATCHDOG_SECONDS}" in lines
    assert "KillMode=process" in lines
    assert not any(line.startswith("NotifyAccess") for line in lines), "a script could answer in the agent's name"


def test_dependencies_are_started_before() -> None:
    text = unit.render(CONFIGURATION, "Web", LAUNCHER, depends_on="postgresql, data.mount")
    assert "After=network-online.target postgresql.service data.mount" in _lines(text)


@pytest.mark.parametrize("path", ["/srv/my place/100%/$HOME/t.json", '/srv/"quoted"\\x.json'])
def test_a_path_means_itself(path: str) -> None:
    text = unit.render(path, None, ["/usr/bin/env", "A=$B", "python3"], writable=["/a b/$x/%i"])
    start = next(line for line in _lines(text) if line.startswith("ExecStart="))
    assert "A=$$B" in start
    plain = start.replace('\\"', '"').replace("\\\\", "\\").replace("%%", "%").replace("$$", "$")
    assert f"--config={path}" in plain
    assert 'ReadWritePaths="-/a b/$x/%%i"' in _lines(text)


@pytest.mark.parametrize(
    "arguments",
    [
        {"user": "a b"},
        {"user": "x\nExecStartPre=/bin/false"},
        {"group": "-g"},
        {"depends_on": "a;b"},
        {"configuration_path": "/srv/a\nb"},
        {"writable": ["/srv/\x07"]},
    ],
)
def test_values_that_would_say_more_are_refused(arguments: dict[str, object]) -> None:
    given: dict[str, object] = {"configuration_path": CONFIGURATION, "instance": "Web", "executable": LAUNCHER}
    with pytest.raises(ConfigurationError):
        unit.render(**{**given, **arguments})  # type: ignore[arg-type]


def test_a_user_s_unit_has_neither_account_nor_sandbox() -> None:
    text = unit.render_for_user(CONFIGURATION, "Web", LAUNCHER)
    assert "WantedBy=default.target" in _lines(text)
    assert not re.search("User=|NoNewPrivileges|Protect", text)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    "arguments", [{"user": "daemon"}, {"user": "root"}, {"user": "daemon", "scripts_may_sudo": True}]
)
def test_systemd_understands_every_line(tmp_path: pathlib.Path, arguments: dict[str, object]) -> None:
    launcher = tmp_path / "my launcher"
    launcher.write_text("#!/bin/sh\n", encoding="utf-8")
    launcher.chmod(0o755)
    path = tmp_path / "tentacle-agent@web.service"
    path.write_text(
        unit.render("/srv/my $x/100%/t.json", "Web", str(launcher), writable=[str(tmp_path)], **arguments),  # type: ignore[arg-type]
        encoding="utf-8",
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "tentacle-agent@web" in line]
    assert complaints == []


def test_the_unit_that_makes_the_identity_runs_before_the_agent_and_once() -> None:
    text = unit.render_identity(
        "/etc/tentacle-agent/my-agent/tentacle.json",
        "My Agent",
        "/opt/tentacle-agent/tentacle-agent",
        "/srv/50% used/identity.pem",
        ["--days=10", "--subject=CN=Web server $1"],
    )
    assert "\nBefore=tentacle-agent@my-agent.service\n" in text
    assert "\nRequiredBy=tentacle-agent@my-agent.service\n" in text
    assert "\nConditionPathExists=!/srv/50%% used/identity.pem\n" in text
    assert "\nType=oneshot\n" in text
    assert (
        "\nExecStart=/opt/tentacle-agent/tentacle-agent new-certificate --if-blank "
        '--config=/etc/tentacle-agent/my-agent/tentacle.json --days=10 "--subject=CN=Web server $$1" --noninteractive\n'
    ) in text
    with pytest.raises(ConfigurationError):
        unit.render_identity("/etc/a.json", "a", "/opt/a", "/srv/a\nExecStart=/bin/evil", [])
