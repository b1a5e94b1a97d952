# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust, certificate, TLS policy and limits change while the agent runs, and no call that may go on is dropped."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable

import pytest
from agent_process import AgentProcess, Identity
from wire_client import WIRE_HELLO, WireClient

Connect = Callable[..., WireClient]
StartAgent = Callable[..., AgentProcess]


def test_trust_changes_without_a_restart_and_cuts_who_lost_it(
    start_agent: StartAgent, connect: Connect, server_identity: Identity, stranger_identity: Identity
) -> None:
    process = start_agent()
    idle, other = connect(process), connect(process)
    idle.capabilities()
    other.capabilities()
    process.trust([stranger_identity.thumbprint])
    assert idle.ends_by_reset()
    process.wait_for_log("2 connection.* no longer trusted were cut")
    assert connect(process, stranger_identity).capabilities().error is None
    refused = connect(process)
    refused.send(WIRE_HELLO)
    assert refused.read_to_end() == b""


def test_reload_by_signal_and_a_broken_configuration_is_not_used(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    process.configuration_path.write_text("{ broken", encoding="utf-8")
    process.signal(1)
    process.wait_for_log("ERROR .*the previous one stays in force")
    assert connect(process).capabilities().error is None
    process.configure(port=1)
    process.signal(1)
    process.wait_for_log("Restart the agent to use the changed configuration of port")


def test_a_new_certificate_is_shown_without_a_restart(
    start_agent: StartAgent, connect: Connect, stranger_identity: Identity
) -> None:
    process = start_agent()
    before = connect(process)
    before.capabilities()
    aside = process.identity_path.with_suffix(".new")
    aside.write_bytes(stranger_identity.path.read_bytes())
    aside.replace(process.identity_path)
    process.wait_for_log(f"New connections are shown the certificate {stranger_identity.thumbprint}")
    after = connect(process)
    shown = after.sock.getpeercert(binary_form=True)
    assert shown is not None
    assert shown != before.sock.getpeercert(binary_form=True)
    assert after.capabilities().error is None
    assert before.capabilities().error is None


def test_an_idle_connection_is_closed_and_half_a_word_does_not_prolong_it(
    start_agent: StartAgent, connect: Connect
) -> None:
    process = start_agent(idle_seconds=1)
    client = connect(process)
    client.capabilities()
    start = time.monotonic()
    time.sleep(0.6)
    client.send(b"NEX")
    assert client.read_to_end(10) == b""
    assert 0.8 < time.monotonic() - start < 3


def test_tls_policy_counts_for_new_connections_and_ends_no_old_one(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    old = connect(process, version=ssl.TLSVersion.TLSv1_2)
    old.capabilities()
    process.configure(minimum_tls_version="1.3")
    process.wait_for_log("New connections need TLS 1.3 at least")
    with pytest.raises((ssl.SSLError, OSError)):
        connect(process, version=ssl.TLSVersion.TLSv1_2)
    assert connect(process, version=ssl.TLSVersion.TLSv1_3).capabilities().error is None
    assert old.capabilities().error is None
    process.configure(minimum_tls_version="1.2")
    process.wait_for_log("New connections need TLS 1.2 at least")
    assert connect(process, version=ssl.TLSVersion.TLSv1_2).capabilities().error is None


def test_an_agent_that_begins_with_tls_1_3_refuses_1_2(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent(minimum_tls_version="1.3")
    with pytest.raises((ssl.SSLError, OSError)):
        connect(process, version=ssl.TLSVersion.TLSv1_2)
    assert connect(process).capabilities().error is None
    process.wait_for_log("TLS handshake failed: .*(unsupported|version)")


def test_calls_go_on_while_everything_is_read_again(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    clients = [connect(process) for _unused in range(5)]
    for round_number in range(20):
        process.configure(idle_seconds=60 + round_number)
        process.signal(1)
        for client in clients:
            assert client.capabilities().error is None
    process.wait_for_log("The configuration was read again")


def test_a_download_is_broken_off_when_trust_goes(start_agent: StartAgent, connect: Connect) -> None:
    process = start_agent()
    (process.home / "large").write_bytes(bytes(64 * 1024 * 1024))
    client = connect(process)
    client.begin("IFileTransferService", "DownloadFile", "large")
    assert client.read()
    process.trust([])
    process.wait_for_log("1 connection.* no longer trusted were cut")
    assert client.ends_by_reset()


def test_an_unknown_key_is_kept_and_named(start_agent: StartAgent, connect: Connect) -> None:
    """A newer version wrote it; going back to this one has to work."""
    process = start_agent(of_a_newer_version=True)
    process.wait_for_log("WARN .*has the key 'of_a_newer_version', which this version does not know")
    assert connect(process).capabilities().error is None
    process.trust([])
    process.wait_for_log("The configuration was read again")


def test_only_what_cannot_change_asks_for_a_restart(start_agent: StartAgent) -> None:
    process = start_agent()
    process.configure(show_page=False, idle_seconds=7, drain_seconds=8, log_level="debug", minimum_tls_version="1.3")
    process.wait_for_log("The configuration was read again")
    assert "Restart the agent" not in process.log()
