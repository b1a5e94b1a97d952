# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thing that would stop an installation half-way is found before, named, and nothing is changed."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.module_utils import _agent_python
from ansible_collections.listening.tentacle.plugins.module_utils._instance import identity
from ansible_collections.listening.tentacle.plugins.module_utils._preflight import (
    account,
    confinement,
    identities,
    system,
)
from ansible_collections.listening.tentacle.plugins.modules import tentacle_preflight as module

Preflight = Callable[..., dict[str, Any]]
SHA1 = "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
needs_namespaces = pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0,
    reason="needs user namespaces",
)


@pytest.fixture
def preflight(run_module: Callable[..., dict[str, Any]], tmp_path: pathlib.Path) -> Preflight:
    """Run the module for a host whose places lie in our directory, and see that it changes nothing there."""

    def run(**options: Any) -> dict[str, Any]:
        given = {
            "configuration_home": str(tmp_path / "etc"),
            "home_directory": str(tmp_path / "srv" / "home"),
            "programs_directory": str(tmp_path / "opt"),
            "minimum_free_mb": 0,
        }
        before = sorted(tmp_path.rglob("*"))
        result = run_module(module, **{**given, **options})
        assert sorted(tmp_path.rglob("*")) == before
        return result

    return run


def causes(result: dict[str, Any]) -> list[str]:
    return [problem["cause"] for problem in result["problems"]]


def test_a_host_that_is_ready(preflight: Preflight, tmp_path: pathlib.Path) -> None:
    found = preflight(listen_port=free_port(), trusted_thumbprints=[SHA1], controller_time=time.time())
    assert not found.get("failed")
    assert (found["changed"], found["problems"], found["instances"]) == (False, [], [])
    assert abs(found["clock_offset"]) < 60
    assert {place["option"]: place["exists"] for place in found["places"]} == {
        "programs_directory": False, "configuration_home": False, "home_directory": False
    }  # fmt: skip


def test_the_system_and_the_account(preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_agent_python, "read_os_release", lambda: {"ID": "rocky", "ID_LIKE": "rhel centos fedora"})
    found = preflight(service_manager="standalone", service_user="nobody-of-that-name")
    assert (found["problems"], found["account"]) == ([], None)  # nobody else can run a process of this account's own
    platform = found["platform"]
    assert (platform["system"], platform["service_manager"]) == ("Linux", "standalone")
    assert (platform["uid"], platform["user_home"]) == (os.geteuid(), os.path.expanduser(f"~{platform['user']}"))
    assert platform["libraries_package"] == "python3-pyOpenSSL"
    assert causes(preflight(service_manager="systemd", service_user="nobody-of-that-name", fail_on_problems=False))
    assert _agent_python.package({"ID": "plan9"}) is None


@pytest.mark.parametrize(
    ("uid", "systemd", "boots_systemd", "lingers", "manager", "in_image"),
    [
        (0, True, True, False, "systemd", "systemd"),
        (0, False, True, False, "standalone", "systemd"),
        (0, False, False, False, "standalone", "standalone"),
        (1000, True, True, True, "user", "user"),
        (1000, True, True, False, "standalone", "standalone"),
        (1000, False, True, True, "standalone", "standalone"),
    ],
)
def test_who_runs_the_agent(
    uid: int, systemd: bool, boots_systemd: bool, lingers: bool, manager: str, in_image: str
) -> None:
    host = system.look()._replace(uid=uid, systemd=systemd, boots_systemd=boots_systemd, lingers=lingers)
    assert host.service_manager("auto", image=False) == manager
    assert host.service_manager("auto", image=True) == in_image
    assert host.service_manager("user", image=True) == "user"


@pytest.mark.parametrize(("name", "python"), [("FreeBSD", "3.11.2"), ("Linux", "3.8.18")])
def test_a_system_that_the_agent_does_not_run_on(
    preflight: Preflight, monkeypatch: pytest.MonkeyPatch, name: str, python: str
) -> None:
    monkeypatch.setattr(system.platform, "system", lambda: name)
    monkeypatch.setattr(system.platform, "python_version", lambda: python)
    found = preflight()
    assert found["cause"] == "unsupported_platform"
    assert f"This host runs {name} with Python {python}" in found["msg"]


def test_an_account_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    assert system.look().user == "4000000000"


