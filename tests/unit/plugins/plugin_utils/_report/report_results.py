# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as `tentacle_verify` returns them, without a network."""

from __future__ import annotations

from typing import Any

from ansible_collections.listening.tentacle.plugins.module_utils._client.endpoint import Endpoint
from ansible_collections.listening.tentacle.plugins.module_utils._client.errors import ClientError
from ansible_collections.listening.tentacle.plugins.module_utils._verify.fleet import Target, named
from ansible_collections.listening.tentacle.plugins.module_utils._verify.result import Result


def make(name: str, cause: str = "ok", pin: str = "", evidence: str = "It was tried.", **facts: Any) -> dict[str, Any]:
    """A fleet's result for one endpoint; `pin` is one digit, of which its thumbprint consists."""
    number = sum(map(ord, name)) % 250
    result = Result(Endpoint(f"10.0.0.{number}", 10933), evidence=evidence, seconds=1.25)
    if pin:
        result.facts.address = result.endpoint.host
        result.facts.thumbprint, result.facts.thumbprint_sha256 = pin * 40, pin * 64
        result.facts.certificate = {"subject": "CN=Octopus Tentacle", "not_before": "2026-01-01T00:00:00Z",
                                    "not_after": "2036-01-01T00:00:00Z", "weakness": None}  # fmt: skip
    for key, value in facts.items():
        setattr(result.facts, key, value)
    if cause != "ok":
        result.blame(ClientError(cause, evidence))
    result.steps["name"].status, result.steps["name"].seconds = "ok", 0.001
    return named(Target(name, result.endpoint), result)


def fleet(*results: dict[str, Any], checked_at: str = "2026-11-25T10:00:00Z") -> dict[str, Any]:
    """What a task registers that checked these."""
    return {"results": list(results), "checked_at": checked_at, "changed": False, "failed": False}


# What a host may say of itself.
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> ]]> & \" ' \\ \n\u2028\x00\x1b[31m\ufffe@title@"
)
