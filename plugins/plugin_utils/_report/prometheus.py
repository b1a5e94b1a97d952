# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report in Prometheus' text format, for the textfile collector of node_exporter.

This module is **private** to the collection.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any

from .document import Document

Sample = tuple[dict[str, Any], float]


def render(document: Document) -> str:
    """All metrics, each with help and type, without timestamps, as the textfile collector wants them."""
    results = document["results"]
    totals = document["totals"]
    causes = {"ok": totals["ok"], **totals["causes"]}
    lines: list[str] = []

    def add(name: str, explained: str, samples: Iterable[Sample]) -> None:
        listed = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        if listed:
            lines.extend((f"# HELP {name} {explained}", f"# TYPE {name} gauge", *listed))

    add("tentacle_checked_timestamp_seconds", "When the check began.", _moment({}, document["checked_at"]))
    add("tentacle_endpoints", "Endpoints by cause; ok needs no repair.", [({"cause": c}, n) for c, n in causes.items()])
    add("tentacle_ok", "Whether the endpoint needs no repair.", _each(results, lambda result: result["cause"] == "ok"))
    add(
        "tentacle_cause",
        "The first thing to repair, as a label; always 1.",
        [({**_place(result), "cause": result["cause"], "side": result.get("side") or ""}, 1) for result in results],
    )
    add("tentacle_check_seconds", "How long the check took.", _each(results, lambda result: result.get("seconds") or 0))
    add("tentacle_findings", "Further findings.", _each(results, lambda result: len(result["findings"])))
    for name in ("not_before", "not_after"):
        add(
            f"tentacle_certificate_{name}_timestamp_seconds",
            f"The date {name} of the certificate that was presented.",
            [sample for result in results for sample in _moment(_place(result), _date(result, name))],
        )
    return "\n".join(lines) + "\n"


def _each(results: Iterable[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> list[Sample]:
    return [(_place(result), value(result)) for result in results]


def _place(result: dict[str, Any]) -> dict[str, Any]:
    return {"name": result["name"], "host": result["host"], "port": result["port"]}


def _date(result: dict[str, Any], name: str) -> Any:
    return (result["certificate"] or {}).get(name)


def _moment(labels: dict[str, Any], text: Any) -> list[Sample]:
    """One sample for a date in ISO 8601, none for what is no date."""
    try:
        moment = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return []
    return [(labels, moment.timestamp())]


def _labels(labels: dict[str, Any]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: Any) -> str:
    return str(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return repr(float(value)) if value != int(value) else str(int(value))
