# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as JUnit XML: a test case for each endpoint, so that build servers show it as they show tests.

This module is **private** to the collection.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from .document import Document

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold


def render(document: Document) -> str:
    """A test suite. A cause to repair is a failure, `unknown` is an error: the check could not tell."""
    results = document["results"]
    unknown = sum(result["cause"] == "unknown" for result in results)
    attributes = {
        "name": _clean(document["title"]),
        "tests": str(len(results)),
        "failures": str(document["totals"]["to_repair"] - unknown),
        "errors": str(unknown),
        "skipped": "0",
        "time": f"{sum(result.get('seconds') or 0 for result in results):.3f}",
    }
    if document["checked_at"]:
        attributes["timestamp"] = _clean(str(document["checked_at"]).rstrip("Z"))
    whole = ElementTree.Element("testsuites", {key: attributes[key] for key in ("tests", "failures", "errors", "time")})
    suite = ElementTree.SubElement(whole, "testsuite", attributes)
    for result in results:
        _add(suite, result)
    ElementTree.indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(whole, encoding="unicode") + "\n"


def _add(suite: ElementTree.Element, result: dict[str, Any]) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": "tentacle",
            "name": _clean(f"{result['name']} ({result['host']} port {result['port']})"),
            "time": f"{result.get('seconds') or 0:.3f}",
        },
    )
    if result["cause"] != "ok":
        word = _clean(result["cause"])
        kind = "error" if word == "unknown" else "failure"
        trouble = ElementTree.SubElement(case, kind, {"type": word, "message": _clean(result["evidence"])})
        sentences = (result["evidence"], result.get("summary"), result.get("remedy"))
        trouble.text = _clean("\n".join(sentence for sentence in sentences if sentence))
    lines = [f"{step['name']}: {step['status']}. {step['evidence']}" for step in result["steps"]]
    lines += [f"also {finding['cause']}: {finding['evidence']}" for finding in result["findings"]]
    ElementTree.SubElement(case, "system-out").text = _clean("\n".join(lines))


def _clean(text: Any) -> str:
    return _FORBIDDEN.sub("?", str(text))
