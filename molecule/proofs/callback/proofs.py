# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for every run of every scenario, so that no scenario has to say it: see molecule/proofs/README.md."""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from proofs import processes, running, secrets_shown, state

DOCUMENTATION = """
name: proofs
type: notification
short_description: A check run changes nothing, and no secret shows
description:
  - Fails a run in check mode that touched a host, or that foresees a change right after the same play was applied.
  - Fails any run that shows a secret in its output at C(-vvv --diff), in processes, journals or files of the hosts.
"""


def _or_fail(look: Callable[..., None]) -> Callable[..., None]:
    """Ansible only warns of a callback that breaks, but what was not looked at is not proved."""

    @functools.wraps(look)
    def looking(*arguments: Any) -> None:
        try:
            look(*arguments)
        except Exception as error:
            sys.exit(f"a proof broke down: {error!r}")

    return looking


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "proofs"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        folder = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
        self._applied = folder / "applied"  # the play whose changes the hosts have
        self._log = folder / "ansible.log"
        self._results = folder / "results.log"
        self._playbook = ""
        self._before: dict[str, state.State] = {}
        self._watch: subprocess.Popen[str] | None = None

    @_or_fail
    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._playbook = playbook._file_name
        for log in (self._log, self._results):
            log.write_text("")  # Ansible has its log open already
        if self._must_leave_alone():
            self._before = {host.name: state.look(host) for host in running.hosts()}
        self._watch = subprocess.Popen(
            [sys.executable, processes.__file__, running.prefix(), str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert self._watch.stdin is not None
        self._watch.stdin.write("\n".join(secrets_shown.marks()))
        self._watch.stdin.close()
        self._watch.stdin = None

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep what `-vvv --diff` prints of a result; what it prints beside results is in Ansible's log."""
        shown = self._dump_results(result.result, keep_invocation=True)
        with self._results.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{result.host.get_name()}: {result.task.get_name()}: {shown} {result.result.get('diff')!r}\n")

    v2_runner_on_unreachable = v2_runner_item_on_ok = v2_runner_item_on_failed = v2_runner_on_ok

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.v2_runner_on_ok(result)

    @_or_fail
    def v2_playbook_on_stats(self, stats: Any) -> None:
        hosts = running.hosts()
        problems = self._secrets(hosts)
        if self._must_leave_alone():
            problems += self._touched(hosts)
        if context.CLIARGS["check"]:
            problems += self._foreseen(stats)
        else:
            self._applied.write_text(self._playbook)
        for problem in problems:
            self._display.error(problem, wrap_text=False)
        if problems:
            sys.exit(f"{len(problems)} proofs failed, see molecule/proofs/README.md")

    def _must_leave_alone(self) -> bool:
        """In check mode, and where a playbook says so by its name, since all that it asks for is refused."""
        return context.CLIARGS["check"] or pathlib.Path(self._playbook).name == "nothing_changes.yml"

    def _secrets(self, hosts: list[running.Host]) -> list[str]:
        assert self._watch is not None
        self._watch.terminate()
        shown = [f"a secret shows in {line}" for line in self._watch.communicate(timeout=10)[0].splitlines()]
        patterns = secrets_shown.marks() + secrets_shown.keys(hosts)
        places = [place for host in hosts for place in secrets_shown.in_files(patterns, host)]
        places += [place for host in hosts for place in secrets_shown.in_journal(patterns, host)]
        for log, what in ((self._log, "Ansible's log at -vvv"), (self._results, "a result at -vvv")):
            places += secrets_shown.in_text(patterns, log.read_text(encoding="utf-8", errors="replace"), what)
        return shown + [f"a secret shows in {place}" for place in places]

    def _touched(self, hosts: list[running.Host]) -> list[str]:
        return [
            f"{host.name} was changed: {difference}"
            for host in hosts
            for difference in state.differences(self._before.get(host.name, {}), state.look(host))
        ]

    def _foreseen(self, stats: Any) -> list[str]:
        if not self._applied.exists() or self._applied.read_text() != self._playbook:
            return []  # nothing, or something else, was done to the hosts last
        return [
            f"a check run right after the same play foresees {number} changes of {host}"
            for host, number in sorted(stats.changed.items())
        ]
