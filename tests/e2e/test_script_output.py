# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Much output, and odd output (docs/protocol/tentacle-services.md §2.5, §2.9)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from agent_process import AgentProcess
from script_client import PATIENCE, Open, Scripts, lines
from wire_client import WireClient

FLOOD = "head -c 50000000 /dev/zero | tr '\\0' x | fold -w 999"


def test_a_flood_of_50_mb_neither_fills_the_memory_nor_keeps_other_calls(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient]
) -> None:
    agent = start_agent()
    scripts, other = Scripts(connect(agent)), connect(agent)
    assert other.capabilities().error is None
    before, most = agent.resident_kib(), 0
    slowest, stop = [0.0], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            start = time.monotonic()
            assert other.capabilities().error is None
            slowest[0] = max(slowest[0], time.monotonic() - start)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        scripts.start("t", FLOOD, wait=None)
        sequence, received, state = 0, 0, 0
        limit = time.monotonic() + 3 * PATIENCE
        while state != 2:
            assert time.monotonic() < limit
            status = scripts.status("t", sequence)
            sequence, state = status.next_log_sequence, status.state
            received += sum(len(line.text) for line in status.logs if line.text.startswith("x"))
            most = max(most, agent.resident_kib())
        assert received == 50_000_000
        whole = scripts.status("t")
    finally:
        stop.set()
        asking.join()
    assert sum(len(text) for text in lines(whole)) == 50_000_000
    assert max(most, agent.resident_kib()) - before < 48 * 1024
    assert slowest[0] < 2


def test_each_stream_keeps_its_order_and_every_line_has_its_time(scripts: Scripts) -> None:
    done = scripts.start("t", "for i in $(seq 200); do echo o$i; echo e$i >&2; done")
    assert lines(done, 0) == [f"o{number}" for number in range(1, 201)]
    assert lines(done, 1) == [f"e{number}" for number in range(1, 201)]
    times = [line.occurred for line in done.logs]
    assert times == sorted(times)


def test_odd_bytes_arrive_as_net_reads_them(scripts: Scripts) -> None:
    body = r"printf '\xef\xbb\xbfmark\r\nreturn\rnext\n\n\xe2\x82\na\0b\x1b[1m\xf0\x9f\x98\x80\xc3'"
    assert lines(scripts.start("t", body)) == [
        "\ufeffmark", "return", "next", "", "\ufffd", "a\0b\x1b[1m\U0001f600\ufffd"]


def test_service_messages_pass_unchanged(scripts: Scripts) -> None:
    message = "##octopus[setVariable name='YQ==' value='Yg==']"
    assert lines(scripts.start("t", f'echo "{message}"; echo " {message} "')) == [message, f" {message} "]


def test_a_script_that_closes_its_streams_completes_when_it_exits(scripts: Scripts) -> None:
    done = scripts.start("t", "echo begun; exec >&- 2>&-; sleep 0.3; exit 9")
    assert (done.state, done.exit_code, lines(done)) == (2, 9, ["begun"])


def test_a_script_that_deletes_its_workspace_keeps_its_exit_code(agent: AgentProcess, scripts: Scripts) -> None:
    done = scripts.start("t", 'echo begun; rm -rf "$PWD"; echo ended; exit 3')
    assert (done.state, done.exit_code, lines(done)[:2]) == (2, 3, ["begun", "ended"])
    assert scripts.status("t").exit_code == 3
    assert not (agent.home / "Work" / scripts.name("t")).exists()


def test_many_scripts_at_once_each_have_their_own_log(another: Open) -> None:
    clients = [another() for _unused in range(12)]
    for number, client in enumerate(clients):
        client.start(f"t{number}", f"for i in 1 2 3; do echo {number}; sleep 0.1; done", wait=None)
    for number, client in enumerate(clients):
        assert lines(client.until(f"t{number}")) == [str(number)] * 3
