# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conclusions from several places: the table of what experts conclude by hand."""

from __future__ import annotations

from typing import Any

import pytest

from module_utils._client.endpoint import Endpoint
from module_utils._client.errors import ClientError
from module_utils._verify.comparison import compare
from module_utils._verify.result import Result

OWN, OTHER = "AA" * 20, "BB" * 20


def seen(
    position: str, cause: str = "ok", *, host: str = "192.0.2.1", thumbprint: str | None = OWN, **more: Any
) -> Any:
    """A check's result as the module returns it."""
    result = Result(Endpoint(host))
    if cause != "ok":
        result.blame(ClientError(cause, f"{cause} was seen."))
    facts = result.as_dict()
    facts.update(position=position, thumbprint=thumbprint, **more)
    return facts


def failed(position: str, cause: str, **more: Any) -> Any:
    return seen(position, cause, **{"thumbprint": None, **more})


LOOPBACK = seen("loopback", host="127.0.0.1")
HOST = seen("own_address")
OUTSIDE = seen("elsewhere")


@pytest.mark.parametrize(
    ("checks", "cause", "word"),
    [
        ([LOOPBACK, HOST, OUTSIDE], "ok", "same certificate"),
        ([LOOPBACK, HOST, failed("elsewhere", "filtered")], "filtered", "something between"),
        ([LOOPBACK, HOST, failed("elsewhere", "refused")], "filtered", "A firewall refuses"),
        ([LOOPBACK, failed("elsewhere", "refused")], "wrong_address", "loopback only"),
        ([LOOPBACK, failed("own_address", "refused")], "wrong_address", "loopback only"),
        ([LOOPBACK, HOST, failed("elsewhere", "network")], "network", "something between"),
        ([LOOPBACK, HOST, failed("elsewhere", "reset")], "reset", "something between"),
        ([HOST, OUTSIDE, failed("elsewhere", "filtered", vantage="dmz")], "filtered", "dmz"),
        # Names and families
        ([HOST, OUTSIDE, failed("elsewhere", "dns", host="web01")], "dns", "By its IP address"),
        ([HOST, OUTSIDE, seen("elsewhere", "agent_thumbprint_mismatch", host="web01", thumbprint=OTHER)], "dns", "By"),
        ([HOST, OUTSIDE, failed("elsewhere", "filtered", host="2001:db8::1")], "address_family", "IPv6 does not"),
        # Certificates
        ([HOST, seen("elsewhere", "tls_offloaded", thumbprint=OTHER)], "tls_offloaded", OTHER),
        ([HOST, seen("proxy", "tls_intercepted", thumbprint=OTHER)], "tls_intercepted", OTHER),
        (
            [HOST, seen("elsewhere", thumbprint=OTHER, client_certificate_requested=False,
                        certificate={"self_signed": False})],
            "tls_intercepted", OTHER,
        ),
        ([HOST, seen("elsewhere", thumbprint=OTHER, client_certificate_requested=True)], "wrong_address", OTHER),
        # The host itself
        ([failed("own_address", "refused"), failed("elsewhere", "refused")], "not_listening", "everywhere"),
        ([failed("own_address", "not_listening"), failed("elsewhere", "filtered")], "not_listening", "everywhere"),
        ([failed("loopback", "refused", host="127.0.0.1"), failed("own_address", "agent_crash")], "agent_crash", ""),
        # An agent at one address alone does not answer loopback, which is no fault
        ([failed("loopback", "refused", host="127.0.0.1"), HOST, OUTSIDE], "ok", "same certificate"),
        # Outside
        ([HOST, failed("proxy", "proxy_denied")], "proxy_denied", "Good from"),
        ([HOST, seen("elsewhere", "server_not_trusted")], "server_not_trusted", "Good from"),
        ([HOST, seen("elsewhere", "server_not_trusted"), failed("proxy", "proxy_denied")], "unknown", "From"),
    ],
)  # fmt: skip
def test_concludes(checks: list[Any], cause: str, word: str) -> None:
    result = compare(checks)
    assert result.cause == cause, result.evidence
    assert word in result.evidence
    facts = result.as_dict()
    assert [view["cause"] for view in facts["vantages"]] == [check["cause"] for check in checks]
    assert list(facts) == list(OUTSIDE)


def test_other_failures_are_findings() -> None:
    result = compare([HOST, failed("elsewhere", "filtered"), failed("proxy", "proxy_denied")])
    assert result.cause == "filtered"
    assert [finding["cause"] for finding in result.findings] == ["proxy_denied"]


def test_takes_loops_and_leaves_out_what_was_skipped() -> None:
    result = compare([{"results": [HOST, OUTSIDE]}, {"skipped": True}])
    assert len(result.facts.vantages or []) == 2


@pytest.mark.parametrize(
    "checks", [[], [HOST], [HOST, {"rc": 0}], [HOST, "text"], [HOST, {**HOST, "cause": "nonsense"}], [HOST, None]]
)
def test_refuses_what_are_no_checks(checks: list[Any]) -> None:
    with pytest.raises(ClientError, match="compare") as caught:
        compare(checks)
    assert caught.value.cause == "invalid_input"
