# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tentacle_verify`: retries and `fail_on`; the checks themselves are tested against real faults."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.module_utils import _verification
from ansible_collections.listening.tentacle.plugins.module_utils._client.endpoint import Endpoint
from ansible_collections.listening.tentacle.plugins.module_utils._client.errors import ClientError
from ansible_collections.listening.tentacle.plugins.module_utils._verify.causes import CAUSES
from ansible_collections.listening.tentacle.plugins.module_utils._verify.result import Result

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


def test_words_that_fail_the_task() -> None:
    assert _verification.words(["any"]) == set(CAUSES) - {"ok"}
    assert _verification.words([]) == set()
    assert _verification.words(["dns", "refused"]) == {"dns", "refused"}
    with pytest.raises(ClientError, match="no cause"):
        _verification.words(["typo"])


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
