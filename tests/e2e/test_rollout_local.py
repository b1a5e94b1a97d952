# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole role against this machine: installed, changed, repaired, removed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from agent_process import Identity
from rollout import ROOT, Rollout, free_port

pytestmark = pytest.mark.slow


def test_check_apply_apply_change_remove(rollout: Rollout, server_identity: Identity) -> None:
    changed, failed, said = rollout.run("--check", "--diff")
    assert (changed > 0, failed) == (True, 0), said
    assert not rollout.host.exists()

    _changed, failed, said = rollout.run(tentacle_verify_client_cert=str(server_identity.path))
    assert failed == 0, said
    report, pid, before = rollout.report(), rollout.pid(), rollout.tree()
    assert pid
    assert report["verified"]["cause"] == "ok"
    assert report["verified"]["trusted"] is True
    assert report["verified"]["thumbprint"] == report["result"]["thumbprint"]
    assert report["result"]["port"] == rollout.port

    for options in ((), ("--check", "--diff")):
        changed, failed, said = rollout.run(*options)
        assert (changed, failed) == (0, 0), said
    assert (rollout.pid(), rollout.tree()) == (pid, before)

    # Trust is followed without a restart, another port is not.
    changed, failed, said = rollout.run(tentacle_trusted_thumbprints=["A9993E364706816ABA3E25717850C26C9CD0D89D"])
    assert (changed, failed) == (1, 0), said
    assert rollout.pid() == pid
    other = free_port()
    _changed, failed, said = rollout.run(tentacle_listen_port=other)
    assert failed == 0, said
    assert rollout.pid() not in (None, pid)
    assert rollout.report()["verified"]["port"] == other

    changed, failed, said = rollout.run(tentacle_state="absent")
    assert (changed > 0, failed) == (True, 0), said
    assert rollout.pid() is None
    assert sorted(rollout.tree()) == ["etc", "etc/tentacle", "etc/tentacle/identity.pem"]
    changed, failed, said = rollout.run(tentacle_state="absent", tentacle_purge_identity=True)
    assert (changed, failed) == (1, 0), said
    assert rollout.tree() == {}


def test_repairs_what_an_interrupted_run_left(rollout: Rollout) -> None:
    # The run ended after the programs were there, before anything was configured.
    changed, failed, said = rollout.run("--tags", "tentacle_install")
    assert (changed > 0, failed) == (True, 0), said
    assert [path.name for path in rollout.host.iterdir()] == ["programs"]
    _changed, failed, said = rollout.run()
    assert failed == 0, said
    pid = rollout.pid()

    # New settings were written, then the run ended before the agent was restarted.
    other = free_port()
    changed, failed, said = rollout.run("--tags", "tentacle_configure", tentacle_listen_port=other)
    assert (changed, failed) == (1, 0), said
    assert rollout.pid() == pid
    _changed, failed, said = rollout.run(tentacle_listen_port=other)
    assert failed == 0, said
    assert rollout.pid() not in (None, pid)
    assert rollout.report()["verified"]["port"] == other


def test_secrets_are_never_shown(rollout: Rollout, server_identity: Identity) -> None:
    pem = server_identity.path.read_text()
    _changed, failed, said = rollout.run(
        "-vvv",
        "--diff",
        tentacle_certificate_content=pem,
        tentacle_certificate_passphrase="canary-4711",
        tentacle_proxy_host="proxy.example.com",
        tentacle_proxy_username="agent",
        tentacle_proxy_password="canary-4712",
    )
    assert failed == 0, said
    assert rollout.report()["result"]["thumbprint"] == server_identity.thumbprint
    assert "canary-471" not in said
    assert (rollout.host / "etc" / "tentacle" / "proxy-password").read_text() == "canary-4712"
    assert pem.splitlines()[3] not in said


def test_another_python_without_the_libraries_is_refused_with_a_remedy(rollout: Rollout) -> None:
    stand_in = rollout.directory / "python3"
    stand_in.write_text("#!/bin/sh\necho '{\"version\": \"3.11.0\", \"environment\": true}'\n")
    stand_in.chmod(0o755)
    _changed, failed, said = rollout.run(tentacle_agent_python=str(stand_in))
    assert failed == 1
    assert f"{stand_in} -m pip install pyOpenSSL" in said
    assert not rollout.host.exists()


def test_an_environment_is_made_from_wheels_without_any_index(rollout: Rollout) -> None:
    wheels = rollout.directory / "wheels"
    command = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", wheels, "--requirement", ROOT / "roles/tentacle/files/wheels.txt"]
    subprocess.run([sys.executable, *map(str, command)], check=True, timeout=300)
    options: dict[str, Any] = {"tentacle_agent_python": "", "tentacle_agent_wheels": str(wheels)}
    changed, failed, said = rollout.run("--check", **options)
    assert (changed > 0, failed) == (True, 0), said
    assert not rollout.host.exists()
    _changed, failed, said = rollout.run(**options, tentacle_install_packages=False)
    assert failed == 0, said
    assert rollout.report()["result"]["python"] == str(rollout.host / "programs" / "python" / "bin" / "python")
    changed, failed, said = rollout.run(**options)
    assert (changed, failed) == (0, 0), said
    changed, failed, said = rollout.run("--check", **options)
    assert (changed, failed) == (0, 0), said
    _changed, failed, said = rollout.run(**options, tentacle_state="absent", tentacle_purge_identity=True)
    assert failed == 0, said
    assert rollout.tree() == {}
