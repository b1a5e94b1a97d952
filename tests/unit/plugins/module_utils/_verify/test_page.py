# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a Tentacle's page from others."""

from __future__ import annotations

import pytest

from module_utils._verify.page import judge

TENTACLE = (
    b"HTTP/1.0 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><title>Octopus Tentacle</title></html>"
)
DEFAULT = b"HTTP/1.0 200 OK\r\nContent-Length: 39\r\n\r\n<html><body><p>Hello!</p></body></html>\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status", "tentacle"),
    [
        (TENTACLE, 200, True),
        (DEFAULT, 200, True),
        (b"", None, None),
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<title>400</title>", 400, False),
        (b"HTTP/1.1 200 OK\r\n\r\n<title>Welcome to nginx!</title>", 200, False),
        (b"\x00\x01\x02", None, False),
        (b"<title>Octopus Tentacle</title>", None, False),
    ],
)
def test_judges(data: bytes, status: int | None, tentacle: bool | None) -> None:
    page = judge(data)
    assert (page.status, page.tentacle) == (status, tentacle)
    assert page.sentence.endswith(".")
    assert "\x1b" not in page.sentence


def test_names_the_server() -> None:
    page = judge(b"HTTP/1.1 502 Bad Gateway\r\nserver: squid/5.7\r\n\r\n<title>ERROR\x1b[0m</title>")
    assert page.server == "squid/5.7"
    assert page.title == "ERROR[0m"
