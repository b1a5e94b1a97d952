# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a task wants of the host's firewall: compared, made, and read back.

This module util is **private** to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ._firewall import detection, verdict
from ._firewall.base import Backend, Snapshot, changes, filled
from ._firewall.errors import CommandError
from ._firewall.host import Host
from ._firewall.rule import Name, Rule

# A diff is for eyes: of more lines than this, the rest is counted.
_MOST_SHOWN = 40
# Verdicts cost a look at the whole ruleset each.
_MOST_JUDGED = 16


class Wish(NamedTuple):
    """The options of a task. ``rule`` None: there shall be none (``absent``), or nothing is changed (``report``)."""

    name: Name
    rule: Rule | None
    backend: str
    changing: bool
    check_mode: bool = False
    zone: str | None = None
    reload: bool = False


def fulfil(wish: Wish, host: Host) -> dict[str, Any]:
    """Bring the firewall to what is wished, or read how it stands. Raises FirewallError, StorageError."""
    chosen = _chosen(wish, host)
    notes: list[str] = []
    backends = _backends(wish, host, chosen.word)
    before = {}
    for backend in list(backends):
        try:
            before[backend.word] = filled(backend.read())
        except CommandError as error:
            if not _looks_everywhere(wish):
                raise
            backends.remove(backend)
            notes.append(f"{backend.word} was left out: {error}")
    after = before
    if wish.changing:
        after = {backend.word: filled(backend.plan(wish.rule)) if wish.rule else {} for backend in backends}
    changed = [backend for backend in backends if changes(before[backend.word], after[backend.word])]
    if not wish.check_mode:
        for backend in changed:
            _apply(backend, before[backend.word], after[backend.word], wish.rule)
    return {
        "changed": bool(changed),
        "backend": chosen.word,
        "reason": chosen.reason,
        "rule": wish.name.title,
        "present": any(after.values()),
        "notes": list(dict.fromkeys([*notes, *(note for backend in backends for note in backend.notes)])),
        "diff": {"before": _shown(before), "after": _shown(after)},
    }


def _chosen(wish: Wish, host: Host) -> detection.Detection:
    if wish.backend != detection.AUTO:
        return detection.Detection(wish.backend, "It was asked for with 'backend'.")
    try:
        return detection.detect(host)
    except CommandError as error:
        if not _looks_everywhere(wish):
            raise
        return detection.Detection(detection.NONE, str(error))


def _looks_everywhere(wish: Wish) -> bool:
    """Removing and reporting do: the firewall may have been another one when the rule was made."""
    return wish.rule is None and wish.backend == detection.AUTO


def _backends(wish: Wish, host: Host, word: str) -> list[Backend]:
    if _looks_everywhere(wish):
        return detection.all_there(host, wish.name)
    if word == detection.NONE:
        return []
    return [detection.backend(word, host, wish.name, wish.zone, wish.reload)]


def _apply(backend: Backend, before: Snapshot, after: Snapshot, rule: Rule | None) -> None:
    backend.apply(before, after, rule)
    left = filled(backend.read())
    if changes(left, after):
        raise CommandError(
            f"The rule '{backend.name.title}' was written to {backend.word}, but reading it back gives "
            f"{_shown({'': left})} instead of {_shown({'': after})}. Something else changes this firewall at the same "
            "time, probably: run the task again."
        )


def judge(sources: Sequence[str], port: int, host: Host) -> list[dict[str, str]]:
    """The filter's verdict for each of some sources."""
    found = []
    for source in sources[:_MOST_JUDGED]:
        word, evidence = verdict.judge(source, port, host)
        found.append({"source": source, "verdict": word, "evidence": evidence})
    return found


def _shown(snapshots: dict[str, Snapshot]) -> str:
    lines = []
    for word, snapshot in snapshots.items():
        for place, texts in snapshot.items():
            shown = [text if len(text) <= 400 else f"{text[:400]}... ({len(text)} characters)" for text in texts]
            lines += [" ".join(part for part in (word, place) if part), *(f"  {text}" for text in shown[:_MOST_SHOWN])]
            if len(shown) > _MOST_SHOWN:
                lines.append(f"  and {len(shown) - _MOST_SHOWN} more")
    return "".join(f"{line}\n" for line in lines)
