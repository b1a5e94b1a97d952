# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The set of trusted thumbprints, and the page for those outside it."""

from __future__ import annotations

import base64
import hashlib
import re

from module_utils._halibut import thumbprint
from tentacle_agent import page
from tentacle_agent.trust import Trust


class Session:
    """A session as far as trust is concerned."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate
        self.cuts = 0

    def cut(self) -> None:
        self.cuts += 1


def test_either_thumbprint_is_enough() -> None:
    prints = thumbprint.of_der(b"certificate")
    assert Trust([prints.sha1]).trusts(b"certificate")
    assert Trust([prints.sha256]).trusts(b"certificate")
    assert not Trust([prints.sha1]).trusts(b"another")
    assert not Trust().trusts(b"certificate")


def test_replacing_cuts_exactly_those_who_lost_trust() -> None:
    kept, lost, gone = Session(b"kept"), Session(b"lost"), Session(b"lost")
    trust = Trust([thumbprint.of_der(b"kept").sha1, thumbprint.of_der(b"lost").sha1])
    for session in (kept, lost, gone):
        trust.enter(session)
    trust.leave(gone)
    before = trust.pins
    assert trust.replace([thumbprint.of_der(b"kept").sha256]) == 1
    assert (kept.cuts, lost.cuts, gone.cuts) == (0, 1, 0)
    assert trust.pins is not before


def test_the_page_has_halibuts_shape_and_its_own_styles_hash() -> None:
    head, _unused, rest = page.render().decode("utf-8").partition("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[0] == "HTTP/1.0 200 OK"
    assert lines[1] == "Content-Type: text/html; charset=utf-8"
    body = rest[:-4]
    assert rest == body + "\r\n\r\n"
    assert lines[2] == f"Content-Length: {len(body.encode('utf-16-le')) // 2}"
    styles = re.findall(r"<style>(.*?)</style>", body, re.DOTALL)
    assert len(styles) == 1
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    assert lines[3] == f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'"
    assert [line.partition(":")[0] for line in lines[4:]] == [
        "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options", "X-XSS-Protection", "Strict-Transport-Security"]
    assert "<title>Octopus Tentacle</title>" in body
    assert "<h1>Octopus Tentacle configured successfully</h1>" in body
    assert "style=" not in body
