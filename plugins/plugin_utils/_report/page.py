# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML page that needs nothing else: no network, no server, no other file.

This module is **private** to the collection.

What hosts have said (banners, subjects, names) is hostile. It is in the page as JSON that no parser can leave, becomes
text nodes and never markup, and a content security policy lets the browser run our script and no other.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import pathlib
import re
from typing import Any

from ansible_collections.listening.tentacle.plugins.module_utils._verify.causes import CAUSES

from .document import Document

WITHOUT_SCRIPTS = 500  # how many agents are listed for a browser that runs no scripts
LIVES = 8  # how many certificates the timeline shows: those that expire first
_HERE = pathlib.Path(__file__).parent


def render(document: Document) -> str:
    """The page. The same document gives the same bytes."""
    template, style, script = ((_HERE / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    fields = {
        "title": html.escape(document["title"]),
        "meta": html.escape(_meta(document)),
        "sentence": html.escape(document["sentence"]),
        "table": _table(document),
        "footer": "Made by the collection listening.tentacle from the results of tentacle_verify. "
        "Nothing here is loaded from elsewhere.",
        "style": style,
        "style_hash": _digest(style),
        "script": script,
        "script_hash": _digest(script),
        "data": _embedded(view(document)),
    }
    return re.sub(r"@([a-z_]+)@", lambda match: fields[match[1]], template)


def view(document: Document) -> dict[str, Any]:
    """What the page shows, and no more: a third of the document."""
    words = {result["cause"] for result in document["results"]} | {"ok"}
    return {
        "checked_at": document["checked_at"],
        "totals": document["totals"],
        "causes": {word: _cause(word) for word in sorted(words)},
        "certificates": document["certificates"][:LIVES],
        "certificate_count": len(document["certificates"]),
        "changes": document["changes"],
        "agents": [_agent(result) for result in document["results"]],
    }


def _cause(word: str) -> dict[str, Any]:
    """A word's texts; a report of a newer version may have words that this one does not know."""
    entry = CAUSES.get(word, CAUSES["unknown"])
    return {"side": entry.side, "summary": entry.summary, "remedy": entry.remedy}


def _agent(result: dict[str, Any]) -> dict[str, Any]:
    steps = [
        [step["name"], step["status"], step["seconds"], step["evidence"]]
        for step in result["steps"]
        if step["status"] != "skipped" or step["evidence"] != "Not reached."
    ]
    return {
        "name": result["name"],
        "host": result["host"],
        "port": result["port"],
        "cause": result["cause"],
        "evidence": result["evidence"],
        "also": result.get("alternatives") or [],
        "seconds": result.get("seconds"),
        "findings": [[each["cause"], each["evidence"], each["remedy"]] for each in result["findings"]],
        "steps": steps,
        "facts": {name: value for name, value in _facts(result).items() if value not in (None, "")},
    }


def _facts(result: dict[str, Any]) -> dict[str, Any]:
    """What a person wants to know of an agent, as text."""
    certificate = result["certificate"] or {}
    page, trusted = result.get("page") or {}, result.get("trusted")
    key = (certificate.get("key_type"), certificate.get("key_size"), certificate.get("signature_algorithm"))
    return {
        "thumbprint": result["thumbprint"],
        "thumbprint_sha256": result["thumbprint_sha256"],
        "expected": result.get("expected_thumbprint"),
        "subject": certificate.get("subject"),
        "issuer": certificate.get("issuer") if certificate.get("issuer") != certificate.get("subject") else None,
        "not_before": certificate.get("not_before"),
        "not_after": certificate.get("not_after"),
        "key": " ".join(str(part) for part in key if part),
        "tls": " ".join(filter(None, (result.get("tls_version"), result.get("cipher")))),
        "address": result["address"],
        "page": page.get("title"),
        "trusted": None if trusted is None else "yes" if trusted else "no",
        "client_thumbprint": result.get("client_thumbprint"),
        "capabilities": ", ".join(result.get("capabilities") or []),
        "version": result.get("version"),
        "first_bytes": result.get("first_bytes"),
        "attempts": str(result["attempts"]) if result["attempts"] > 1 else None,
    }


def _meta(document: Document) -> str:
    count = document["totals"]["endpoints"]
    checked = f"{count:,} {'agent' if count == 1 else 'agents'} checked"
    moment = document["checked_at"]
    return f"{checked} on {moment[:10]} at {moment[11:16]} UTC" if moment else checked


def _table(document: Document) -> str:
    """What needs repair, for a browser without scripts."""
    bad = [result for result in document["results"] if result["cause"] != "ok"]
    rows = [
        "<tr>"
        + "".join(
            f"<td>{html.escape(str(result.get(name) or ''))}</td>" for name in ("name", "cause", "evidence", "remedy")
        )
        + "</tr>"
        for result in bad[:WITHOUT_SCRIPTS]
    ]
    head = "<tr><th>Agent</th><th>Cause</th><th>Evidence</th><th>Next</th></tr>"
    return f'<table class="plain">{head}{"".join(rows)}</table>' if rows else "<p>Nothing.</p>"


def _embedded(value: Any) -> str:
    """JSON that holds nothing an HTML parser would act upon."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
