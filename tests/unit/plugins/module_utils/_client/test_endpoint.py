# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users write as host, port and thumbprint."""

from __future__ import annotations

import pytest

from module_utils._client.endpoint import Endpoint, endpoint, host_name
from module_utils._client.errors import ClientError


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("web01", "web01"),
        (" web01.example.com. ", "web01.example.com."),
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("under_score", "under_score"),
    ],
)
def test_accepts(written: str, host: str) -> None:
    assert host_name(written) == host


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("", "empty"),
        ("https://web01", "URL"),
        ("web01/x", "URL"),
        ("web01:10933", "colon"),
        ("[web01]:1", "colon"),
        ("1.2.3", "looks like an IP"),
        ("999.1.1.1", "looks like an IP"),
        ("a b", "no host name"),
        ("-a", "no host name"),
        ("a..b", "no host name"),
        ("x" * 64, "no host name"),
        ("a\nb", "no host name"),
        ("\u2603" * 70, "no host name"),
    ],
)
def test_refuses_with_a_sentence(written: str, word: str) -> None:
    with pytest.raises(ClientError, match=word) as caught:
        host_name(written)
    assert caught.value.cause == "invalid_input"
    assert caught.value.side == "caller"
    assert str(caught.value).endswith(".")


def test_thumbprints_in_every_spelling() -> None:
    assert endpoint("a", 1, ":".join(["ab"] * 20)).thumbprint == "AB" * 20
    assert endpoint("a", 1, " ").thumbprint is None
    with pytest.raises(ClientError, match="thumbprint"):
        endpoint("a", 1, "abc")


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_have_limits(port: int) -> None:
    with pytest.raises(ClientError, match="no port"):
        endpoint("a", port)


def test_addresses_in_texts() -> None:
    assert str(Endpoint("2001:db8::1", 10933)) == "[2001:db8::1]:10933"
    assert Endpoint("Web01", 10933).uri == "https://web01:10933/"
