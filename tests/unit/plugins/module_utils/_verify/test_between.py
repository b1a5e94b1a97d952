# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks for a device between, and for which kind, from the facts of one check."""

from __future__ import annotations

from typing import Any

import pytest

from module_utils._client.endpoint import Endpoint
from module_utils._client.errors import ClientError
from module_utils._verify.between import explain
from module_utils._verify.result import Result

OWN = {"self_signed": True, "subject": "CN=web", "issuer": "CN=web"}
SIGNED = {"self_signed": False, "subject": "CN=192.0.2.1", "issuer": "CN=Example Inspection"}


def page(tentacle: bool | None, **more: Any) -> dict[str, Any]:
    return {"tentacle": tentacle, "http": "1.0", "server": None, "via": None, **more}


def result(cause: str, certificate: dict[str, Any], shown: dict[str, Any] | None, *, asked: bool = False) -> Result:
    made = Result(Endpoint("192.0.2.1", 10933, "AB" * 20))
    made.blame(ClientError(cause, "Seen."))
    made.facts.certificate, made.facts.page = certificate, shown
    made.facts.client_certificate_requested = asked
    return made


@pytest.mark.parametrize(
    ("cause", "certificate", "shown", "word"),
    [
        ("agent_thumbprint_mismatch", OWN, page(None), "tls_offloaded"),
        ("agent_thumbprint_mismatch", OWN, page(True), "tls_offloaded"),
        ("agent_thumbprint_mismatch", OWN, None, "unknown"),
        ("server_not_trusted", OWN, page(None), "unknown"),
        ("agent_thumbprint_mismatch", SIGNED, page(True, via="1.1 proxy (squid/5.7)"), "tls_intercepted"),
        ("agent_thumbprint_mismatch", SIGNED, page(True, server="squid"), "tls_intercepted"),
        ("agent_thumbprint_mismatch", SIGNED, page(True, server="nginx"), "tls_offloaded"),
        ("agent_thumbprint_mismatch", OWN, page(True, via="1.1 proxy (squid/5.7)"), "tls_offloaded"),
        ("port_mismatch", OWN, page(None), "port_mismatch"),
    ],
)
def test_what_stands_between(cause: str, certificate: dict[str, Any], shown: Any, word: str) -> None:
    made = result(cause, certificate, shown)
    explain(made, proxied=False)
    assert made.cause == word
    assert made.evidence.startswith(("Seen.", "192.0.2.1:10933 shows the certificate"))


def test_who_asks_for_a_certificate_is_no_device() -> None:
    made = result("agent_thumbprint_mismatch", OWN, page(None), asked=True)
    explain(made, proxied=False)
    assert made.cause == "agent_thumbprint_mismatch"
