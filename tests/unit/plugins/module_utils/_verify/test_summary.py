# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many results say together, in one run or put together from several."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from module_utils._client.endpoint import Endpoint
from module_utils._client.errors import ClientError
from module_utils._verify import summary
from module_utils._verify.fleet import Target, named
from module_utils._verify.result import Result

PIN, OTHER = "AB" * 20, "CD" * 20


def result(name: str, address: str | None, pin: str = PIN, port: int = 10933, cause: str = "ok") -> dict[str, Any]:
    found = Result(Endpoint(name, port), evidence=f"{name} answers.")
    found.facts.address = address
    if address:
        found.facts.thumbprint, found.facts.thumbprint_sha256 = pin, pin + "0" * 24
        found.facts.certificate = {"subject": "CN=x", "not_before": "2026-01-01T00:00:00Z", "weakness": None,
                                   "not_after": "2036-01-01T00:00:00Z" if pin == PIN else "2027-01-01T00:00:00Z"}
    if cause != "ok":
        found.blame(ClientError(cause, "It did not work."))
    return named(Target(name, found.endpoint), found)


def test_two_hosts_with_one_certificate() -> None:
    first, second = result("a", "10.0.0.1"), result("b", "10.0.0.2", cause="server_not_trusted")
    third = result("c", "10.0.0.3", OTHER)
    shared = summary.find_shared([first, second, third])
    assert shared == [
        {"thumbprint": PIN, "thumbprint_sha256": PIN + "0" * 24, "endpoints": ["a", "b"], "allowed": False}
    ]
    assert (first["cause"], first["side"]) == ("shared_identity", "agent")
    assert first["evidence"] == f"a presents certificate {PIN}, and so does b."
    assert first["evidence_alone"] == "a answers."
    assert second["cause"] == "server_not_trusted"
    assert [finding["cause"] for finding in second["findings"]] == ["shared_identity"]
    assert third["cause"] == "ok"


def test_what_was_found_in_parts_is_judged_anew() -> None:
    whole = [result("a", "10.0.0.1"), result("b", "10.0.0.2"), result("c", "10.0.0.3", cause="reset"),
             result("d", "10.0.0.4", OTHER)]  # fmt: skip
    parts = copy.deepcopy(whole)
    clean = copy.deepcopy(whole)
    expected = summary.find_shared(whole)
    summary.find_shared(parts[:2])
    summary.find_shared(parts[2:])
    assert summary.find_shared(parts) == expected
    assert parts == whole
    summary.find_shared(parts, [PIN])
    assert parts == clean


@pytest.mark.parametrize("allowed", [PIN, PIN + "0" * 24])
def test_sharing_may_be_allowed(allowed: str) -> None:
    seen = [result("a", "10.0.0.1"), result("b", "10.0.0.2")]
    assert [entry["allowed"] for entry in summary.find_shared(seen, [allowed])] == [True]
    assert all(each["cause"] == "ok" for each in seen)


def test_one_agent_with_two_names_shares_nothing() -> None:
    assert not summary.find_shared([result("a", "10.0.0.1"), result("alias", "10.0.0.1")])
    assert summary.find_shared([result("a", "10.0.0.1"), result("a2", "10.0.0.1", port=10934)])


def test_totals_certificates_and_sentence() -> None:
    seen = [result("a", "10.0.0.1"), result("b", "10.0.0.2", OTHER)]
    seen += [result(f"x{number}", None, cause="filtered") for number in range(7)]
    seen.append(result("y", None, cause="dns"))
    seen[0]["findings"].append({"cause": "tls_no_common"})
    assert summary.totals(seen) == {
        "endpoints": 10, "ok": 2, "to_repair": 8, "causes": {"filtered": 7, "dns": 1}, "findings": {"tls_no_common": 1}}
    assert [entry["endpoints"] for entry in summary.certificates(seen)] == [["b"], ["a"]]
    assert summary.sentence(seen) == (
        "2 of 10 endpoints are ok. To repair: filtered 7 (x0, x1, x2, x3, x4 and 2 more); dns 1 (y).")
    assert summary.sentence(seen[:2]) == "2 of 2 endpoints are ok."
