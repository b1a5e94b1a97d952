# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixed load on a live agent for some minutes; memory, descriptors, threads and log are to stay level.

The time zone is chosen so that the agent's midnight falls into the run: its log is put aside under load.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import signal
import sys
import tempfile
import time

from agent_process import AgentProcess, make_identity

from . import watch
from .load import Load, leftovers

MIDNIGHT_AT = 0.4
"""The part of the run behind which it is midnight for the agent."""
WARM_UP = 0.25
SAMPLE_SECONDS = 0.5
SETTLE_SECONDS = 30
NOISE = re.compile(r" ERROR | FATAL |Traceback")
LINES_FOR_CALLS, LINES_FOR_CONNECTIONS, LINES_FOR_STRANGERS = 0.02, 1.2, 0.3
"""Lines of the log that one of these may cause: a connection says who came, strangers are told of once a minute."""
LINES_FOR_RELOADS, LINES_AT_LEAST = 6, 60


def main(arguments: list[str] | None = None) -> int:
    """0: everything stayed level; 1: something did not."""
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))  # so that the agent is ended on SIGTERM as well
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=float, default=30.0, metavar="MINUTES")
    seconds = parser.parse_args(arguments).minutes * 60
    with tempfile.TemporaryDirectory(prefix="tentacle-soak-") as path:
        problems = _soak(pathlib.Path(path), seconds)
    for problem in problems:
        print(f"NOT WELL: {problem}")
    print("everything stayed level" if not problems else f"{len(problems)} things did not stay level", flush=True)
    return int(bool(problems))


def _soak(directory: pathlib.Path, seconds: float) -> list[str]:
    server = make_identity(directory / "server.pem")
    others = make_identity(directory / "other.pem"), make_identity(directory / "stranger.pem", "Stranger", "ec")
    environment = {"TZ": zone_with_midnight_in(seconds * MIDNIGHT_AT)}
    with AgentProcess(directory, [server.thumbprint], environment=environment) as agent:
        load = Load(agent, server, *others)
        idle = watch.sample(agent, 0)
        load.begin()
        samples = _watch(agent, load, seconds)
        load.end()
        problems = load.problems[:10]
        trends = watch.trends(samples, max(seconds * WARM_UP, min(20.0, seconds / 2)))
        for trend in trends:
            print(f"  {trend}")
        problems += [f"{trend}" for trend in trends if not trend.flat]
        problems += _settle(agent, idle)
        problems += [f"left in Work: {name}" for name in leftovers(agent.home)[:5]]
    problems += _judge_log(agent.home / "Logs", load)
    return problems


def _watch(agent: AgentProcess, load: Load, seconds: float) -> list[watch.Sample]:
    samples: list[watch.Sample] = []
    began = said = time.monotonic()
    every = 60.0 if seconds > 120 else 15.0
    while (now := time.monotonic()) - began < seconds and agent.running() and len(load.problems) < 20:
        samples.append(watch.sample(agent, now - began))
        if now - said >= every:
            said += every
            one = samples[-1]
            print(f"{(now - began) / 60:5.1f} min  {one.memory_mib:6.1f} MiB  {one.descriptors:3} descriptors  "
                  f"{one.threads:3} threads  {load.calls:7} calls  {load.counts['connections']:6} connections  "
                  f"{load.counts['strangers']:5} strangers  {load.counts['reloads']:4} reloads  "
                  f"{len(load.problems)} problems", flush=True)
        time.sleep(SAMPLE_SECONDS)
    if not agent.running():
        load.problems.append("the agent has ended")
    return samples


def _settle(agent: AgentProcess, idle: watch.Sample) -> list[str]:
    """When everybody has gone, it holds what it held before anybody came, but for workers and the lobby it keeps."""
    limit = time.monotonic() + SETTLE_SECONDS
    descriptors, threads = idle.descriptors + 3, idle.threads + 9
    while time.monotonic() < limit:
        now = watch.sample(agent, 0)
        if now.descriptors <= descriptors and now.threads <= threads:
            print(f"  afterwards: descriptors {idle.descriptors} -> {now.descriptors}, threads {idle.threads} -> "
                  f"{now.threads}")
            return []
        time.sleep(0.5)
    return [f"after the load it holds {now.descriptors} descriptors and {now.threads} threads, before it "
            f"{idle.descriptors} and {idle.threads}"]


def _judge_log(directory: pathlib.Path, load: Load) -> list[str]:
    logs = sorted(directory.glob("OctopusTentacle*.txt"))
    text = "".join(path.read_text(encoding="utf-8") for path in logs)
    lines, counts = text.count("\n"), load.counts
    allowed = int(load.calls * LINES_FOR_CALLS + counts["connections"] * LINES_FOR_CONNECTIONS + LINES_AT_LEAST
                  + counts["strangers"] * LINES_FOR_STRANGERS + counts["reloads"] * LINES_FOR_RELOADS)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    for_each = lines / (load.calls or 1)
    print(f"  log: {lines} lines (allowed {allowed}) in {len(logs)} files, {for_each:.3f} for each call")
    print(f"  load: {told}")
    problems = []
    noise = NOISE.search(text)
    if noise:
        problems.append(f"the log has an error: {text[max(noise.start() - 100, 0) :][:1500]}")
    if lines > allowed:
        problems.append(f"the log has {lines} lines, {allowed} are allowed")
    if len(logs) != 2:
        problems.append(f"at midnight the log should have been put aside once; its files: {[log.name for log in logs]}")
    return problems


def zone_with_midnight_in(seconds: float) -> str:
    """A time zone in which the day changes so many seconds from now."""
    west = int(time.time() + seconds) % 86400
    return f"SOAK{west // 3600:02}:{west // 60 % 60:02}:{west % 60:02}"


if __name__ == "__main__":
    sys.exit(main())
