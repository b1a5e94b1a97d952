# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that the agent's own host can name, seen from there: who holds the port, and why the agent does not."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import namespaces
import programs
from diagnosis import run_script
from entry import fault
from faulty_servers import says
from installed import Installation, look_below
from stage import PORT, Stage, listens

THERE = {"seen_from": "web01", "inspect": "always"}

# A process without the rights of root, though it has its number.
POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")

LEFT_OVER = """nohup {python} -c '
import socket, time
while True:
    try:
        listener = socket.create_server(("0.0.0.0", {port}))
        break
    except OSError:
        time.sleep(0.05)
time.sleep(60)
' >/dev/null 2>&1 &
"""


@fault("host-good", "ok", None, r"answers as a Tentacle")
def good_host(stage: Stage) -> dict[str, Any]:
    Installation(stage).start()
    return THERE


@fault("host-stopped", "not_listening", "agent", r"On the host nothing listens")
def service_is_stopped(stage: Stage) -> dict[str, Any]:
    agent = Installation(stage)
    agent.start()
    agent.stop()
    return THERE


@fault("host-missing", "service_missing", "agent", r"no instance of the agent on the host")
def agent_is_not_installed(stage: Stage) -> dict[str, Any]:
    look_below(stage["web01"].directory)
    return THERE


@fault("host-no-such-instance", "service_missing", "agent", r"no instance web99 on the host.*Tentacle")
def instance_of_another_name(stage: Stage) -> dict[str, Any]:
    Installation(stage)
    return {**THERE, "instance": "web99"}


@fault("host-other-port", "port_mismatch", "caller", r"10934")
def agent_is_configured_for_another_port(stage: Stage) -> dict[str, Any]:
    agent = Installation(stage)
    agent.call("configure", "--port=10934")
    agent.start()
    return THERE


@fault("host-no-listen", "wrong_mode", "agent", r"configured not to listen")
def agent_is_told_not_to_listen(stage: Stage) -> dict[str, Any]:
    Installation(stage).call("configure", "--noListen=True")
    return THERE


@fault("host-loopback", "wrong_address", "network", r"listened at on 127\.0\.0\.1 only")
def agent_is_told_to_listen_to_loopback(stage: Stage) -> dict[str, Any]:
    agent = Installation(stage)
    agent.call("configure", "--listenIpAddress=127.0.0.1")
    agent.start()
    return THERE


@fault("host-port-taken", "port_taken", "agent", r"held by process \d+ of .*nginx", needs=["nginx"])
def another_program_has_the_port(stage: Stage) -> dict[str, Any]:
    Installation(stage)
    programs.nginx(stage, "web01", f"server {{ listen {PORT}; }}")
    return THERE


@fault("host-port-taken-silently", "port_taken", "agent", r"held by process \d+")
def program_that_nobody_knows_has_the_port(stage: Stage) -> dict[str, Any]:
    Installation(stage)
    stage.serve(says(b"\x8f\x01\x02"))
    return THERE


@fault(
    "host-left-over",
    "port_taken_zombie",
    "agent",
    r"process \d+ of .*-c import socket.* It was started by a script of the agent",
)
def left_over_of_a_script_has_the_port(stage: Stage) -> dict[str, Any]:
    """A script started something that outlives it and the agent, and took the port when that went."""
    agent = Installation(stage)
    agent.start()
    run_script(stage, LEFT_OVER.format(python=sys.executable, port=PORT))
    agent.stop()
    with agent.host.network:
        _wait_until(lambda: listens(PORT))
    return THERE


@fault("host-key-unreadable", "permissions", "agent", r"identity")
def key_is_unreadable_for_the_account(stage: Stage) -> dict[str, Any]:
    agent = Installation(stage)
    agent.identity.chmod(0)
    agent.call("service", "--install", "--start", "--manager=standalone", before=POWERLESS, check=False)
    return THERE


@fault("host-crashes", "agent_crash", "agent", r"log")
def agent_starts_and_ends_again_and_again(stage: Stage) -> dict[str, Any]:
    """A certificate that is none, and something that starts the agent anew whenever it has ended."""
    agent = Installation(stage)
    agent.identity.write_text("no certificate at all\n", encoding="ascii")
    agent.keep_running()
    return THERE


@fault("host-disk-full", "ok", None, r"answers as a Tentacle", finds="disk_full")
def disk_is_full(stage: Stage) -> dict[str, Any]:
    """The agent still answers; work will fail."""
    _with_a_full_disk(stage)
    return THERE


@fault("disk-full", "disk_full", "agent", r"(?i)no space left|full")
def disk_is_full_as_seen_from_outside(stage: Stage) -> dict[str, Any]:
    """A proof of work meets it."""
    _with_a_full_disk(stage)
    return {"proof": True}


def _with_a_full_disk(stage: Stage) -> None:
    home = stage["web01"].directory / "home"
    home.mkdir()
    namespaces.mount("small", str(home), "tmpfs", "size=2m")
    Installation(stage).start()
    subprocess.run(["dd", "if=/dev/zero", f"of={home / 'filler'}", "bs=4k"], capture_output=True, check=False)


def _wait_until(condition: Any, seconds: float = 10.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise RuntimeError("what had to happen did not happen")
        time.sleep(0.02)
