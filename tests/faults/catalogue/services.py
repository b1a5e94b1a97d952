# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the agent's host: nothing there, something else there, something broken there."""

from __future__ import annotations

import signal
import socket
import threading
from typing import Any

from entry import fault
from faulty_servers import silent
from stage import PORT, Stage


@fault("closed-port", "refused", "agent", r"refused the connection", fits="port_mismatch")
def closed_port(stage: Stage) -> dict[str, Any]:
    stage.agent()
    return {"port": 10934}


@fault("stopped-service", "refused", "agent", r"refused the connection", fits="not_listening")
def stopped_service(stage: Stage) -> None:
    stage.agent().stop()


@fault("listens-elsewhere", "refused", "agent", r"refused the connection", fits="wrong_address")
def listens_only_to_loopback(stage: Stage) -> None:
    stage.agent(address="127.0.0.1")


@fault("accepts-silently", "unknown", None, r"does not answer the TLS hello", fits="agent_crash")
def accepts_and_says_nothing(stage: Stage) -> None:
    stage.serve(silent)


@fault("frozen-agent", "unknown", None, r"does not answer the TLS hello", fits="agent_crash")
def frozen_agent(stage: Stage) -> None:
    """SIGSTOP: the kernel still accepts connections, the program does not."""
    stage.agent().signal(signal.SIGSTOP)


@fault("slow-agent", "ok", None, r"answers as a Tentacle", finds="slow")
def agent_that_wakes_up_late(stage: Stage) -> dict[str, Any]:
    """Stopped, and continued while somebody waits: as on a host that swaps."""
    agent = stage.agent()
    agent.signal(signal.SIGSTOP)
    threading.Timer(3, agent.signal, [signal.SIGCONT]).start()
    return {"timeout": 8}


@fault("backlog-full", "filtered", "network", r"did not answer")
def backlog_is_full(stage: Stage) -> None:
    """A program that accepts nothing any more: the kernel drops further hellos."""
    host = stage["web01"]
    with host.network:
        listener = socket.socket()
        listener.bind((host.ipv4, PORT))
        listener.listen(0)
        waiting = [socket.socket() for _dummy in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((host.ipv4, PORT))
    stage.keep(listener, *waiting)
