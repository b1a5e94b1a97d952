# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of many results: put together, written, read again, compared."""

from __future__ import annotations

import copy
import json
import pathlib
from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.plugin_utils._report import changes, document
from ansible_collections.listening.tentacle.plugins.plugin_utils._report.document import ReportError

from .report_results import fleet, make


def sample() -> list[dict[str, Any]]:
    return [
        make("web10", pin="A"), make("web2", "filtered"), make("db1", "server_not_trusted", pin="B"),
        make("clone", pin="A"), make("web1", pin="C"),
    ]  # fmt: skip


def test_slices_give_what_one_run_gives(tmp_path: pathlib.Path) -> None:
    """Two jobs, each with reports of its own, in any order: the same bytes as one job over all."""
    results = sample()
    whole = document.build([fleet(*copy.deepcopy(results))], "T")
    for number, part in enumerate((results[3:], results[:3])):
        made = document.build([fleet(*part, checked_at=f"2026-11-25T10:0{number}:00Z")], "Slice")
        (tmp_path / f"{number}.json").write_text(document.dump(made), encoding="utf-8")
    merged = document.build([document.load(str(tmp_path / f"{number}.json")) for number in (1, 0)], "T")
    assert document.dump(merged) == document.dump(whole)
    assert [result["name"] for result in whole["results"]] == ["clone", "db1", "web1", "web2", "web10"]
    assert whole["totals"]["causes"] == {"shared_identity": 2, "filtered": 1, "server_not_trusted": 1}
    assert whole["shared_identities"][0]["endpoints"] == ["clone", "web10"]


def test_what_was_given_is_left_as_it_was() -> None:
    given = fleet(*sample())
    before = copy.deepcopy(given)
    document.build([given], "T")
    assert given == before


def test_later_fleets_and_allowed_identities_count() -> None:
    early, late = fleet(make("a", "filtered"), make("b", pin="A")), fleet(make("a", pin="A"))
    late["allowed_shared_thumbprints"] = ["A" * 40]
    made = document.build([early, late], "T")
    assert made["totals"]["ok"] == 2
    assert made["allowed_shared_thumbprints"] == ["A" * 40]
    assert document.build([early, fleet(make("a", pin="A"))], "T", ["A" * 64])["totals"]["ok"] == 2
    assert document.build([early, fleet(make("a", pin="A"))], "T")["totals"]["ok"] == 0


def test_single_results_need_names_that_differ() -> None:
    single = {name: value for name, value in make("a", pin="A").items() if name not in ("name", "attempts")}
    single.update(changed=False, msg="x", invocation={})
    made = document.build([single, {**single, "name": "other"}], "T")
    assert [result["name"] for result in made["results"]] == [single["host"], "other"]
    assert not {"changed", "msg", "invocation"} & set(made["results"][0])
    assert made["checked_at"] is None
    with pytest.raises(ReportError, match="second result"):
        document.build([single, single], "T")


@pytest.mark.parametrize("piece", [{"skipped": True}, {"results": [{"unreachable": True}]}, {"results": ["x"]}, [], 1])
def test_what_is_no_result_is_named(piece: Any) -> None:
    with pytest.raises(ReportError, match="tentacle_verify"):
        document.build([piece], "T")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is no JSON"),
        ("[]", "no report in JSON"),
        ('{"format": "other"}', "no report in JSON"),
        (json.dumps({"format": document.FORMAT, "version": 99}), "version 99"),
        (json.dumps({"format": document.FORMAT, "version": 1, "results": [{}]}), "missing"),
        (b"\xff\xfe", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_report_is_named(tmp_path: pathlib.Path, text: Any, sentence: str) -> None:
    path = tmp_path / "report.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ReportError, match=sentence):
        document.load(str(path))


def test_changes_of_every_kind() -> None:
    before = document.build([fleet(
        make("same", pin="1"), make("broke", pin="2"), make("mended", "filtered"), make("still", "filtered"),
        make("renewed", pin="3"), make("gone", pin="4"), checked_at="2026-11-24T10:00:00Z")], "T")  # fmt: skip
    after = document.build([fleet(
        make("same", pin="1"), make("broke", "reset"), make("mended", pin="5"), make("still", "refused"),
        make("renewed", pin="6"), make("new", pin="7"))], "T")  # fmt: skip
    found = changes.compare(before, after)
    assert found.pop("since") == "2026-11-24T10:00:00Z"
    assert {kind: [(e["name"], e["before"], e["after"]) for e in entries] for kind, entries in found.items()} == {
        "broken": [("broke", "ok", "reset")],
        "repaired": [("mended", "filtered", "ok")],
        "other_cause": [("still", "filtered", "refused")],
        "new_certificate": [("renewed", "3" * 40, "6" * 40)],
        "added": [("new", None, "ok")],
        "removed": [("gone", "ok", None)],
    }
    assert not any(entries for kind, entries in changes.compare(after, after).items() if kind != "since")
