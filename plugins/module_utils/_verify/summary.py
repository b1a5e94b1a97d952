# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What many results say together: totals, certificates, and identities that hosts share.

Works on results as dictionaries, so that those of several runs can be put together and give what one run gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .causes import CAUSES

SHARED = "shared_identity"
NAMES_SHOWN = 5

FleetResult = dict[str, Any]  # `Result.as_dict()`, with `name`, `attempts` and `evidence_alone`


def totals(results: Sequence[FleetResult]) -> dict[str, Any]:
    """How many there are, how many are good, and how often each cause and each further finding occurs."""
    causes = Counter(result["cause"] for result in results)
    findings = Counter(finding["cause"] for result in results for finding in result["findings"])
    good = causes.pop("ok", 0)
    return {
        "endpoints": len(results),
        "ok": good,
        "to_repair": len(results) - good,
        "causes": _ranked(causes),
        "findings": _ranked(findings),
    }


def sentence(results: Sequence[FleetResult]) -> str:
    """One line for people: how many are good, and who is not, by cause."""
    bad: dict[str, list[str]] = {}
    for result in results:
        if result["cause"] != "ok":
            bad.setdefault(result["cause"], []).append(result["name"])
    good = len(results) - sum(map(len, bad.values()))
    begin = f"{good:,} of {len(results):,} endpoints are ok."
    parts = [
        f"{word} {len(names):,} ({_some(names)})"
        for word, names in sorted(bad.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return f"{begin} To repair: {'; '.join(parts)}." if parts else begin


def certificates(results: Sequence[FleetResult]) -> list[dict[str, Any]]:
    """Every certificate that was seen, once, the first to expire first: dates in ISO 8601, and who presents it."""
    found = []
    for seen in _by_certificate(results).values():
        described = seen[0]["certificate"] or {}
        found.append(
            {
                "thumbprint": seen[0]["thumbprint"],
                "subject": described.get("subject"),
                "not_before": described.get("not_before"),
                "not_after": described.get("not_after"),
                "weakness": described.get("weakness"),
                "endpoints": [result["name"] for result in seen],
            }
        )
    return sorted(found, key=lambda entry: (entry["not_after"] or "", entry["thumbprint"]))


def find_shared(results: Sequence[FleetResult], allowed: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Certificates that several hosts present, and blame for it: it is the cause of whatever is `ok` otherwise.

    `allowed` are thumbprints in normal form, SHA-1 or SHA-256, that may be shared. Endpoints that lead to the same
    address and port are one agent, which may have several names. What was blamed before is judged anew, so results of
    several runs can be put together; what an endpoint was found to be by itself stays in `evidence_alone`.
    """
    permitted = frozenset(allowed)
    for result in results:
        _absolve(result)
    shared = []
    for seen in _by_certificate(results).values():
        if len({(result["address"], result["port"]) for result in seen}) < 2:
            continue
        entry = {
            "thumbprint": seen[0]["thumbprint"],
            "thumbprint_sha256": seen[0]["thumbprint_sha256"],
            "endpoints": [result["name"] for result in seen],
            "allowed": bool(permitted & {seen[0]["thumbprint"], seen[0]["thumbprint_sha256"]}),
        }
        shared.append(entry)
        for result in () if entry["allowed"] else seen:
            _blame(result, [other["name"] for other in seen if other is not result])
    return sorted(shared, key=lambda entry: (entry["allowed"], -len(entry["endpoints"]), entry["thumbprint"]))


def _absolve(result: FleetResult) -> None:
    result["findings"] = [finding for finding in result["findings"] if finding["cause"] != SHARED]
    if result["cause"] == SHARED:
        result.update(_words("ok"), evidence=result["evidence_alone"], alternatives=[], evidence_alone=None)


def _blame(result: FleetResult, others: list[str]) -> None:
    more = "so does" if len(others) == 1 else "so do"
    evidence = f"{result['name']} presents certificate {result['thumbprint']}, and {more} {_some(others)}."
    if result["cause"] == "ok":
        result.update(
            _words(SHARED),
            evidence_alone=result["evidence"],
            evidence=evidence,
            alternatives=["tls_intercepted", "tls_offloaded"],
        )
    else:
        entry = CAUSES[SHARED]
        result["findings"].append({"cause": SHARED, "side": entry.side, "evidence": evidence, "remedy": entry.remedy})


def _words(word: str) -> dict[str, Any]:
    entry = CAUSES[word]
    return {"cause": word, "side": entry.side, "summary": entry.summary, "remedy": entry.remedy}


def _by_certificate(results: Sequence[FleetResult]) -> dict[str, list[FleetResult]]:
    found: dict[str, list[FleetResult]] = {}
    for result in results:
        if result["thumbprint_sha256"]:
            found.setdefault(result["thumbprint_sha256"], []).append(result)
    return found


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
