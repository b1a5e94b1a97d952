# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenarios of molecule/: what each goes through, and that the proofs which accompany them can fail."""

from __future__ import annotations

import base64
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

MOLECULE = pathlib.Path(__file__).resolve().parents[2] / "molecule"
sys.path.insert(0, str(MOLECULE))

from proofs import processes, secrets_shown, state
from proofs.running import Host

SCENARIOS = sorted(MOLECULE.glob("*/molecule.yml"))
KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHn5oYfM\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.parent.name)
def test_a_scenario_checks_applies_applies_and_checks(path: pathlib.Path) -> None:
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = scenario["scenario"]["test_sequence"]
    assert steps[steps.index("idempotence") + 1] == "check"
    borrowed = "default" in scenario["provisioner"].get("playbooks", {}).get("converge", "")
    assert borrowed or steps[steps.index("converge") - 1] == "check"


def test_secrets_of_the_inventory_have_the_mark() -> None:
    values: dict[str, Any] = yaml.safe_load((MOLECULE / "inventory" / "hosts.yml").read_text(encoding="utf-8"))["all"]
    secrets = {name: value for name, value in values["vars"].items() if "password" in name or "secret" in name}
    assert len(secrets) == 3
    assert all(secrets_shown.MARK in value for value in secrets.values())


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    for folder in ("upper/etc", "root/run/systemd/units", "root/tmp"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(Host, "root", tmp_path / "root")
    monkeypatch.setattr(state, "_rules", lambda host: (tmp_path / "rules").read_text())
    (tmp_path / "rules").write_text("table inet filter {\n}\n")
    (tmp_path / "upper/etc/hosts").write_text("127.0.0.1 localhost\n")
    return Host("h1", os.getpid(), tmp_path / "upper")


CHANGES = {
    "content": ("/etc/hosts", "echo 127.0.0.2 localhost > upper/etc/hosts"),
    "mode": ("/etc/hosts", "chmod 600 upper/etc/hosts"),
    "same content": ("/etc/hosts", "touch -d 2030-01-01 upper/etc/hosts"),
    "new file": ("/etc/new", "touch upper/etc/new"),
    "for a moment": ("/etc", "sleep 0.01; touch upper/etc/new; rm upper/etc/new"),
    "in memory": ("/tmp/new", "touch root/tmp/new"),
    "start of a service": (
        "/run/systemd/units/invocation:tentacle-agent@tentacle.service",
        "ln -s 1234 root/run/systemd/units/invocation:tentacle-agent@tentacle.service",
    ),
    "rule": ("rules", "echo 'table inet other {}' >> rules"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_a_host_is_named(name: str, host: Host, tmp_path: pathlib.Path) -> None:
    path, change = CHANGES[name]
    before = state.look(host)
    assert state.differences(before, state.look(host)) == []
    subprocess.run(["bash", "-c", change], cwd=tmp_path, check=True)
    found = state.differences(before, state.look(host))
    assert any(sentence.startswith(f"{path} was ") for sentence in found), found


def test_a_login_is_no_change(host: Host, tmp_path: pathlib.Path) -> None:
    before = state.look(host)
    (tmp_path / "root/tmp/.ansible-deploy").mkdir()
    (tmp_path / "root/run/utmp").touch()
    (tmp_path / "root/run/systemd/units/invocation:session-3.scope").symlink_to("1234")
    assert state.differences(before, state.look(host)) == []


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
def test_a_marked_secret_is_found_in_the_clear_and_in_base64(before: str) -> None:
    secret = f"{before}{secrets_shown.MARK}-password"
    for shown in (secret, base64.b64encode(secret.encode()).decode()):
        assert secrets_shown.in_text(secrets_shown.marks(), f"nothing here\nAuthorization: {shown}\n", "a log")
    assert not secrets_shown.in_text(secrets_shown.marks(), "nothing here\n", "a log")


def test_a_key_is_found_outside_its_place_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets_shown, "ASYNC_SECONDS", 0.0)
    place = host.written / "etc/tentacle-agent/tentacle"
    place.mkdir(parents=True)
    (place / "identity.pem").write_text(KEY)
    keys = secrets_shown.keys([host])
    assert keys == ["MC4CAQAwBQYDK2VwBCIEIHn5oYfM"]
    assert secrets_shown.in_files(keys, host) == []
    (host.root / "tmp/left.pem").write_text(KEY)
    assert secrets_shown.in_files(keys, host) == ["the file /tmp/left.pem of h1"]


@pytest.fixture
def watching() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, processes.__file__, "no-such-prefix", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdin is not None
        watch.stdin.write("\n".join(secrets_shown.marks()))
        watch.stdin.close()
        yield watch
        watch.kill()


@pytest.mark.parametrize("place", ["arguments", "environment"])
def test_a_secret_of_a_process_is_seen(place: str, watching: subprocess.Popen[str]) -> None:
    secret = f"{secrets_shown.MARK}-password"
    words = [secret] if place == "arguments" else []
    variables = {**os.environ, **({} if words else {"PASSWORD": secret})}
    with subprocess.Popen(["sh", "-c", "read line", *words], stdin=subprocess.PIPE, env=variables) as process:
        assert watching.stdout is not None
        line = watching.stdout.readline()
        assert line.startswith(f"the {place} of the process sh -c read line")
        assert secret not in line
        process.communicate()
