# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inputs against the core in several processes, as fast as they go, and collects what broke a promise."""

from __future__ import annotations

import multiprocessing
import os
import queue
import resource
import signal
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from . import conversation
from .conversation import SERIES, Input, Violation

BLOCK = 128 * SERIES
STUCK_SECONDS = 10
"""CPU seconds in which a whole series has to be done; it takes some milliseconds."""
SLOW_SECONDS = 1.0
"""CPU seconds that one input may take: the worst allowed request, 250,000 elements, takes about a third."""
LOOK_SECONDS = 0.2
GROWTH_MIB = 32
"""MiB by which a process may grow after its first blocks. Inputs are below 100 KB and none is kept."""
ADDRESS_SPACE = 1 << 30
WARM_UP_BLOCKS = 4
MOST_FINDINGS = 20


class Finding(NamedTuple):
    """An input that broke a promise; `place` tells kinds of findings apart."""

    number: int
    place: str
    text: str


class Report(NamedTuple):
    """What a worker did in one block."""

    inputs: int
    events: int
    seconds: float
    slowest: float
    growth_mib: float
    findings: list[Finding]


class Total:
    """The sum of all reports."""

    def __init__(self) -> None:
        self.inputs = self.events = 0
        self.cpu_seconds = self.slowest = self.growth_mib = 0.0
        self.findings: dict[str, Finding] = {}

    def add(self, report: Report) -> None:
        """Take over one report."""
        self.inputs += report.inputs
        self.events += report.events
        self.cpu_seconds += report.seconds
        self.slowest = max(self.slowest, report.slowest)
        self.growth_mib = max(self.growth_mib, report.growth_mib)
        for finding in report.findings:
            self.findings.setdefault(finding.place, finding)


def run(seed: int, first: int, count: int, processes: int, show: Callable[[Total], None]) -> Total:
    """Run the inputs `first` to `first + count`; `show` is called now and then. Stops at twenty kinds of findings."""
    first -= first % SERIES
    context = multiprocessing.get_context("fork")
    reports: Any = context.Queue()
    workers = [context.Process(target=_work, args=(seed, first + number * BLOCK, first + count, processes, reports),
                               daemon=True) for number in range(processes)]
    for worker in workers:
        worker.start()
    total, ended = Total(), 0
    try:
        while ended < processes and len(total.findings) < MOST_FINDINGS:
            try:
                report = reports.get(timeout=5)
            except queue.Empty:
                dead = [worker for worker in workers if worker.exitcode]
                if dead:
                    place = f"the process died ({dead[0].exitcode})"
                    total.findings[place] = Finding(-1, place, place)
                    break
                continue
            if report is None:
                ended += 1
            else:
                total.add(report)
                show(total)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
    return total


def _work(seed: int, first: int, end: int, processes: int, reports: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    signal.signal(signal.SIGVTALRM, _stuck)
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + ADDRESS_SPACE,) * 2)
    baseline = None
    for number, start in enumerate(range(first, end, processes * BLOCK)):
        report = run_block(seed, start, min(start + BLOCK, end))
        if number == WARM_UP_BLOCKS:
            baseline = resident_mib()
        growth = resident_mib() - baseline if baseline is not None else 0.0
        findings = report.findings
        if growth > GROWTH_MIB:
            findings = [*findings, Finding(start, "memory", f"the process has grown by {growth:.0f} MiB")]
        reports.put(report._replace(growth_mib=growth, findings=findings[:MOST_FINDINGS]))
    reports.put(None)


def run_block(seed: int, start: int, end: int) -> Report:
    """The inputs from `start` (a multiple of SERIES) up to `end`."""
    began, slowest, events = time.process_time(), 0.0, 0
    findings: list[Finding] = []
    clock, check = time.perf_counter, conversation.check
    for first in range(start, end, SERIES):
        signal.setitimer(signal.ITIMER_VIRTUAL, STUCK_SECONDS)
        for number, item in enumerate(conversation.series(seed, first), first):
            before = clock()
            try:
                events += check(item)
            except Exception as problem:
                findings.append(Finding(number, place_of(problem), describe(problem)))
                continue
            passed = clock() - before
            if passed > slowest:
                slowest = passed
                if passed > LOOK_SECONDS and (spent := cpu_seconds(item)) > SLOW_SECONDS:
                    findings.append(Finding(number, "slow", f"takes {spent:.1f} s of CPU time"))
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return Report(end - start, events, time.process_time() - began, slowest, 0.0, findings)


def cpu_seconds(item: Input) -> float:
    """CPU time of one input, whatever else the machine does."""
    began = time.process_time()
    conversation.check(item)
    return time.process_time() - began


def place_of(problem: Exception) -> str:
    """Where a promise was broken: the same for inputs that show the same fault."""
    kind = type(problem).__name__
    if isinstance(problem, Violation):
        return f"{kind}: {str(problem)[:40]}"
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{kind} at {os.path.basename(last.filename)}:{last.lineno}"


def describe(problem: Exception) -> str:
    """What happened, with the end of the traceback where it is no broken promise of ours."""
    if isinstance(problem, Violation):
        return str(problem)
    return "".join(traceback.format_exception(type(problem), problem, problem.__traceback__, limit=-3))


def _stuck(*_unused: object) -> None:
    raise Violation(f"a series takes more than {STUCK_SECONDS} s of CPU time")


def resident_mib() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def address_space() -> int:
    """Bytes of address space of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
