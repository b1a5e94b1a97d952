# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between two reports.

This module is **private** to the collection.
"""

from __future__ import annotations

from typing import Any

from .document import Document, key

KINDS = ("broken", "repaired", "other_cause", "new_certificate", "added", "removed")


def compare(before: Document, after: Document) -> dict[str, Any]:
    """Every endpoint whose state differs, by kind of change; an endpoint can be in two of them.

    `broken` was ok, `repaired` is ok, `other_cause` needs repair as before but for another reason;
    `new_certificate` shows another certificate than before; `added` and `removed` are in one report only.
    """
    old = {key(result): result for result in before["results"]}
    new = {key(result): result for result in after["results"]}
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for place, result in new.items():
        if place not in old:
            found["added"].append(_entry(result, None, result["cause"]))
            continue
        was = old[place]
        kind = _kind(was["cause"], result["cause"])
        if kind:
            found[kind].append(_entry(result, was["cause"], result["cause"]))
        if was["thumbprint"] and result["thumbprint"] and was["thumbprint"] != result["thumbprint"]:
            found["new_certificate"].append(_entry(result, was["thumbprint"], result["thumbprint"]))
    found["removed"] = [_entry(result, result["cause"], None) for place, result in old.items() if place not in new]
    return {"since": before["checked_at"], **found}


def _kind(before: str, after: str) -> str | None:
    if before == after:
        return None
    if before == "ok":
        return "broken"
    return "repaired" if after == "ok" else "other_cause"


def _entry(result: dict[str, Any], before: str | None, after: str | None) -> dict[str, Any]:
    return {
        "name": result["name"],
        "host": result["host"],
        "port": result["port"],
        "before": before,
        "after": after,
    }
