# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The page for whoever is no Octopus Server: a browser, a load balancer's probe, a person with curl.

Everybody who does not say `MX` gets it, whatever was asked (docs/protocol/halibut-wire.md §2.3,
docs/protocol/tentacle-services.md §5.10). It tells nothing about this host. Title and heading are the original's,
because people and probes look for them.
"""

from __future__ import annotations

import base64
import hashlib

STYLE = """
    body { font: 16px/1.5 system-ui, sans-serif; margin: 12vh auto; max-width: 34em; padding: 0 1em;
           color: #1c2733; background: #f6f8fa; }
    h1 { font-size: 1.4em; font-weight: 500; border-left: 6px solid #0d80d8; padding-left: .6em; }
"""

BODY = f"""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Octopus Tentacle</title>
  <style>{STYLE}</style>
</head>
<body>
  <h1>Octopus Tentacle configured successfully</h1>
  <p>Seeing this page means that the agent on this host is configured and ready for commands.</p>
  <p>It is shown because no X.509 client certificate was offered: only Octopus Servers whose certificates are trusted
  here can control the agent.</p>
</body>
</html>
"""


def style_hash() -> str:
    """The style's hash as a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")


def headers() -> list[tuple[str, str]]:
    """The security headers, in the original's order."""
    return [
        ("Content-Security-Policy", f"default-src 'none'; style-src '{style_hash()}'; img-src 'self'"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("X-XSS-Protection", "1; mode=block"),
        ("Strict-Transport-Security", "max-age=31536000"),
    ]


def render() -> bytes:
    """The whole answer; two line ends follow the body, as Halibut has it."""
    lines = ["HTTP/1.0 200 OK", "Content-Type: text/html; charset=utf-8", f"Content-Length: {len(BODY)}"]
    lines += [f"{name}: {value}" for name, value in headers()]
    # Nothing but ASCII, so that characters, bytes and the UTF-16 units that Halibut counts are the same number.
    return ("\r\n".join(lines) + "\r\n\r\n" + BODY + "\r\n\r\n").encode("ascii")
