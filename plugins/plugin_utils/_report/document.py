# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report itself: what all other forms are made from, and what is compared and put together later.

This module is **private** to the collection.

A document depends on nothing but the results that went into it: no clock, no order of arrival. So a fleet that was
checked in slices gives the same document as one that was checked in one run, and the same results give the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.listening.tentacle.plugins.module_utils._verify import summary

FORMAT = "listening.tentacle report"
VERSION = 1
MAX_BYTES = 512 * 1024 * 1024  # of a report that is read: some 200,000 results

Document = dict[str, Any]
Key = tuple[str, str, int]
_IDENTITY = ("certificate", "thumbprint", "thumbprint_sha256")
_NEEDED = frozenset(("host", "port", "address", "cause", "evidence", "findings", "steps", *_IDENTITY))


class ReportError(Exception):
    """A report cannot be made from what was given; the text is a sentence for the user."""


def build(pieces: Iterable[Any], title: str, allowed: Iterable[str] = ()) -> Document:
    """One document from results of `tentacle_verify` (of a fleet or of one host) and from documents.

    Where an endpoint occurs in two fleets, the later one counts. Raises ReportError.
    """
    taken: dict[Key, dict[str, Any]] = {}
    moments: list[str] = []
    permitted = set(allowed)
    for number, piece in enumerate(pieces):
        if not isinstance(piece, dict):
            raise ReportError(f"Piece {number} is no result of tentacle_verify, but {type(piece).__name__}.")
        for result in _results(piece, f"piece {number}"):
            if key(result) in taken and "results" not in piece:
                raise ReportError(
                    f"Piece {number} is the second result for {result['name']} ({result['host']} port"
                    f" {result['port']}). Give each a name of its own, such as the host's name in the inventory."
                )
            taken[key(result)] = result
        permitted.update(piece.get("allowed_shared_thumbprints") or ())
        if piece.get("checked_at"):
            moments.append(str(piece["checked_at"]))
    results = sorted(taken.values(), key=_order)
    shared = summary.find_shared(results, permitted)
    return {
        "format": FORMAT,
        "version": VERSION,
        "title": title,
        "checked_at": min(moments, default=None),
        "totals": summary.totals(results),
        "sentence": summary.sentence(results),
        "shared_identities": shared,
        "allowed_shared_thumbprints": sorted(permitted),
        "certificates": summary.certificates(results),
        "changes": None,
        "results": results,
    }


def key(result: dict[str, Any]) -> Key:
    """What makes an endpoint the same one in two reports: name, host and port."""
    return str(result["name"]).lower(), str(result["host"]).lower(), int(result["port"])


def dump(document: Document) -> str:
    """The document as text: the same for the same document, a line for each value that a person may look for."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def load(path: str) -> Document:
    """Read a document that `dump` has written. Raises ReportError with a sentence."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, UnicodeError) as error:
        raise ReportError(f"The report {path} cannot be read: {error}") from error
    if len(text) > MAX_BYTES:
        raise ReportError(f"The report {path} is larger than {MAX_BYTES} bytes.")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ReportError(f"The report {path} is no JSON: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ReportError(f"{path} is no report in JSON as tentacle_report writes it.")
    if document.get("version") != VERSION:
        raise ReportError(
            f"The report {path} has version {document.get('version')!r}; this collection reads version {VERSION}."
        )
    for result in _results(document, path):
        key(result)
    return document


def _results(piece: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """The results in a piece, each with all keys that are relied on, in copies that may be changed."""
    listed: Sequence[Any] = piece["results"] if isinstance(piece.get("results"), list) else [piece]
    found = []
    for number, result in enumerate(listed):
        missing = sorted(_NEEDED - set(result)) if isinstance(result, dict) else ["everything"]
        if missing:
            raise ReportError(
                f"Result {number} of {where} is none of tentacle_verify: {', '.join(missing)} missing."
                " A host that was not reached, or a task that was skipped, leaves such a thing behind."
            )
        found.append(
            {
                "name": result["host"],
                "attempts": 1,
                "evidence_alone": None,
                **{name: value for name, value in result.items() if name not in _OF_THE_TASK},
                "findings": list(result["findings"]),
            }
        )
    return found


_OF_THE_TASK = frozenset(
    {"changed", "failed", "msg", "warnings", "deprecations", "invocation", "exception", "diff", "delta", "skipped"}
)


def _order(result: dict[str, Any]) -> tuple[Any, ...]:
    """Names as people sort them: web2 before web10."""
    parts = re.split(r"(\d+)", str(result["name"]).lower())
    return ([(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts], key(result))
