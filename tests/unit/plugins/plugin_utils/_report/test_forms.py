# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit XML, Prometheus text and the page: each valid in its own language, whatever hosts have said."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from ansible_collections.listening.tentacle.plugins.plugin_utils._report import document, junit, page, prometheus

from .report_results import HOSTILE, fleet, make

LABELS = r'\{(?:[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)+\}'


@pytest.fixture
def report() -> document.Document:
    bad = make(HOSTILE, "unknown", evidence=HOSTILE, first_bytes=HOSTILE)
    bad["steps"][1]["evidence"] = HOSTILE
    bad["findings"].append({"cause": "tls_no_common", "side": "agent", "evidence": HOSTILE, "remedy": HOSTILE})
    good = make("web1", pin="A")
    good["certificate"]["subject"] = HOSTILE
    return document.build([fleet(bad, good, make("web2", "filtered"))], HOSTILE)


def test_junit_counts_and_cases(report: document.Document) -> None:
    whole = ElementTree.fromstring(junit.render(report))
    (suite,) = whole
    cases = suite.findall("testcase")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert [len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error")] == [1, 1]
    assert suite.get("timestamp") == "2026-11-25T10:00:00"
    assert float(suite.get("time") or 0) == sum(float(case.get("time") or 0) for case in cases) == 3.75
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "filtered"
    assert "Allow the port" in (failure.text or "")
    assert whole.keys() == ["tests", "failures", "errors", "time"]


def test_junit_keeps_hostile_text_as_text(report: document.Document) -> None:
    suite = ElementTree.fromstring(junit.render(report))[0]
    assert {node.tag for node in suite.iter()} == {"testsuite", "testcase", "failure", "error", "system-out"}
    error = suite.find("testcase/error")
    assert error is not None
    assert "</script><script>alert(1)" in (error.get("message") or "")
    assert "\x1b" not in junit.render(report)


def parsed(text: str) -> dict[str, list[str]]:
    """Samples by metric. Fails for whatever node_exporter's textfile collector refuses."""
    assert text.endswith("\n")
    metrics: dict[str, list[str]] = {}
    helped, typed = set(), set()
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            helped.add(line.split(" ")[2])
        elif line.startswith("# TYPE "):
            assert line.endswith(" gauge")
            typed.add(line.split(" ")[2])
        else:
            match = re.fullmatch(rf"([a-z_]+)(?:{LABELS})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)", line)
            assert match, line
            metrics.setdefault(match[1], []).append(line)
    assert set(metrics) == helped == typed
    assert all(len(lines) == len({line.rpartition(" ")[0] for line in lines}) for lines in metrics.values())
    return metrics


def test_prometheus_is_what_a_collector_reads(report: document.Document) -> None:
    metrics = parsed(prometheus.render(report))
    assert sorted(line.rpartition(" ")[2] for line in metrics["tentacle_ok"]) == ["0", "0", "1"]
    assert 'tentacle_endpoints{cause="filtered"} 1' in metrics["tentacle_endpoints"]
    assert metrics["tentacle_checked_timestamp_seconds"] == ["tentacle_checked_timestamp_seconds 1795600800"]
    assert len(metrics["tentacle_certificate_not_after_timestamp_seconds"]) == 1
    assert 'cause="filtered",side="network"} 1' in "".join(metrics["tentacle_cause"])


class Seen(html.parser.HTMLParser):
    """Elements, attributes and the texts of scripts, as a browser's parser takes them apart."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._fresh = False
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}  # the first text of each element
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._fresh = True

    def handle_data(self, data: str) -> None:
        if self._fresh:
            self.texts.setdefault(self.tags[-1][0], []).append(data)
        self._fresh = False


def test_the_page_holds_hostile_text_as_text(report: document.Document) -> None:
    text = page.render(report)
    seen = Seen(text)
    assert [tag for tag, _attributes in seen.tags].count("script") == 2
    assert not [tag for tag, _attributes in seen.tags if tag == "img"]
    assert not [name for _tag, attributes in seen.tags for name in attributes if name.startswith("on")]
    data: dict[str, Any] = json.loads(seen.texts["script"][0])
    assert HOSTILE in [agent["name"] for agent in data["agents"]]
    assert HOSTILE in "".join(seen.texts["title"])
    assert "<script>alert" not in text


def test_the_page_loads_nothing_and_runs_only_its_own_script(report: document.Document) -> None:
    text = page.render(report)
    seen = Seen(text)
    policy = next(attributes["content"] for tag, attributes in seen.tags if "http-equiv" in attributes)
    digest = base64.b64encode(hashlib.sha256(seen.texts["script"][1].encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}'" in str(policy)
    assert not [name for _tag, attributes in seen.tags for name in attributes if name in ("src", "srcset", "action")]
    assert not re.search(r"https?://|@import|url\(", re.sub(r'<script id="data".*?</script>', "", text))


def test_the_same_results_give_the_same_bytes() -> None:
    results = [make("web1", pin="A"), make("web2", "filtered")]
    first, second = (document.build([fleet(*part)], "T") for part in (results, results[::-1]))
    for render in (document.dump, junit.render, prometheus.render, page.render):
        assert render(first) == render(second)


def test_a_word_of_a_newer_version_can_be_shown() -> None:
    made = document.build([fleet({**make("web1"), "cause": "unheard_of"})], "T")
    assert "unheard_of" in page.render(made)