def test_all_problems_are_said_at_once(preflight: Preflight) -> None:
    options: dict[str, Any] = {
        "listen_port": 70000, "drain_seconds": -1, "listen_address": "eth0", "trusted_thumbprints": [SHA1[:-1]]
    }  # fmt: skip
    found = preflight(**options)
    assert found["failed"]
    assert found["cause"] == "configuration_invalid"
    assert causes(found) == ["configuration_invalid"] * 3 + ["thumbprint_invalid"]
    assert "not ready for 4 reasons, and nothing was changed. (1) " in found["msg"]
    reported = preflight(**options, fail_on_problems=False)
    assert not reported.get("failed")
    assert reported["problems"] == found["problems"]
    assert reported["msg"] == found["msg"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHA1[:7] + "O" + SHA1[8:], "Entry 2 of 'trusted_thumbprints' cannot be trusted: "),
        (SHA1[:7] + "O" + SHA1[8:], "its character 8 is 'O'"),
        (SHA1[:-1], "it has 39 hexadecimal digits, 40 (SHA-1) or 64 (SHA-256) are expected"),
        ("-----BEGIN CERTIFICATE-----\nMIIB", "holds no certificate"),
    ],
)
def test_a_typing_error_in_a_thumbprint(preflight: Preflight, text: str, said: str) -> None:
    found = preflight(trusted_thumbprints=[SHA1, text])
    assert found["cause"] == "thumbprint_invalid"
    assert said in found["msg"]


def test_a_port_that_somebody_holds(preflight: Preflight) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = preflight(listen_port=port)
        elsewhere = preflight(listen_port=port, listen_address="127.0.0.9")
    assert found["cause"] == "port_taken"
    assert f"process {os.getpid()} of" in found["msg"]
    assert elsewhere["problems"] == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_identity_that_cannot_be_imported(preflight: Preflight, tmp_path: pathlib.Path) -> None:
    pem, other = identity.create(), identity.create()
    key, certificate = pem[: pem.index(b"-----BEGIN CERT")], other[other.index(b"-----BEGIN CERT") :]
    assert preflight(certificate_content=pem.decode())["problems"] == []
    mixed = preflight(certificate_content=(key + certificate).decode())
    assert mixed["cause"] == "certificate_invalid"
    assert "does not belong to the private key" in mixed["msg"]
    assert "PRIVATE KEY" not in json.dumps(mixed)
    assert preflight(certificate_pfx_path=str(tmp_path / "none.pfx"))["cause"] == "file_missing"
    (tmp_path / "agent.pfx").write_bytes(identity.export_pfx(pem, "right"))
    assert preflight(certificate_pfx_path=str(tmp_path / "agent.pfx"), certificate_passphrase="right")["problems"] == []
    wrong = preflight(certificate_pfx_path=str(tmp_path / "agent.pfx"), certificate_passphrase="canary-4711")
    assert wrong["cause"] == "password_wrong"
    assert "canary-4711" not in json.dumps(wrong)


