"""Verbs that make, show and change instances."""

from __future__ import annotations

import json
import pathlib
import stat
from collections.abc import Callable
from typing import Any

import pytest

from module_utils._instance import configuration, paths, records

A, B, C = "AA" * 20, "BB" * 20, "CC" * 20

Call = Callable[..., Any]


class TestCreateInstance:
    def test_named_with_a_file(self, call: Call, tmp_path: pathlib.Path) -> None:
        path = str(tmp_path / "new" / "x.cfg")
        done = call("create-instance", "--instance", "Web 1", f"--config={path}")
        assert done == (
            0,
            f"Creating empty configuration file: {path}\n"
            "Saving instance: Web 1\n"
            f"Setting home directory to: {tmp_path / 'new'}\n",
            "",
        )
        wanted = configuration.load(path)
        assert (wanted.instance, wanted.home_directory) == ("Web 1", str(tmp_path / "new"))
        assert records.list_records() == [records.Record("Web 1", path)]

    def test_with_a_home(self, call: Call, tmp_path: pathlib.Path) -> None:
        path = str(tmp_path / "x.cfg")
        assert call("create-instance", "--instance=w", f"--config={path}", "--home=../home").code == 0
        wanted = configuration.load(path)
        assert wanted.home_directory == str(tmp_path / "home")
        assert wanted.application_directory == str(tmp_path / "home" / "Applications")
        assert (tmp_path / "home").is_dir()

    def test_neither_name_nor_file(self, call: Call, tmp_path: pathlib.Path) -> None:
        assert call("create-instance").code == 0
        assert (tmp_path / "here" / "Tentacle.config").exists()
        assert records.list_records() == []
        shown = json.loads(call("show-configuration").out)
        assert shown["Octopus"]["Home"] == str(tmp_path / "here")

    def test_only_a_name(self, call: Call, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paths, "home_directory", lambda name, _environment: str(tmp_path / "homes" / name))
        assert call("create-instance", "--instance=Web").code == 0
        wanted = configuration.load(str(tmp_path / "machine" / "web" / "tentacle.json"))
        assert wanted.home_directory == str(tmp_path / "homes" / "Web")

    def test_a_name_that_is_taken(self, call: Call, path: str) -> None:
        done = call("create-instance", "--instance=WEB", "--config=other.cfg")
        assert (done.code, done.out) == (1, "")
        assert "Instance web already exists" in done.err

    def test_a_file_that_is_there_keeps_its_settings(self, call: Call, path: str) -> None:
        call("configure", "--port=1234", "--app=apps")
        call("delete-instance", "--instance=web")
        done = call("create-instance", "--instance=again", f"--config={path}", "--home=elsewhere")
        assert f"Configuration file at {path} already exists." in done.out
        wanted = configuration.load(path)
        assert (wanted.port, wanted.instance) == (1234, "again")
        assert wanted.home_directory.endswith("elsewhere")
        assert wanted.application_directory.endswith("apps")

    def test_an_impossible_name(self, call: Call) -> None:
        assert call("create-instance", "--instance=../x").code == 1


class TestDeleteInstance:
    def test_the_record_goes_and_the_files_stay(self, call: Call, path: str) -> None:
        assert call("delete-instance", "--instance=web").code == 0
        assert records.list_records() == []
        assert pathlib.Path(path).exists()

    def test_a_stranger(self, call: Call, path: str) -> None:
        done = call("delete-instance", "--instance=nope")
        assert done.code == 1
        assert "Available instances: web." in done.err
        assert call("delete-instance").code == 1


class TestListInstances:
    def test_text(self, call: Call, path: str) -> None:
        assert call("list-instances").out == f"Instance 'web' uses configuration '{path}'.\n"

    def test_json(self, call: Call, path: str) -> None:
        out = call("list-instances", "--format=json").out
        assert json.loads(out) == [{"InstanceName": "web", "ConfigurationFilePath": path}]
        assert f'"ConfigurationFilePath": "{path}"' in out

    def test_none(self, call: Call) -> None:
        assert call("list-instances") == (0, "No instances installed", "")
        assert call("list-instances", "--format=json").out == "[]"


