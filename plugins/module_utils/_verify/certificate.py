# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The step `certificate`: read what the other side presented, and name what is weak about it before it hurts."""

from __future__ import annotations

import time
from typing import Any

from .. import _x509
from .._client.identity import weakness
from .._halibut import thumbprint
from .result import FAILED, Result, Stopwatch


def read(result: Result, der: bytes) -> None:
    """Digests and facts of a certificate; findings for a weak one, and for one outside its dates."""
    facts = result.facts
    with Stopwatch(result, "certificate") as step:
        digests = thumbprint.of_der(der)
        facts.thumbprint, facts.thumbprint_sha256 = digests.sha1, digests.sha256
        try:
            found = _x509.parse(der)
        except ValueError as error:
            step.status, step.evidence = FAILED, f"The certificate cannot be read in full: {error}."
            return
        facts.certificate = describe(found)
        key = f"{found.key_type} {found.key_size}" if found.key_size else found.key_type
        until = f"{found.not_after:%Y-%m-%d}"
        step.evidence = f"{found.subject or 'no subject'}, {key}, {found.signature_algorithm}, until {until}."
    weak = weakness(found)
    if weak:
        result.find(
            "weak_agent_certificate",
            f"The agent's certificate is weak: {weak}. Hardened callers will refuse it one day; plan a new one.",
        )
    if time.time() > found.not_after.timestamp():
        result.find("certificate_dates", f"The agent's certificate has expired on {found.not_after:%Y-%m-%d}.")
    if time.time() < found.not_before.timestamp():
        result.find("certificate_dates", f"The agent's certificate is not valid before {found.not_before:%Y-%m-%d}.")


def describe(facts: _x509.CertificateFacts) -> dict[str, Any]:
    """A certificate's facts for a result: dates in ISO 8601, weakness as half a sentence or None."""
    return {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial_number": facts.serial_number,
        "not_before": f"{facts.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{facts.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "key_type": facts.key_type,
        "key_size": facts.key_size,
        "curve": facts.curve,
        "signature_algorithm": facts.signature_algorithm,
        "signature_hash": facts.signature_hash,
        "self_signed": facts.self_signed,
        "weakness": weakness(facts),
    }
