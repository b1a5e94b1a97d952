# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The step `target`: look at the agent's own host, where the check is made there."""

from __future__ import annotations

import os

from .result import FAILED, Result, Stopwatch

AUTO, ALWAYS, NEVER = "auto", "always", "never"
CHOICES = (AUTO, ALWAYS, NEVER)

_ON_HOST = ("loopback", "own_address")


def look(result: Result, mode: str, instance: str | None = None, source: str | None = None) -> None:
    """Look at this host where it is the agent's; `source` is the address that its packet filter is asked about.

    With `auto` that is the case where the agent's address is one of this host's and an instance has the port.
    """
    if mode == NEVER:
        result.skip("target", "Not asked for.")
        return
    if mode == AUTO and result.facts.position not in _ON_HOST:
        result.skip("target", "The check was not made on the agent's own host.")
        return
    port = result.endpoint.port
    if mode == AUTO and instance is None and not _is_known(port):
        result.skip("target", "No instance on this host has this port.")
    else:
        # Only here, and in `_is_known`: it is large, and most checks are made from elsewhere.
        from .host_facts import gather
        from .host_findings import conclude, summary

        with Stopwatch(result, "target") as step:
            facts = gather(port, instance)
            if source is not None:
                facts.firewall = ask_firewall(source, port)
            result.facts.target = facts.as_dict()
            step.evidence = summary(facts)
            before = result.cause
            conclude(result, facts, instance)
            if result.cause != before:
                step.status = FAILED


def _is_known(port: int) -> bool:
    """Whether this host has an instance for that port: then it is worth looking at unasked."""
    from .._instance import paths

    if not any(os.path.isdir(paths.records_directory(place)) for place in (paths.MACHINE, None)):
        return False
    from .host_facts import is_known  # which has to read the configurations

    return is_known(port)


def ask_firewall(source: str, port: int) -> dict[str, str]:
    """What this host's packet filter does with a new connection from `source`, an IP address. Only reads."""
    from .._firewall.verdict import judge  # only here: it is large, and seldom asked for

    verdict = judge(source, port)
    return {"source": source, "verdict": verdict.word, "evidence": verdict.evidence}
