# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tentacle_verify` with a list of endpoints, with real Ansible, against live agents."""

from __future__ import annotations

import pathlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from agent_process import AgentProcess, Identity, make_identity
from ansible_command import Run, play

VERIFY = "listening.tentacle.tentacle_verify"


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory, server_identity: Identity) -> Iterator[list[AgentProcess]]:
    """Two agents that answer at all loopback addresses, each with an identity of its own."""
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    other = make_identity(second / "own.pem", "Second").path.read_bytes()
    options: dict[str, Any] = {"listen_address": "0.0.0.0"}
    trusted = [server_identity.thumbprint]
    one = AgentProcess(first, trusted, **options)
    two = AgentProcess(second, trusted, identity=other, **options)
    with one, two:
        yield [one, two]


def check(tmp_path: pathlib.Path, *tasks: dict[str, Any]) -> Run:
    """A play whose tasks register a, b, c ...; what they find does not end it."""
    listed = [{VERIFY: task, "register": name, "ignore_errors": True} for name, task in zip("abcdefgh", tasks)]
    return play(listed, tmp_path)


def test_a_mixed_fleet(agents: list[AgentProcess], server_identity: Identity, tmp_path: pathlib.Path) -> None:
    one, two = agents
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    endpoints = [
        {"host": "127.0.2.1", "port": one.port, "thumbprint": one.thumbprint, "name": "web1"},
        {"host": "127.0.2.2", "port": free, "name": "down"},
        {"host": "no-such-host.invalid", "port": one.port, "name": "lost"},
        {"host": "127.0.2.3", "port": two.port, "thumbprint": one.thumbprint, "name": "renewed"},
        {"host": "127.0.2.4", "port": one.port, "name": "clone"},
    ]
    common = {"endpoints": endpoints, "client_cert": str(server_identity.path), "timeout": 10}
    allowed = {"allowed_shared_thumbprints": [one.thumbprint.lower()]}
    run = check(
        tmp_path, {**common, "fail_on": []}, {**common, **allowed, "fail_on": ["shared_identity"]},
        {**common, "fail_on": ["shared_identity"]})  # fmt: skip
    facts = run.facts["a"]
    assert [result["name"] for result in facts["results"]] == ["web1", "down", "lost", "renewed", "clone"]
    assert [result["cause"] for result in facts["results"]] == [
        "shared_identity", "refused", "dns", "agent_thumbprint_mismatch", "shared_identity"]  # fmt: skip
    assert facts["totals"]["causes"]["shared_identity"] == 2
    assert facts["cause"] == "shared_identity"
    assert [entry["endpoints"] for entry in facts["shared_identities"]] == [["web1", "clone"]]
    assert "clone" in facts["results"][0]["evidence"]
    assert {entry["thumbprint"] for entry in facts["certificates"]} == {one.thumbprint, two.thumbprint}
    assert facts["failed"] is False
    assert "[WARNING]: 0 of 5 endpoints are ok." in run.output.replace("\n", " ")
    assert [result["cause"] for result in run.facts["b"]["results"]] == [
        "ok", "refused", "dns", "agent_thumbprint_mismatch", "ok"]  # fmt: skip
    assert run.facts["b"]["failed"] is False
    assert run.facts["c"]["failed"] is True
    assert run.facts["c"]["msg"].startswith("0 of 5 endpoints are ok. To repair: shared_identity 2 (web1, clone)")


def test_says_how_far_it_is(agents: list[AgentProcess], tmp_path: pathlib.Path) -> None:
    """A listener that accepts and says nothing holds the run up for as long as the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoints = [{"host": "127.0.0.1", "port": silent.getsockname()[1]}]
        endpoints += [{"host": f"127.0.3.{number}", "port": agents[0].port} for number in range(1, 6)]
        options = {"endpoints": endpoints, "timeout": 5, "allowed_shared_thumbprints": [agents[0].thumbprint]}
        run = check(tmp_path, options)
    assert "localhost > 5 of 6 endpoints checked in" in run.output
    assert [result["cause"] for result in run.facts["a"]["results"]] == ["unknown"] + ["ok"] * 5


def test_bad_input_is_one_sentence_before_anything_is_checked(
    agents: list[AgentProcess], tmp_path: pathlib.Path
) -> None:
    good = {"host": "127.0.0.1", "port": agents[0].port}
    calls = len(agents[0].log())
    run = check(
        tmp_path,
        {"endpoints": []},
        {"endpoints": [good, dict(good)]},
        {"endpoints": [good, {"host": "127.0.0.2", "thumbprint": "AB" * 19}]},
        {"endpoints": [good], "host": "127.0.0.1"},
        {"endpoints": [good], "concurrency": 0},
        {"endpoints": [good], "timeout": 0},
        {"endpoints": [{"port": 1}]},
        {"endpoints": [good], "client_key": "/x"},
    )
    sentences = ["is empty", "already", "endpoints[1] (127.0.0.2)", "mutually exclusive", "concurrency of 0",
                 "timeout of 0", "missing required arguments: host", "client_cert"]  # fmt: skip
    for name, sentence in zip("abcdefgh", sentences):
        assert run.facts[name]["failed"] is True
        assert sentence in run.facts[name]["msg"], run.facts[name]
    assert len(agents[0].log()) == calls
