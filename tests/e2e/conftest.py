# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What end-to-end tests share: identities made once, and agents that are ended whatever happens."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agent_process import AgentProcess, Identity, make_identity
from ansible_command import connection_options
from identities import MadeIdentity, make
from rollout import Rollout, install_collection
from script_client import Open, Scripts
from wire_client import WireClient


@pytest.fixture(scope="session")
def server_identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """The identity of the server that agents in tests trust."""
    return make_identity(tmp_path_factory.mktemp("server") / "server.pem")


@pytest.fixture(scope="session")
def stranger_identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """An identity that no agent trusts."""
    return make_identity(tmp_path_factory.mktemp("stranger") / "stranger.pem", "Stranger")


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> MadeIdentity:
    """An identity for both sides of a conversation, with the DER of its certificate."""
    return make(tmp_path_factory.mktemp("identity") / "identity.pem", "Recorded")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, server_identity: Identity) -> Iterator[AgentProcess]:
    """A running agent that trusts `server_identity`; one for all tests of a file."""
    with AgentProcess(tmp_path_factory.mktemp("shared"), [server_identity.thumbprint]) as process:
        yield process


@pytest.fixture
def connection(agent: AgentProcess, server_identity: Identity) -> dict[str, Any]:
    """The options of a module that calls `agent` as the server that it trusts."""
    return connection_options(agent, server_identity)


@pytest.fixture
def start_agent(tmp_path: pathlib.Path, server_identity: Identity) -> Iterator[Callable[..., AgentProcess]]:
    """Starts agents of a test's own; keywords as `AgentProcess` takes them.

    `before(directory)` is called with the directory of configuration and identity before the start.
    """
    started: list[AgentProcess] = []

    def start(**keywords: Any) -> AgentProcess:
        directory = tmp_path / f"agent{len(started)}"
        directory.mkdir(exist_ok=True)
        before = keywords.pop("before", None)
        process = AgentProcess(directory, keywords.pop("trusted", [server_identity.thumbprint]), **keywords)
        if before is not None:
            before(process.directory)
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def connect(server_identity: Identity) -> Iterator[Callable[..., WireClient]]:
    """Opens connections to an agent as the trusted server, and closes them after the test."""
    opened: list[WireClient] = []

    def open_one(process: AgentProcess, identity: Any = server_identity, **keywords: Any) -> WireClient:
        client = WireClient(process.port, identity.path if identity else None, **keywords)
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()


@pytest.fixture
def another(agent: AgentProcess, connect: Callable[..., WireClient]) -> Iterator[Open]:
    """Opens further connections whose tickets belong to the same test; their scripts are ended with it."""
    prefix = os.urandom(4).hex()
    opened: list[Scripts] = []

    def open_one() -> Scripts:
        scripts = Scripts(connect(agent))
        scripts.prefix = prefix
        opened.append(scripts)
        return scripts

    yield open_one
    last = Scripts(connect(agent))
    last.prefix = prefix
    for ticket in {ticket for scripts in opened for ticket in scripts.started}:
        last.cancel(ticket)
        last.until(ticket)
        last.complete(ticket)


@pytest.fixture
def scripts(another: Open) -> Scripts:
    return another()


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory of collections with this one in it."""
    return install_collection(tmp_path_factory.mktemp("collections"))


@pytest.fixture
def rollout(tmp_path: pathlib.Path, collections: pathlib.Path, server_identity: Identity) -> Iterator[Rollout]:
    """Runs of the role for one host of the test's own; its agent is ended whatever happens."""
    made = Rollout(tmp_path, collections, [server_identity.thumbprint])
    yield made
    made.end()
