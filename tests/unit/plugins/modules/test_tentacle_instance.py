# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.module_utils._instance import unit
from ansible_collections.listening.tentacle.plugins.modules import tentacle_instance as module
from ansible_collections.listening.tentacle.plugins.modules import tentacle_instance_info as info

Instance = Callable[..., dict[str, Any]]


@pytest.fixture
def instance(run_module: Callable[..., dict[str, Any]], tmp_path: pathlib.Path) -> Instance:
    def run(**options: Any) -> dict[str, Any]:
        given = {"configuration_home": str(tmp_path / "etc"), "home_directory": str(tmp_path / "srv" / "home")}
        return run_module(options.pop("module", module), **given, **options)

    return run


@pytest.fixture
def look(run_module: Callable[..., dict[str, Any]], tmp_path: pathlib.Path) -> Instance:
    return lambda **options: run_module(info, configuration_home=str(tmp_path / "etc"), **options)


def tree(path: pathlib.Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(entry.relative_to(path)): (entry.stat().st_mode, entry.read_bytes() if entry.is_file() else b"")
        for entry in sorted(path.rglob("*"))
    }


def test_creates_foresees_and_is_content(instance: Instance, tmp_path: pathlib.Path) -> None:
    foreseen = instance(port=12345, check=True)
    assert tree(tmp_path) == {}
    made = instance(port=12345)
    present = tree(tmp_path)
    again = instance(port=12345)
    assert (foreseen["changed"], made["changed"], again["changed"]) == (True, True, False)
    assert tree(tmp_path) == present
    assert foreseen["configuration"] == made["configuration"] == again["configuration"]
    assert foreseen["diff"] == made["diff"]
    assert made["diff"]["before"]["configuration"] is None
    assert again["diff"]["before"] == again["diff"]["after"] == made["diff"]["after"]
    assert made["path"] == str(tmp_path / "etc/tentacle/tentacle.json")
    assert made["certificate_path"] == str(tmp_path / "etc/tentacle/identity.pem")
    assert made["unit_name"] == "tentacle-agent@tentacle.service"
    assert (tmp_path / "srv/home/Applications").is_dir()
    assert not made["restart_required"]


def test_modes_are_narrow_under_any_umask(instance: Instance, tmp_path: pathlib.Path) -> None:
    for number, mask in enumerate((0o077, 0o000)):
        before = os.umask(mask)
        try:
            instance(instance=f"I{number}", application_directory=str(tmp_path / f"apps{number}"))
        finally:
            os.umask(before)
        modes = {name: entry[0] & 0o777 for name, entry in tree(tmp_path).items()}
        assert modes[f"etc/i{number}"] == 0o750
        assert modes[f"etc/i{number}/tentacle.json"] == 0o640
        assert modes["srv"] == 0o755
        assert modes["srv/home"] == 0o750
        assert modes[f"apps{number}"] == 0o755


def test_changes_only_what_is_given(instance: Instance) -> None:
    instance(port=12345, listen_address="127.0.0.1", idle_seconds=30)
    result = instance(port=12346)
    assert result["configuration"]["listen_address"] == "127.0.0.1"
    assert result["configuration"]["idle_seconds"] == 30
    assert result["restart_required"]
    assert instance(listen_address="any")["configuration"]["listen_address"] is None


def test_keeps_trust_and_identity_out_of_it(instance: Instance, tmp_path: pathlib.Path) -> None:
    path = pathlib.Path(instance()["path"])
    document = json.loads(path.read_text())
    document["trusted_servers"] = [{"thumbprint": "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12"}]
    path.write_text(json.dumps(document))
    (path.parent / "identity.pem").write_text("stays")
    assert len(instance(port=1)["configuration"]["trusted_servers"]) == 1
    assert (path.parent / "identity.pem").read_text() == "stays"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"port": 70000}, "port"),
        ({"listen_address": "localhost"}, "listen_address"),
        ({"idle_seconds": 0}, "idle_seconds"),
        ({"instance": "../evil"}, "../evil"),
        ({"service_user": "nobody-by-this-name"}, "nobody-by-this-name"),
        ({"service_user": "a\nb"}, "a\nb"),
    ],
)
def test_refuses_bad_values_with_a_sentence(
    instance: Instance, tmp_path: pathlib.Path, options: dict[str, Any], word: str
) -> None:
    result = instance(**options)
    assert result["failed"]
    assert result["cause"]
    assert word in result["msg"]
    assert not (tmp_path / "etc").exists()


