# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a script's log says while the script waits for its turn (docs/protocol/tentacle-services.md §2.11).

The three lines of asking are fixed; the wording of the others is ours. Names of tasks are links, which the server's
page of the waiting task makes clickable.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...isolation import Claim

_VERBOSE, _WAITING, _ORDINARY = (f"##octopus[stdout-{mode}]" for mode in ("verbose", "wait", "default"))


def asking(name: str, claim: Claim) -> list[str]:
    """The lines written when a script asks for the mutex."""
    level = "FullIsolation" if claim.exclusive else "NoIsolation"
    return [_VERBOSE, f"Acquiring isolation mutex {name} with {level} in {claim.task}", _ORDINARY]


def busy(claim: Claim) -> list[str]:
    """The lines written when a script does not get the mutex at once, and again every few minutes."""
    return [_WAITING, f"This script cannot start yet: {_reason(claim)}. It starts when its turn comes.", _ORDINARY]


def timed_out(claim: Claim, seconds: float) -> str:
    """The line written when the server's patience has ended; tells whole minutes."""
    minutes = int(seconds // 60)
    waited = f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"This script was given up after it had waited {waited} to start: {_reason(claim)}."


def cancelled(claim: Claim) -> str:
    """The line written when the server ends the wait."""
    return f"This script was canceled before it could start: {_reason(claim)}."


def _reason(claim: Claim) -> str:
    tasks, alone = claim.blockers()
    if not tasks:
        return "its turn has just come"
    verb = "is" if len(tasks) == 1 else "are"
    own = tasks == [claim.task]
    subject = "another script of This Task is" if own else f"{_listed(tasks, claim.task)} {verb}"
    if claim.exclusive:
        return f"{subject} still running, and this script has to run alone"
    if alone:
        return f"{subject} running or about to run a script that has to run alone"
    return f"{subject} still running"


def _listed(tasks: Sequence[str], own: str) -> str:
    names = ["This Task" if task == own else f"[{task}](~/app#/tasks/{task})" for task in tasks]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
