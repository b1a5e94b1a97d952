# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tentacle_verify`: retries and `fail_on`; the checks themselves are tested against real faults."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.module_utils import _fleet_check, _verification
from ansible_collections.listening.tentacle.plugins.module_utils._client.endpoint import Endpoint
from ansible_collections.listening.tentacle.plugins.module_utils._client.errors import ClientError
from ansible_collections.listening.tentacle.plugins.module_utils._verify.causes import CAUSES
from ansible_collections.listening.tentacle.plugins.module_utils._verify.result import Result
from ansible_collections.listening.tentacle.plugins.modules import tentacle_verify as module

PARAMETERS = {
    "host": "web01", "port": 10933, "thumbprint": None, "client_cert": None, "client_key": None,
    "client_key_passphrase": None, "timeout": 5, "retries": 3, "delay": 0,
    "proxy_host": None, "proxy_port": 8080, "proxy_username": None, "proxy_password": None, "address": None,
    "tls_versions": False, "proof": False, "vantage": None,
    "inspect": "never", "compare": None, "source": None, "instance": None}  # fmt: skip


def failing(times: int) -> Any:
    """A check that fails so many times."""
    left = [times]

    def verify(endpoint: Endpoint, _dummy: Any) -> Result:
        result = Result(endpoint)
        if left[0]:
            left[0] -= 1
            result.blame(ClientError("refused", "web01:10933 refused the connection."))
        return result

    return verify


@pytest.mark.parametrize(("times", "cause", "attempts"), [(0, "ok", 1), (2, "ok", 3), (9, "refused", 4)])
def test_waits_until_it_is_good(monkeypatch: pytest.MonkeyPatch, times: int, cause: str, attempts: int) -> None:
    monkeypatch.setattr(_verification, "verify", failing(times))
    result, made = _verification.check(PARAMETERS)
    assert (result.cause, made) == (cause, attempts)


@pytest.mark.parametrize(
    ("fail_on", "cause", "findings", "word"),
    [
        (["any"], "refused", [], "refused"),
        (["any"], "unknown", ["slow"], "unknown"),
        (["any"], "ok", ["slow", "certificate_dates"], None),
        (["any", "slow"], "ok", ["certificate_weak", "slow"], "slow"),
        (["slow"], "ok", ["slow"], "slow"),
        (["slow"], "refused", ["slow"], "slow"),
        (["slow", "refused"], "refused", ["slow"], "refused"),
        (["dns"], "refused", ["slow"], None),
        (["ok"], "ok", [], "ok"),
        ([], "refused", ["slow"], None),
    ],
)
def test_words_that_fail_the_task(fail_on: list[str], cause: str, findings: list[str], word: str | None) -> None:
    assert _verification.Fatal(fail_on).of([cause], findings) == word


def test_a_word_that_is_no_cause_is_refused() -> None:
    with pytest.raises(ClientError, match="no cause"):
        _verification.Fatal(["any", "typo"])


def test_a_finding_that_was_named_fails_the_task(run_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_parameters: Any, _impostor: Any) -> tuple[Result, int]:
        result = Result(Endpoint("web01"))
        result.evidence = "web01:10933 is fine."
        result.find("slow", "The step tls took 9.0 s.")
        return result, 1

    monkeypatch.setattr(module, "check", check)
    options = {"host": "web01"}
    assert not run_module(module, **options).get("failed")
    assert not run_module(module, **options, fail_on=["refused"]).get("failed")
    result = run_module(module, **options, fail_on=["refused", "slow"])
    assert result["failed"]
    assert result["msg"] == f"The step tls took 9.0 s. {CAUSES['slow'].summary} {CAUSES['slow'].remedy}"
    assert (result["cause"], [finding["cause"] for finding in result["findings"]]) == ("ok", ["slow"])


def test_a_finding_in_a_fleet_fails_the_task(run_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"msg": "2 of 2 endpoints are ok.", "totals": {"causes": {}, "findings": {"slow": 2}}, "results": []}
    monkeypatch.setattr(_fleet_check, "check_fleet", lambda *_unused: dict(facts))
    options = {"endpoints": [{"host": "web01"}, {"host": "web02"}]}
    assert not run_module(module, **options).get("failed")
    result = run_module(module, **options, fail_on=["slow"])
    assert result["failed"]
    assert result["msg"] == "2 of 2 endpoints are ok. Found besides, and named in 'fail_on': slow 2."


def test_a_key_without_a_certificate_is_refused() -> None:
    with pytest.raises(ClientError, match="client_cert"):
        _verification.check({**PARAMETERS, "client_key": "/x"})


def test_the_first_failure_is_the_cause_and_later_ones_are_findings() -> None:
    result = Result(Endpoint("a"))
    result.blame(ClientError("refused", "one", also=("filtered",)))
    result.blame(ClientError("reset", "two"))
    facts = result.as_dict()
    assert facts["cause"] == "refused"
    assert facts["alternatives"] == ["filtered"]
    assert [finding["cause"] for finding in facts["findings"]] == ["reset"]
    assert result.sentence == f"one {CAUSES['refused'].summary} {CAUSES['refused'].remedy}"