class TestConfigure:
    def test_everything_at_once_in_the_original_s_words(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        done = call("configure", "--port=10999", "--noListen=False", "--app=apps", "--listenIpAddress=127.0.0.1",
                    "--reset-trust", f"--trust={A}", "--trust", B)  # fmt: skip
        assert done.code == 0
        assert done.out.splitlines() == [
            "Removing all trusted Octopus Servers...",
            "Adding 2 trusted Octopus Servers",
            "Services listen port: 10999",
            "Tentacle will listen on a TCP port",
            f"Application directory set to: {tmp_path / 'here' / 'apps'}",
            "Listen on IP address: 127.0.0.1",
            "These changes require a restart of the Tentacle.",
        ]
        wanted = configuration.load(path)
        assert (wanted.port, wanted.listen_address, wanted.no_listen) == (10999, "127.0.0.1", False)
        assert wanted.trusted_pins() == {A, B}
        assert (tmp_path / "here" / "apps").is_dir()

    def test_home_and_any_address(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        out = call("configure", "--homedir=h", "--listenIpAddress=Any").out
        assert f"Home directory set to: {tmp_path / 'here' / 'h'}" in out
        assert "Listen on any IP address" in out
        assert configuration.load(path).listen_address is None

    def test_trust_is_reset_then_removed_then_added(self, call: Call, path: str) -> None:
        call("configure", f"--trust={A}", f"--trust={B}")
        out = call("configure", f"--trust={A}", f"--remove-trust={A}", f"--remove-trust={C}").out
        assert out.splitlines()[:2] == ["Removing 2 trusted Octopus Servers", "Adding 1 trusted Octopus Servers"]
        assert [server.thumbprint for server in configuration.load(path).trusted_servers] == [B, A]

    def test_trust_needs_no_restart(self, call: Call, path: str) -> None:
        out = call("configure", f"--trust={A.lower()}").out
        assert "restart" not in out
        assert "by itself" in out

    def test_not_listening_makes_the_added_servers_such_as_are_polled(self, call: Call, path: str) -> None:
        call("configure", f"--trust={A}")
        done = call("configure", f"--trust={B}", "--noListen=true")
        assert "Tentacle will not listen on a port" in done.out
        styles = {server.thumbprint: server.communication_style for server in configuration.load(path).trusted_servers}
        assert styles == {A: "TentaclePassive", B: "TentacleActive"}

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["--port=seventy"], "The port has to be a number"),
            (["--port=70000"], "port has to be a whole number from 0 to 65535"),
            (["--noListen=maybe"], "--noListen has to be true or false"),
            (["--listenIpAddress=localhost"], "has to be an IP address"),
            (["--trust=ABC"], "ABC"),
            (["--pollingConnectionCount=2"], "never polls"),
            (["--trust"], "Missing required value for option '--trust'"),
        ],
    )
    def test_a_wrong_value_changes_nothing(self, call: Call, path: str, words: list[str], sentence: str) -> None:
        before = pathlib.Path(path).read_bytes()
        done = call("configure", f"--trust={A}", *words)
        assert (done.code, done.out) == (1, "")
        assert sentence in done.err
        assert pathlib.Path(path).read_bytes() == before

    def test_nothing(self, call: Call, path: str) -> None:
        assert "Nothing was set" in call("configure").out


class TestUpdateTrust:
    def test_each_entry_is_named(self, call: Call, path: str) -> None:
        call("configure", f"--trust={A}")
        done = call("update-trust", f"--oldThumbprint={A.lower()}", f"--newThumbprint={B}")
        assert done.code == 0
        assert f"Updating Octopus servers thumbprint from {A.lower()} to {B}" in done.out
        assert "Updated the TentaclePassive server" in done.out
        assert configuration.load(path).trusted_pins() == {B}

    def test_nobody_has_it(self, call: Call, path: str) -> None:
        done = call("update-trust", f"--oldThumbprint={A}", f"--newThumbprint={B}")
        assert done.code == 0
        assert "nothing was changed" in done.out

    def test_both_are_needed(self, call: Call, path: str) -> None:
        assert "Please specify a thumbprint to replace" in call("update-trust", f"--newThumbprint={B}").err
        assert "Please specify a new thumbprint to trust" in call("update-trust", f"--oldThumbprint={B}").err


class TestClearTrustedServers:
    def test_all_but_those_named(self, call: Call, path: str) -> None:
        entry = {"thumbprint": B, "communication_style": "TentacleActive", "address": "https://server:10943"}
        configuration.change(path, lambda wanted: configuration.with_values(wanted, trusted_servers=[A, entry]))
        call("clear-trusted-servers", "--keep=http://Server:10943/,https://other/")
        assert configuration.load(path).trusted_pins() == {B}
        call("clear-trusted-servers")
        assert configuration.load(path).trusted_pins() == frozenset()


