# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of ansible-playbook, shown as phases with their seconds and the live lines of scripts.

Everything that Ansible itself says goes to a log file. What happens is learnt from the callback plugin beside this
file, which writes one JSON line an event; the live lines are those that the collection's action plugins print.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from typing import Any

import surroundings
from surroundings import DemoError

# (in a role, file of the task or "", action or "") -> phase; the first that fits
_PHASES = (
    (False, "stranger", "tentacle_verify", "stranger"),
    (False, "", "tentacle_certificate", "server"),
    (False, "", "tentacle_deploy", "package"),
    (False, "", "tentacle_script", "deploy"),
    (False, "", "assert", "fetch"),
    (True, "platform", "", "preflight"),
    (True, "variables", "", "preflight"),
    (True, "", "tentacle_preflight", "preflight"),
    (True, "install", "", "install"),
    (True, "", "tentacle_instance", "configure"),
    (True, "", "tentacle_certificate", "certificate"),
    (True, "", "tentacle_trust", "trust"),
    (True, "run", "", "start"),
    (True, "verify", "", "verify"),
)
_EVENT_MARK = "\x1e"
_LIVE = re.compile(r"  (?P<host>\S+) (?P<mark>[|!>]) (?P<text>.*)")
_DIRECTIVE = re.compile(r"##octopus\[stdout-(?P<kind>\w+)\]")
_GOODBYE_SECONDS = 20


class Run:
    """What a run has shown so far; ``facts`` holds, for each host, what its results said by phase."""

    def __init__(self) -> None:
        self.facts: dict[str, dict[str, dict[str, Any]]] = {}
        self.failures: list[str] = []
        self.stats: dict[str, dict[str, int]] = {}

    @property
    def changed(self) -> dict[str, int]:
        return {host: numbers["changed"] for host, numbers in self.stats.items()}


class _Screen:
    """Phases as lines: name, then seconds and what changed as soon as the next one begins."""

    def __init__(self) -> None:
        self._phase = ""
        self._since = 0.0
        self._changed: set[str] = set()
        self._lines_below = False
        self._verbose: set[str] = set()

    def enter(self, phase: str) -> None:
        if phase == self._phase:
            return
        self.leave()
        self._phase, self._since, self._changed, self._lines_below = phase, time.monotonic(), set(), False
        print(f"  {phase:<12}", end="", flush=True)

    def leave(self) -> None:
        """Finish the line of the phase."""
        if self._phase:
            seconds = time.monotonic() - self._since
            changed = f"changed {', '.join(sorted(self._changed))}" if self._changed else "ok"
            indent = " " * 14 if self._lines_below else ""
            print(f"{indent}{seconds:5.1f} s  {changed}", flush=True)
        self._phase = ""

    def changed(self, host: str) -> None:
        self._changed.add(host)

    def line(self, host: str, mark: str, text: str) -> None:
        """A line of a script, below the phase; what a server shows in verbose logs only is left out."""
        directive = _DIRECTIVE.fullmatch(text)
        if directive:
            (self._verbose.add if directive["kind"] == "verbose" else self._verbose.discard)(host)
        if directive or host in self._verbose:
            return
        if self._phase and not self._lines_below:
            print()
        self._lines_below = True
        print(f"    {host} {mark} {text}", flush=True)

    @property
    def phase(self) -> str:
        return self._phase


def run(playbook: str, log: pathlib.Path) -> Run:
    """Run a playbook of the demo to its end. Raises DemoError with the failures of the hosts and the log's path."""
    outcome, screen = Run(), _Screen()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "ansible", "playbook", str(surroundings.HERE / playbook)],
            cwd=surroundings.PLACE,
            env=surroundings.environment(ANSIBLE_CALLBACKS_ENABLED="demo_events", ANSIBLE_NOCOLOR="1"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is ours: we end Ansible first, then the hosts
        )
        try:
            for line in process.stdout or ():
                if line.startswith(_EVENT_MARK):
                    _take(json.loads(line[1:]), outcome, screen)
                else:
                    file.write(line)
                    file.flush()
                    _show(line.rstrip("\n"), screen)
            process.wait()
        finally:
            _end(process)
            screen.leave()
    if process.returncode or outcome.failures:
        told = outcome.failures or [f"ansible-playbook ended with {process.returncode}"]
        sentences = "".join(f"    {sentence}\n" for sentence in told)
        raise DemoError(f"{playbook} failed:\n{sentences}  Everything that Ansible said is in {log}")
    return outcome


def _take(event: dict[str, Any], outcome: Run, screen: _Screen) -> None:
    kind, host = event["event"], event.get("host", "")
    if kind == "task":
        phase = _phase_of(event)
        if phase:
            screen.enter(phase)
    elif kind in ("ok", "failed"):
        outcome.facts.setdefault(host, {}).setdefault(screen.phase, {}).update(event["facts"])
        if event["changed"]:
            screen.changed(host)
        if kind == "failed" and not event["ignored"]:
            outcome.failures.append(f"{host}: {event['facts'].get('msg') or event['facts']}")
    elif kind == "stats":
        outcome.stats = event["hosts"]


def _phase_of(event: dict[str, Any]) -> str:
    for in_role, file, action, phase in _PHASES:
        if event["role"] == in_role and event["file"].startswith(file) and action in ("", event["action"]):
            return phase
    return ""


def _show(line: str, screen: _Screen) -> None:
    live = _LIVE.fullmatch(line)
    if live:
        screen.line(live["host"], live["mark"], live["text"])


def _end(process: subprocess.Popen[str]) -> None:
    """Nothing of this run is left, not even when it is broken off."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(_GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stdout:
        process.stdout.close()