def test_an_account_that_check_mode_cannot_know_is_no_failure(instance: Instance) -> None:
    result = instance(service_user="nobody-by-this-name", service_group="nobody-by-this-name", check=True)
    assert result["changed"]
    assert "User=nobody-by-this-name" in result["unit"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give directories to root")
def test_unit_says_what_the_options_say(instance: Instance) -> None:
    result = instance(service_user="root", service_group="root", executable="/opt/x/tentacle-agent")
    assert f"ExecStart=/opt/x/tentacle-agent run --config={result['path']}" in result["unit"]
    assert "User=root" in result["unit"]
    assert "Group=" not in result["unit"]
    assert "User=" not in result["user_unit"]


def test_refuses_a_link_of_somebody_else(instance: Instance, tmp_path: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be led astray, and only root can make the link")
    target = tmp_path / "etc-of-the-system"
    target.mkdir()
    (tmp_path / "srv/home").mkdir(parents=True)
    link = tmp_path / "srv/home/Applications"
    link.symlink_to(target)
    os.lchown(link, 65534, 65534)
    result = instance(service_user="65534")
    assert result["cause"] == "permissions"
    assert str(link) in result["msg"]
    assert target.stat().st_uid == 0


def test_an_instance_without_a_name_has_no_record(run_module: Any, tmp_path: pathlib.Path) -> None:
    options = {"config": str(tmp_path / "here" / "agent.json"), "configuration_home": str(tmp_path / "etc")}
    result = run_module(module, **options)
    assert (result["instance"], result["unit_name"]) == (None, None)
    assert result["configuration"]["home_directory"] == str(tmp_path / "here")
    assert not (tmp_path / "etc").exists()
    assert not run_module(module, **options)["changed"]


def test_a_name_stands_for_one_configuration(instance: Instance, tmp_path: pathlib.Path) -> None:
    instance()
    result = instance(instance="Tentacle", config=str(tmp_path / "other" / "tentacle.json"))
    assert result["failed"]
    assert result["cause"] == "instance_exists"


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="units of the machine belong to root")


class TestUnit:
    @pytest.fixture(autouse=True)
    def _places(self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
        monkeypatch.setattr(unit, "SYSTEM_DIRECTORY", str(tmp_path / "system"))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    @pytest.mark.parametrize(
        ("scope", "place", "text"),
        [
            pytest.param("system", "system", "unit", marks=as_root),
            ("user", "config/systemd/user", "user_unit"),
        ],
    )
    def test_is_written_where_the_manager_reads_it(
        self, instance: Instance, tmp_path: pathlib.Path, scope: str, place: str, text: str
    ) -> None:
        foreseen = instance(write_unit=scope, check=True)
        assert tree(tmp_path) == {}
        made = instance(write_unit=scope)
        again = instance(write_unit=scope)
        path = tmp_path / place / "tentacle-agent@tentacle.service"
        assert path.read_text() == made[text]
        assert path.stat().st_mode & 0o777 == 0o644
        assert (made["unit_path"], foreseen["diff"]) == (str(path), made["diff"])
        assert [run["unit_changed"] for run in (foreseen, made, again)] == [True, True, False]
        assert not again["changed"]

    def test_that_was_edited_is_written_again(self, instance: Instance) -> None:
        path = pathlib.Path(instance(write_unit="user")["unit_path"])
        text = path.read_text()
        path.write_text("[Service]\nExecStart=/bin/false\n")
        path.chmod(0o600)
        result = instance(write_unit="user")
        assert (result["changed"], result["unit_changed"]) == (True, True)
        assert result["diff"]["before"]["unit"] == ["[Service]", "ExecStart=/bin/false"]
        assert (path.read_text(), path.stat().st_mode & 0o777) == (text, 0o644)

    def test_whose_rights_differ_needs_no_reload(self, instance: Instance) -> None:
        path = pathlib.Path(instance(write_unit="user")["unit_path"])
        path.chmod(0o600)
        result = instance(write_unit="user")
        assert (result["changed"], result["unit_changed"]) == (True, False)
        assert path.stat().st_mode & 0o777 == 0o644

    def test_follows_the_configuration(self, instance: Instance) -> None:
        instance(write_unit="user")
        assert instance(write_unit="user", drain_seconds=300)["unit_changed"]

    def test_is_left_alone_unless_asked_for(self, instance: Instance, tmp_path: pathlib.Path) -> None:
        result = instance()
        assert (result["unit_path"], result["unit_changed"]) == (None, False)
        assert not (tmp_path / "config").exists()

    def test_takes_a_name(self, run_module: Any, tmp_path: pathlib.Path) -> None:
        result = run_module(module, config=str(tmp_path / "agent.json"), write_unit="system")
        assert result["cause"] == "invalid_input"
        assert "has no name" in result["msg"]
        assert tree(tmp_path) == {}


class TestAbsent:
    @pytest.fixture(autouse=True)
    def _filled(self, instance: Instance, tmp_path: pathlib.Path) -> None:
        instance()
        (tmp_path / "etc/tentacle/identity.pem").write_text("key")
        (tmp_path / "srv/home/Work/ticket").mkdir(parents=True)
        (tmp_path / "srv/home/agent.pid").write_text("1")

    def test_keeps_identity_and_home(self, instance: Instance, tmp_path: pathlib.Path) -> None:
        before = tree(tmp_path)
        foreseen = instance(state="absent", check=True)
        assert tree(tmp_path) == before
        result = instance(state="absent")
        assert foreseen == result
        assert result["changed"]
        assert result["kept"] == [str(tmp_path / "etc/tentacle/identity.pem"), str(tmp_path / "srv/home")]
        assert (tmp_path / "srv/home/Work/ticket").is_dir()
        assert not (tmp_path / "etc/Tentacle").exists()
        assert not instance(state="absent")["changed"]

    def test_removes_everything_when_told(self, instance: Instance, tmp_path: pathlib.Path) -> None:
        result = instance(state="absent", remove_home=True, remove_identity=True)
        assert result["kept"] == []
        assert sorted(path.name for path in tmp_path.iterdir()) == ["srv"]
        assert list((tmp_path / "srv").iterdir()) == []

    def test_keeps_deployed_applications(self, instance: Instance, tmp_path: pathlib.Path) -> None:
        (tmp_path / "srv/home/Applications/site").mkdir()
        result = instance(state="absent", remove_home=True, remove_identity=True)
        assert result["kept"] == [str(tmp_path / "srv/home/Applications")]
        assert [path.name for path in (tmp_path / "srv/home").iterdir()] == ["Applications"]

    def test_removes_deployed_applications_when_told(self, instance: Instance, tmp_path: pathlib.Path) -> None:
        (tmp_path / "srv/home/Applications/site").mkdir()
        instance(state="absent", remove_home=True, remove_applications=True)
        assert not (tmp_path / "srv/home").exists()
        assert (tmp_path / "etc/tentacle/identity.pem").exists()

    def test_leaves_what_is_not_the_agents_in_a_chosen_home(self, instance: Instance, tmp_path: pathlib.Path) -> None:
        (tmp_path / "srv/home/photos").mkdir()
        instance(state="absent", remove_home=True)
        assert [path.name for path in (tmp_path / "srv/home").iterdir()] == ["photos"]

    def test_a_damaged_configuration_does_not_hide_the_home(self, instance: Instance, tmp_path: pathlib.Path) -> None:
        (tmp_path / "etc/tentacle/tentacle.json").write_text("{")
        result = instance(state="absent", remove_home=True)
        assert result["cause"] == "configuration_invalid"
        assert instance(state="absent")["changed"]


class TestInfo:
    def test_nothing(self, look: Instance) -> None:
        assert look() == {"changed": False, "instances": [], "port_holders": []}

    def test_all_instances(self, instance: Instance, look: Instance) -> None:
        instance(instance="Two", port=2)
        instance(instance="one", port=1)
        found = look()["instances"]
        assert [entry["instance"] for entry in found] == ["one", "Two"]
        assert [entry["configuration"]["port"] for entry in found] == [1, 2]
        assert found[0]["certificate"] is None
        assert found[0]["process"] is None
        assert [entry["instance"] for entry in look(instance="two")["instances"]] == ["two"]

    def test_says_what_cannot_be_read(self, instance: Instance, look: Instance) -> None:
        path = pathlib.Path(instance()["path"])
        path.write_text("[]")
        found = look()["instances"][0]
        assert found["configuration"] is None
        assert str(path) in found["problem"]

    def test_names_the_holder_of_a_port(self, look: Instance) -> None:
        import socket

        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            holders = look(port=port)["port_holders"]
            elsewhere = look(port=port, listen_address="127.0.0.2")["port_holders"]
        assert [(holder["address"], holder["pid"]) for holder in holders] == [("127.0.0.1", os.getpid())]
        assert elsewhere == []
        assert look(port=port)["port_holders"] == []


def test_where_servers_find_the_agent_is_kept_and_can_be_taken_back(instance: Instance, look: Instance) -> None:
    made = instance(public_hostname="[2001:db8::1]", comms_port=20933)
    assert (made["configuration"]["public_hostname"], made["configuration"]["comms_port"]) == ("2001:db8::1", 20933)
    assert not instance(public_hostname="2001:db8::1", comms_port=20933)["changed"]
    found = look(instance="Tentacle")["instances"][0]["configuration"]
    assert (found["public_hostname"], found["comms_port"], found["port"]) == ("2001:db8::1", 20933, 10933)
    changed = instance(public_hostname="web1.example.com", comms_port=0)
    assert (changed["changed"], changed["restart_required"]) == (True, False)
    assert "comms_port" not in changed["configuration"]
    assert "public_hostname" not in instance(public_hostname="")["configuration"]


@pytest.mark.parametrize("host", ["https://web1", "web1:10933", "web 1", "web1/", "[web1]x"])
def test_an_address_with_more_than_a_host_is_refused(instance: Instance, host: str) -> None:
    refused = instance(public_hostname=host)
    assert refused["cause"] == "configuration_invalid"
    assert "alone, without scheme and port" in refused["msg"]


def test_the_proxy_for_scripts_and_its_password(instance: Instance, tmp_path: pathlib.Path) -> None:
    instance()
    options = {"proxy_host": "proxy.example.com", "proxy_port": 3128, "proxy_username": "agent"}
    kept = tmp_path / "etc" / "tentacle" / "proxy-password"
    foreseen = instance(proxy_password="canary-4711", check=True, **options)
    assert foreseen["changed"]
    assert not kept.exists()
    made = instance(proxy_password="canary-4711", **options)
    assert (made["changed"], made["restart_required"]) == (True, True)
    assert made["configuration"]["proxy"] == {
        "use_default": False, "host": "proxy.example.com", "port": 3128, "username": "agent"
    }  # fmt: skip
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("canary-4711", 0o600)
    assert not instance(proxy_password="canary-4711", **options)["changed"]
    assert not instance(**options)["changed"]  # without a password, the one that is there stays
    another = instance(proxy_password="canary-4712", **options)
    assert (another["changed"], another["restart_required"]) == (True, True)
    assert another["diff"]["after"]["proxy_password"] == "another"
    assert "canary" not in json.dumps([foreseen, made, another])

    assert instance(proxy_host="none")["configuration"]["proxy"]["use_default"] is False
    assert not kept.exists()
    assert "proxy" not in instance(proxy_host="default")["configuration"]
    assert not instance(proxy_host="default")["changed"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"proxy_host": "default", "proxy_username": "agent"}, "which is no proxy"),
        ({"proxy_host": "p", "proxy_password": "canary-4711"}, "needs a name"),
        ({"proxy_host": "p", "proxy_port": 0}, "from 1 to 65535"),
    ],
)
def test_what_cannot_be_a_proxy(instance: Instance, options: dict[str, Any], said: str) -> None:
    refused = instance(**options)
    assert refused["cause"] == "configuration_invalid"
    assert said in refused["msg"]
    assert "canary" not in json.dumps(refused)
