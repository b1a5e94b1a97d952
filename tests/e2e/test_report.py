# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: made by the playbook from live agents, and read by Chromium as people read it."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from agent_process import AgentProcess, Identity, wait_until
from ansible_command import Run, environment, play
from browser import Browser

PLAYBOOK = pathlib.Path(__file__).resolve().parents[2] / "playbooks" / "report.yml"
PICTURES = os.environ.get("TENTACLE_TEST_PICTURES")
HOSTILE = "<img src=x onerror=document.title='owned'>"


def report(place: pathlib.Path, *more: str, **variables: Any) -> tuple[int, str]:
    """Run the playbook as a user does; its exit status and output."""
    variables = {f"tentacle_report_{name}": value for name, value in variables.items()}
    program = pathlib.Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), str(PLAYBOOK), "-e", json.dumps(variables), *more]
    done = subprocess.run(command, env={**environment(), "PWD": str(place)}, cwd=place, capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def endpoints(agent: AgentProcess, tmp_path: pathlib.Path) -> Iterator[list[dict[str, Any]]]:
    """A good agent, a port that nothing listens on, and a service with a hostile banner; also as a file."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        talker = subprocess.Popen([sys.executable, "-c", _TALKER, str(server.fileno()), HOSTILE],
                                  pass_fds=[server.fileno()])  # fmt: skip
        listed = [
            {"name": "good", "host": "127.0.0.1", "port": agent.port, "thumbprint": agent.thumbprint},
            {"name": "down", "host": "127.0.0.1", "port": free},
            {"name": HOSTILE, "host": "127.0.0.1", "port": port},
        ]
        (tmp_path / "agents.yml").write_text(json.dumps(listed), encoding="utf-8")
        try:
            yield listed
        finally:
            talker.kill()
            talker.wait()


_TALKER = """
import socket, sys
server = socket.socket(fileno=int(sys.argv[1]))
while True:
    guest, _ = server.accept()
    guest.sendall(sys.argv[2].encode() + b"\\r\\n")
    guest.close()
"""


def test_the_playbook_writes_all_forms_and_compares(
    endpoints: list[dict[str, Any]], server_identity: Identity, tmp_path: pathlib.Path
) -> None:
    given = {"endpoints_file": str(tmp_path / "agents.yml"), "client_cert": str(server_identity.path), "timeout": 5}
    out = tmp_path / "out"
    status, output = report(tmp_path, **given, directory=str(out))
    assert status == 0, output
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json", "report.prom", "report.xml"]
    made = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert made["totals"]["endpoints"] == 3
    assert made["totals"]["ok"] == 1
    assert made["changes"] is None
    assert 'tentacle_ok{name="good",' in (out / "report.prom").read_text(encoding="utf-8")
    assert len(ElementTree.parse(out / "report.xml").findall("testsuite/testcase")) == 3
    assert "1 of 3 endpoints are ok." in output

    endpoints[0]["thumbprint"] = "AB" * 20
    (tmp_path / "agents.yml").write_text(json.dumps(endpoints[:2]), encoding="utf-8")
    status, output = report(tmp_path, **given, directory=str(out), fail_on=["agent_thumbprint_mismatch"])
    assert status != 0, output
    changes = json.loads((out / "report.json").read_text(encoding="utf-8"))["changes"]
    assert [entry["name"] for entry in changes["broken"]] == ["good"]
    assert [entry["name"] for entry in changes["removed"]] == [HOSTILE]


def test_slices_of_an_inventory_merge(agent: AgentProcess, server_identity: Identity, tmp_path: pathlib.Path) -> None:
    """Two jobs with half of the inventory each, as a controller with job slicing runs them."""
    hosts = {f"web{number}": {"ansible_host": f"127.0.0.{number}", "tentacle_port": 1} for number in range(1, 5)}
    hosts["web1"]["tentacle_port"] = agent.port
    common = {"client_cert": str(server_identity.path), "timeout": 5}
    sources = []
    for slice_of, names in (("a", ["web1", "web3"]), ("b", ["web2", "web4"])):
        inventory = tmp_path / f"{slice_of}.json"
        inventory.write_text(json.dumps({"all": {"hosts": {name: hosts[name] for name in names}}}), encoding="utf-8")
        status, output = report(tmp_path, "-i", str(inventory), **common, directory=str(tmp_path / slice_of))
        assert status == 0, output
        sources.append(str(tmp_path / slice_of / "report.json"))
    status, output = report(tmp_path, sources=sources, directory=str(tmp_path / "merged"))
    assert status == 0, output
    parts = [json.loads(pathlib.Path(source).read_text(encoding="utf-8")) for source in sources]
    merged = json.loads((tmp_path / "merged" / "report.json").read_text(encoding="utf-8"))
    assert [result["name"] for result in merged["results"]] == ["web1", "web2", "web3", "web4"]
    assert merged["results"] == sorted((r for part in parts for r in part["results"]), key=lambda r: str(r["name"]))
    assert merged["totals"]["ok"] == 1


def written(tmp_path: pathlib.Path, results: list[Any], *more: str, **options: Any) -> Run:
    """A play with this one task, which registers `a`."""
    task: dict[str, Any] = {"listening.tentacle.tentacle_report": {"results": results, **options}}
    return play([{**task, "register": "a", "ignore_errors": True}], tmp_path, *more)


def one_result(name: str = "web1") -> dict[str, Any]:
    step = {"name": "tcp", "status": "failed", "seconds": 1.0, "evidence": HOSTILE}
    return {"name": name, "host": "10.0.0.1", "port": 10933, "address": None, "cause": "filtered", "evidence": HOSTILE,
            "findings": [], "steps": [step], "certificate": None, "thumbprint": None, "thumbprint_sha256": None,
            "seconds": 1.0}  # fmt: skip


def test_check_mode_apply_and_again(tmp_path: pathlib.Path) -> None:
    forms = {form: str(tmp_path / f"report.{form}") for form in ("json", "html", "junit", "prometheus")}
    foretold = written(tmp_path, [one_result()], "--check", "--diff", **forms)
    assert foretold.facts["a"]["changed"] is True
    assert not (tmp_path / "report.json").exists()
    assert '+ "format": "listening.tentacle report"' in foretold.output
    assert written(tmp_path, [one_result()], **forms).facts["a"]["changed"] is True
    again = written(tmp_path, [one_result()], **forms).facts["a"]
    assert again["changed"] is False
    assert [file["changed"] for file in again["files"]] == [False] * 4
    other = written(tmp_path, [one_result("web2")], **forms, previous=forms["json"]).facts["a"]
    assert other["changed"] is True
    assert [entry["name"] for entry in other["changes"]["removed"]] == ["web1"]


@pytest.mark.parametrize(
    ("results", "options", "sentence"),
    [
        ([], {"json": "r.json"}, "nothing to report"),
        ([one_result(), one_result()], {"json": "r.json"}, "second result"),
        ([{"skipped": True}], {"json": "r.json"}, "none of tentacle_verify"),
        ([one_result()], {}, "one of the following is required"),
        ([one_result()], {"json": "r.json", "previous": "/missing.json"}, "/missing.json cannot be read"),
        ([one_result()], {"json": "r.json", "allowed_shared_thumbprints": ["12"]}, "12"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: pathlib.Path, results: list[Any], options: dict[str, Any], sentence: str
) -> None:
    facts = written(tmp_path, results, **options).facts["a"]
    assert facts["failed"] is True
    assert sentence in facts["msg"]
    assert not (tmp_path / "r.json").exists()


# The page


@pytest.fixture
def page(endpoints: list[dict[str, Any]], server_identity: Identity, tmp_path: pathlib.Path) -> str:
    """The address of a page about live endpoints."""
    given = {"endpoints_file": str(tmp_path / "agents.yml"), "client_cert": str(server_identity.path), "timeout": 5}
    status, output = report(tmp_path, **given, directory=str(tmp_path))
    assert status == 0, output
    return (tmp_path / "report.html").as_uri()


NAMES = "[...document.querySelectorAll('.agent .name')].map(node => node.firstChild.textContent)"
STATE = "[document.activeElement.tagName, document.activeElement.value || document.activeElement.textContent].join(' ')"


@pytest.mark.slow
def test_chromium_shows_filters_and_obeys_the_keyboard(page: str, tmp_path: pathlib.Path) -> None:
    with Browser(tmp_path) as browser:
        browser.show_as(1200, 900)
        browser.open(page)
        assert browser.evaluate("document.title") == "Tentacles"
        assert browser.evaluate("document.getElementById('verdict-title').textContent") == "2 of 3 need repair"
        assert sorted(browser.evaluate(NAMES)) == sorted(["good", "down", HOSTILE])
        assert browser.evaluate("document.querySelectorAll('img').length") == 0

        browser.press("/", *"down")  # to the search field, from anywhere
        assert browser.evaluate(NAMES) == ["down"]
        assert browser.evaluate("document.getElementById('count').textContent") == "1 of 3 agents"
        assert "q=down" in browser.evaluate("location.hash")
        browser.evaluate("document.getElementById('clear').focus()")
        browser.press("Enter")
        assert len(browser.evaluate(NAMES)) == 3

        browser.evaluate("document.querySelector('button[value=ok]').focus()")
        browser.press("Space")
        assert browser.evaluate(NAMES) == ["good"]
        assert browser.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
        browser.evaluate("document.querySelector('.agent summary').focus()")
        browser.press("Enter")
        steps = "document.querySelectorAll('.agent[open] .steps tbody tr').length"
        wait_until(lambda: browser.evaluate(steps) > 5)
        browser.press("Tab")
        assert browser.evaluate(STATE).startswith("BUTTON Copy")
        assert browser.complaints == []


@pytest.mark.slow
def test_chromium_every_control_is_reached_and_seen(page: str, tmp_path: pathlib.Path) -> None:
    """The keyboard's way through the page visits each control once, each with a name and a visible focus."""
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    name = "document.activeElement.textContent || document.activeElement.labels?.[0]?.textContent"
    with Browser(tmp_path) as browser:
        browser.open(page)
        count = browser.evaluate("[...document.querySelectorAll('a, button, input, select, summary')]"
                                 ".filter(node => node.checkVisibility()).length")  # fmt: skip
        for _number in range(count):
            browser.press("Tab")
            assert browser.evaluate(outline) == "solid", browser.evaluate(STATE)
            assert browser.evaluate(name).strip()
        assert browser.evaluate("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.slow
def test_chromium_on_a_phone_in_the_dark_and_on_paper(page: str, tmp_path: pathlib.Path) -> None:
    with Browser(tmp_path) as browser:
        browser.show_as(390, 844, prefers_color_scheme="dark")
        browser.open(page)
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 27)"
        picture = browser.picture()
        assert browser.printed().startswith(b"%PDF")
        assert browser.evaluate("document.querySelectorAll('.agent').length") == 3
        if PICTURES:
            (pathlib.Path(PICTURES) / "report-phone.png").write_bytes(picture)