class TestShowConfiguration:
    def test_it_looks_like_the_original_s(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        call("configure", f"--trust={A}", "--port=10940")
        done = call("show-configuration", "--instance=web")
        home = tmp_path / "web"
        assert done == (
            0,
            "{\n"
            '  "Octopus": {\n'
            f'    "Home": "{home}",\n'
            '    "Watchdog": {\n'
            '      "Enabled": false,\n'
            '      "Instances": "*",\n'
            '      "Interval": 0\n'
            "    }\n"
            "  },\n"
            '  "Tentacle": {\n'
            '    "CertificateThumbprint": null,\n'
            '    "Communication": {\n'
            '      "PollingConnectionCount": null,\n'
            '      "TrustedOctopusServers": [\n'
            "        {\n"
            f'          "Thumbprint": "{A}",\n'
            '          "CommunicationStyle": 1,\n'
            '          "Address": null,\n'
            '          "Squid": null,\n'
            '          "SubscriptionId": null\n'
            "        }\n"
            "      ]\n"
            "    },\n"
            '    "Deployment": {\n'
            f'      "ApplicationDirectory": "{home}/Applications"\n'
            "    },\n"
            '    "Services": {\n'
            '      "ListenIP": null,\n'
            '      "NoListen": false,\n'
            '      "PortNumber": 10940\n'
            "    }\n"
            "  }\n"
            "}\n",
            "",
        )

    def test_into_a_file(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        call("show-configuration", "--file=shown.json")
        assert json.loads((tmp_path / "here" / "shown.json").read_text())["Octopus"]["Home"] == str(tmp_path / "web")


class TestLivez:
    def test_fresh_stale_and_missing(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        import os
        import time

        missing = call("livez")
        assert missing.code == 1
        assert "Liveness heartbeat file not found at" in missing.err
        heartbeat = tmp_path / "web" / "livez.heartbeat"
        heartbeat.write_bytes(b"")
        assert call("livez") == (0, "", "")
        os.utime(heartbeat, (time.time() - 90,) * 2)
        stale = call("livez")
        assert stale.code == 1
        assert "is stale: last written 90s ago (threshold 60s)" in stale.err
        assert call("livez", "--max-age=100").code == 0
        for wrong in ("0", "-5", "x"):
            assert call("livez", f"--max-age={wrong}").code == 1


class TestSelection:
    def test_a_stranger_and_the_choice_there_is(self, call: Call, path: str) -> None:
        done = call("show-thumbprint", "--instance=invalidinstance")
        assert (done.code, done.out) == (1, "")
        assert "Instance invalidinstance of tentacle has not been configured" in done.err
        assert "Available instances:" in done.err

    def test_an_unknown_key_is_refused(self, call: Call, path: str) -> None:
        pathlib.Path(path).write_text('{"prot": 1}', encoding="utf-8")
        assert "unknown key 'prot'" in call("show-configuration").err
        assert "unknown key 'prot'" in call("configure", "--port=1").err


class TestDiagnostics:
    def test_the_call_is_in_the_log_and_nowhere_else(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        log = tmp_path / "web" / "Logs" / "OctopusTentacle.txt"
        log.parent.mkdir()
        log.write_bytes(b"")
        done = call("configure", "--instance=web", "--port=5")
        text = log.read_text(encoding="utf-8")
        for word in ("OperatingSystem: ", "CurrentUser: ", "MachineName: ", "CommandLine: configure --instance=web"):
            assert word in text
            assert word not in done.out

    def test_secrets_are_masked(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        log = tmp_path / "web" / "Logs" / "OctopusTentacle.txt"
        log.parent.mkdir()
        log.write_bytes(b"")
        call("import-certificate", "--from-file=none.pfx", "--pfx-password=hunter2")
        call("import-certificate", "--from-file=none.pfx", "/pw", "hunter3")
        call("import-certificate", "--from-base64=hunter4")
        text = log.read_text(encoding="utf-8")
        assert "hunter" not in text
        assert text.count("********") == 3

    def test_no_log_is_made_and_no_link_is_followed(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        call("configure", "--port=5")
        assert not (tmp_path / "web" / "Logs").exists()
        victim = tmp_path / "victim"
        victim.write_bytes(b"")
        (tmp_path / "web" / "Logs").mkdir()
        (tmp_path / "web" / "Logs" / "OctopusTentacle.txt").symlink_to(victim)
        call("configure", "--port=5")
        assert victim.read_bytes() == b""


def test_the_configuration_is_not_for_everybody(path: str) -> None:
    assert stat.S_IMODE(pathlib.Path(path).stat().st_mode) == 0o640