@pytest.mark.parametrize("form", ["pem", "pfx", "base64"])
def test_without_the_library_the_shape_is_looked_at(
    preflight: Preflight, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, form: str
) -> None:
    pem = identity.create()
    pfx = identity.export_pfx(pem)
    data = {"pem": pem, "pfx": pfx, "base64": base64.b64encode(pfx)}[form]
    monkeypatch.setattr(identities, "HAS_CRYPTOGRAPHY", False)
    path = tmp_path / "identity"
    for content in (data, data[: len(data) * 3 // 4], b"", b"?"):
        path.write_bytes(content)
        found = preflight(certificate_pfx_path=str(path))
        assert causes(found) == ([] if content is data else ["certificate_invalid"]), content[:40]


def test_an_identity_that_is_there(preflight: Preflight, tmp_path: pathlib.Path) -> None:
    present = tmp_path / "etc" / "tentacle" / "identity.pem"
    present.parent.mkdir(parents=True)
    pem = identity.create()
    present.write_bytes(pem)
    assert preflight()["problems"] == []
    copied = preflight(prepare_image=True)
    assert copied["cause"] == "identity_present"
    assert identity.thumbprints_of(pem).sha1 in copied["msg"]
    assert preflight(prepare_image=True, purge_identity=True)["problems"] == []
    present.write_bytes(pem[: len(pem) // 2])
    assert preflight()["cause"] == "certificate_invalid"


def test_an_account_that_is_not_ours(preflight: Preflight) -> None:
    options = {"service_user": "daemon", "service_group": "daemon", "account_home": "/var/lib/tentacle-agent"}
    found = preflight(manage_account=True, **options)
    assert found["cause"] == "account_taken"
    assert "instead of /var/lib/tentacle-agent" in found["msg"]
    # pytest's own directory lets no other account pass, which is another problem.
    assert set(causes(preflight(manage_account=False, **options))) <= {"permissions"}
    assert found["account"]["uid"] == 1
    other_group = preflight(manage_account=True, service_user="daemon", service_group="bin")
    assert "the group daemon instead of bin" in other_group["msg"]


def test_an_account_that_is_missing(preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"service_user": "no-such-user", "service_group": "no-such-group"}
    found = preflight(**options)
    assert causes(found) == ["account_missing", "account_missing"]
    assert "useradd --system no-such-user" in found["msg"]
    monkeypatch.setattr(account, "_MAKERS", ("no-such-program",))
    assert "cannot be made: there is no no-such-program" in preflight(**options, manage_account=True)["msg"]
    assert preflight(service_user="root", manage_account=True)["problems"] == []


def test_something_that_is_no_directory(preflight: Preflight, tmp_path: pathlib.Path) -> None:
    (tmp_path / "srv").write_text("in the way")
    found = preflight()
    assert found["cause"] == "storage_failed"
    assert f"{tmp_path / 'srv'} exists and is no directory" in found["msg"]
    (tmp_path / "opt").symlink_to(tmp_path / "nowhere")
    found = preflight()
    assert causes(found) == ["storage_failed", "storage_failed"]
    assert found["places"][0]["free_mb"] is None


@needs_root
def test_a_place_that_the_account_cannot_reach(preflight: Preflight, tmp_path: pathlib.Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for parent in (tmp_path, *tmp_path.parents[:-1]):
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o001)
    found = preflight(service_user="daemon", home_directory=str(private / "home"))
    assert causes(found) == ["permissions"]
    assert f"chmod o+x {private}" in found["msg"]
    assert preflight(service_user="daemon")["problems"] == []


@needs_root
def test_a_link_that_somebody_else_made(preflight: Preflight, tmp_path: pathlib.Path) -> None:
    (tmp_path / "srv").symlink_to("/etc")
    os.lchown(tmp_path / "srv", 1, 1)
    found = preflight()
    assert causes(found) == ["permissions"]
    assert "is a link made by user number 1" in found["msg"]


_MOUNTED = """
import sys
sys.path.insert(0, sys.argv[1])
from module_utils._preflight import places
here = [places.Place("programs_directory", "/mnt/a/opt", runs=True), places.Place("home_directory", "/mnt/a/home")]
for problem in places.check(here, int(sys.argv[2]), None):
    print(problem.cause, problem.msg)
"""


@needs_namespaces
@pytest.mark.parametrize(
    ("options", "minimum", "said"),
    [
        ("size=8m", 4, ""),
        ("size=8m", 9, "disk_full The file system of /mnt/a/opt, /mnt/a/home has 8 MB free"),
        ("size=8m,nr_inodes=2", 4, "disk_full The file system of /mnt/a/opt, /mnt/a/home has no free inodes"),
        ("noexec", 0, "permissions The agent cannot be started from /mnt/a/opt: its file system is mounted with no"),
        ("ro", 0, "permissions The directory /mnt/a/home cannot be made or used: its file system is mounted re"),
    ],
)
def test_file_systems_as_they_are_mounted(options: str, minimum: int, said: str) -> None:
    plugins = pathlib.Path(module.__file__).parents[1]
    mount = f"mount -t tmpfs none /mnt && mkdir /mnt/a && mount -t tmpfs -o {options} none /mnt/a && touch /mnt/a/x; "
    command = ["unshare", "-Urm", "sh", "-c", mount + 'exec "$@"', "sh", sys.executable, "-c", _MOUNTED]
    done = subprocess.run(
        [*command, str(plugins), str(minimum)], capture_output=True, text=True, timeout=60, check=True
    )
    assert said in done.stdout
    assert bool(done.stdout) == bool(said)


@pytest.mark.parametrize(
    ("offset", "said"), [(200, None), (-200, None), (-3600 * 72, "3 days slow"), (1200, "20 minutes fast")]
)
def test_a_clock_that_differs(preflight: Preflight, offset: int, said: str | None) -> None:
    options = {"controller_time": time.time() - offset}
    found = preflight(**options)
    assert causes(found) == (["clock_wrong"] if said else [])
    assert said is None or said in found["msg"]
    assert preflight(**options, clock_tolerance=0)["problems"] == []


def test_a_python_that_makes_no_environments(preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAKES_ENVIRONMENTS", [sys.executable, "-c", "import no_ensurepip"])
    found = preflight(makes_environment=True)
    assert found["cause"] == "runtime_missing"
    assert "No module named 'no_ensurepip'. Distributions keep that part" in found["msg"]
    assert preflight()["problems"] == []


def test_what_else_may_forbid_something(tmp_path: pathlib.Path) -> None:
    selinux, apparmor = tmp_path / "enforce", tmp_path / "profiles"
    assert confinement.notes("/opt/agent", str(selinux), str(apparmor)) == []
    selinux.write_text("1")
    apparmor.write_text("/usr/bin/man (enforce)\n/usr/bin/python3.11 (enforce)\n/usr/bin/python3.9 (complain)\n")
    notes = confinement.notes("/opt/agent", str(selinux), str(apparmor))
    assert "restorecon -R /opt/agent" in notes[0]
    assert "AppArmor confines /usr/bin/python3.11, which" in notes[1]
    selinux.write_text("0")
    assert len(confinement.notes("/opt/agent", str(selinux), str(apparmor))) == 1
