# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs about the server that calls (`server-comms`) and about the proxy that scripts are told of (`proxy`)."""

from __future__ import annotations

import io
import json
import pathlib
import stat
import sys
from collections.abc import Callable
from typing import Any

import pytest

from module_utils._halibut.values import replace
from module_utils._instance import configuration, proxy
from module_utils._instance.errors import ConfigurationError
from module_utils._instance.proxy import Proxy
from module_utils._instance.trusted import TrustedServer

A, B = "AA" * 20, "BB" * 20
Call = Callable[..., Any]
DONE = "Updated server communications configuration\n"


def trust(path: str, *servers: TrustedServer) -> None:
    configuration.change(path, lambda wanted: replace(wanted, trusted_servers=servers))


class TestServerComms:
    def test_a_server_that_was_polled_calls_from_now_on(self, call: Call, path: str) -> None:
        trust(path, TrustedServer(A, "TentacleActive", "https://s:10943/", "SQ", "poll://x/"), TrustedServer(B))
        assert call("server-comms", f"--thumbprint={A.lower()}", "--style=TentaclePassive") == (0, DONE, "")
        assert configuration.load(path).trusted_servers == (TrustedServer(A, squid="SQ"), TrustedServer(B))

    def test_of_several_entries_of_one_server_one_is_left(self, call: Call, path: str) -> None:
        trust(path, TrustedServer(A, "TentacleActive", "https://s:10943/"), TrustedServer(B), TrustedServer(A))
        call("server-comms", f"--thumbprint={A}", "--style=TentaclePassive")
        assert configuration.load(path).trusted_servers == (TrustedServer(A), TrustedServer(B))

    def test_a_new_server_is_added(self, call: Call, path: str) -> None:
        trust(path, TrustedServer(B))
        assert call("server-comms", f"--thumbprint={A}", "--style=tentaclepassive").code == 0
        assert configuration.load(path).trusted_servers == (TrustedServer(B), TrustedServer(A))

    def test_the_only_server_need_not_be_named(self, call: Call, path: str) -> None:
        trust(path, TrustedServer(A, "None"))
        assert call("server-comms", "--style=TentaclePassive").code == 0
        assert configuration.load(path).trusted_servers == (TrustedServer(A),)

    @pytest.mark.parametrize(
        ("trusted", "words", "sentence"),
        [
            ([], ["--style=TentaclePassive", f"--thumbprint={A}"], "No Octopus Server is trusted yet"),
            ([A, B], ["--style=TentaclePassive"], f"Say which with --thumbprint: {A}, {B}"),
            ([A], [], "Please specify a communication style"),
            ([A], ["--style=Carrier"], "has to be one of None, TentaclePassive, TentacleActive"),
            ([A], ["--style=TentacleActive", "--host=server"], "never calls a server"),
            ([A], ["--style=TentaclePassive", "--host=server"], "never calls a server"),
            ([A], ["--style=TentaclePassive", "--thumbprint=xyz"], "xyz"),
        ],
    )
    def test_what_cannot_be_changes_nothing(
        self, call: Call, path: str, trusted: list[str], words: list[str], sentence: str
    ) -> None:
        trust(path, *map(TrustedServer, trusted))
        before = pathlib.Path(path).read_bytes()
        done = call("server-comms", *words)
        assert (done.code, done.out) == (1, "")
        assert sentence in done.err
        assert pathlib.Path(path).read_bytes() == before


class TestProxy:
    def test_a_proxy_with_a_login(self, call: Call, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("pässword\n"))
        done = call("proxy", "--proxyEnable=True", "--proxyHost=proxy.example", "--proxyPort=3128",
                    "--proxyUsername=me", "--proxyPassword-file=-")  # fmt: skip
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines() == [
            "Scripts use the proxy proxy.example:3128", "These changes require a restart of the Tentacle."
        ]
        wanted = configuration.load(path)
        assert wanted.proxy == Proxy(False, "proxy.example", 3128, "me")
        secret = pathlib.Path(proxy.password_path(wanted.certificate_path))
        assert proxy.read_password(str(secret)) == "pässword"
        assert stat.S_IMODE(secret.stat().st_mode) & 0o007 == 0
        assert "pässword" not in pathlib.Path(path).read_text(encoding="utf-8")
        assert "pässword" not in call("show-configuration").out

    def test_a_new_choice_leaves_nothing_of_the_old_one(self, call: Call, path: str) -> None:
        call("proxy", "--proxyEnable=true", "--proxyHost=p", "--proxyUsername=me", "--proxyPassword=secret")
        assert call("proxy", "--proxyEnable=true").out.startswith("Scripts use the system's proxy settings\n")
        wanted = configuration.load(path)
        assert wanted.proxy == Proxy()
        assert "proxy" not in json.loads(pathlib.Path(path).read_text())
        assert proxy.read_password(proxy.password_path(wanted.certificate_path)) is None
        assert call("proxy", "--proxyEnable=false").out.startswith("Scripts use no proxy\n")
        assert configuration.load(path).proxy == Proxy(use_default=False)

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ([], "--proxyEnable=true or false"),
            (["--proxyEnable=maybe"], "--proxyEnable has to be true or false, not 'maybe'"),
            (["--proxyEnable=false", "--proxyHost=p"], "Without a proxy"),
            (["--proxyEnable=true", "--proxyHost=p", "--proxyPort=0"], "port has to be a whole number from 1"),
            (["--proxyEnable=true", "--proxyHost=p", "--proxyPort=x"], "--proxyPort has to be a whole number"),
            (["--proxyEnable=true", "--proxyHost=p", "--proxyPassword=x"], "give --proxyUsername as well"),
            (["--proxyEnable=true", "--proxyHost=a\nb"], "host has to be a text of one line"),
            (["--proxyEnable=true", "--proxyUsername=u", "--proxyPassword=x", "--proxyPassword-file=y"], "only one of"),
        ],
    )
    def test_what_cannot_be_changes_nothing(self, call: Call, path: str, words: list[str], sentence: str) -> None:
        before = pathlib.Path(path).read_bytes()
        done = call("proxy", *words)
        assert (done.code, done.out) == (1, "")
        assert sentence in done.err
        assert pathlib.Path(path).read_bytes() == before
        assert not (pathlib.Path(path).parent / proxy.PASSWORD_NAME).exists()

    @pytest.mark.parametrize(
        "document", [[], {"hots": "x"}, {"use_default": 1}, {"host": ""}, {"port": True}, {"port": 70000}]
    )
    def test_a_wrong_key_in_the_file_is_named(self, path: str, document: Any) -> None:
        pathlib.Path(path).write_text(json.dumps({"proxy": document}))
        with pytest.raises(ConfigurationError, match="proxy"):
            configuration.load(path)

    def test_passwords_are_masked_in_the_log(self, call: Call, path: str, tmp_path: pathlib.Path) -> None:
        log = tmp_path / "web" / "Logs" / "OctopusTentacle.txt"
        log.parent.mkdir()
        log.write_bytes(b"")
        call("proxy", "--proxyEnable=true", "--proxyUsername=me", "--proxyPassword=hunter2")
        assert "==== proxy ====" in log.read_text(encoding="utf-8")
        assert "hunter2" not in log.read_text(encoding="utf-8")
