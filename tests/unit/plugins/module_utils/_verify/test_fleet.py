# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many endpoints at once: what may be listed, how it is spread, and what is concluded from all of them."""

from __future__ import annotations

import resource
import threading
from collections import Counter
from typing import Any

import pytest

from module_utils._client.endpoint import Endpoint
from module_utils._client.errors import ClientError
from module_utils._fleet_check import Progress, check_fleet
from module_utils._verify import fleet
from module_utils._verify.result import Result
from module_utils._verify.steps import Options

PIN = "AB" * 20


def listed(*entries: dict[str, Any]) -> list[fleet.Target]:
    return fleet.targets(entries, 10933)


# What may be listed


def test_names_and_defaults() -> None:
    found = listed(
        {"host": "a"}, {"host": "a", "port": 1}, {"host": "[::1]", "name": "six", "thumbprint": "ab:" * 19 + "ab"}
    )
    assert found == [("a", Endpoint("a", 10933)), ("a:1", Endpoint("a", 1)), ("six", Endpoint("::1", 10933, PIN))]


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([], "list of endpoints is empty"),
        ([{"host": "a"}, {"host": "https://b/"}], r"endpoints\[1\] \(https://b/\): .* is a URL"),
        ([{"host": " ", "name": "web"}], r"endpoints\[0\] \(web\): The host is empty"),
        ([{"name": None, "host": None}], r"endpoints\[0\] \(without a host\)"),
        ([{"host": "a", "thumbprint": "AB" * 19}], r"endpoints\[0\] \(a\): .*40"),
        ([{"host": "a", "port": 70000}], "70000 is no port"),
        ([{"host": "a"}, {"host": "b"}, {"host": "A.", "port": 10933}], r"endpoints\[2\].*endpoints\[0\] is already"),
    ],
)
def test_what_cannot_be_checked_is_named_in_one_sentence(entries: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(ClientError, match=sentence) as caught:
        listed(*entries)
    assert caught.value.cause == "invalid_input"


def test_there_is_an_end_to_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MAX_ENDPOINTS", 2)
    with pytest.raises(ClientError, match="3 endpoints are more than 2"):
        listed({"host": "a"}, {"host": "b"}, {"host": "c"})


# How it is spread


def test_all_that_fit_are_under_way_at_once_and_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(10)

    def verify(endpoint: Endpoint, _options: Options) -> Result:
        barrier.wait(10)  # breaks unless ten are here at the same time
        return Result(endpoint)

    monkeypatch.setattr(fleet, "verify", verify)
    monkeypatch.setattr(fleet, "WATCH_SECONDS", 0)
    wanted = listed(*({"host": f"host{number}"} for number in range(30)))
    seen: list[int] = []
    results = fleet.check_all(wanted, Options(), 10, lambda done, _causes: seen.append(done))
    assert [(each["name"], each["host"]) for each in results] == [(target.name, target.name) for target in wanted]
    assert seen[-1] == 30


def test_names_wait_behind_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def verify(endpoint: Endpoint, _options: Options) -> Result:
        order.append(endpoint.host)
        return Result(endpoint)

    monkeypatch.setattr(fleet, "verify", verify)
    wanted = listed(*({"host": host} for host in ("name", "::1", "n2.example", "127.0.0.1")))
    fleet.check_all(wanted, Options(), 1)
    assert order == ["::1", "127.0.0.1", "name", "n2.example"]


def test_a_busy_process_begins_no_more_than_a_few() -> None:
    clock, work = [0.0], [0.0]
    pace = fleet.Pace(100, lambda: clock[0], lambda: work[0])
    assert pace.more(0) == fleet.FEW
    assert pace.more(fleet.FEW - 3) == 3
    assert pace.more(fleet.FEW) == 0  # too soon to judge
    for share, more in ((1.3, 0), (fleet.BUSY_SHARE, 0), (0.1, fleet.FEW_MORE), (0.9, 0)):
        clock[0] += 0.1
        work[0] += 0.1 * share
        assert pace.more(50) == more
    clock[0] += 0.1
    assert pace.more(97) == 3
    assert fleet.Pace(5, lambda: clock[0], lambda: work[0]).more(0) == 5


def test_a_large_limit_is_reached_in_a_second() -> None:
    clock, under_way = [0.0], 0
    pace = fleet.Pace(2000, lambda: clock[0], lambda: 0.0)
    for _tick in range(60):
        clock[0] += fleet.TICK_SECONDS * 1.01
        under_way += pace.more(under_way)
    assert under_way == 2000


def test_a_mistake_of_ours_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(endpoint: Endpoint, _options: Options) -> Result:
        raise ZeroDivisionError(endpoint.host)

    monkeypatch.setattr(fleet, "verify", verify)
    with pytest.raises(ZeroDivisionError):
        fleet.check_all(listed({"host": "a"}, {"host": "b"}), Options())


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "possible"), [(1024, 4096, 864, 100), (256, 464, 464, 50), (9, 9, 9, 1)]
)
def test_open_files_bound_the_concurrency(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int, possible: int
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _which, pair: limits.append(pair))
    assert fleet._possible(100) == possible
    assert limits[-1][0] == max(soft, raised)


def test_checks_again_only_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = listed({"host": "a"}, {"host": "b"})
    good, bad = Result(wanted[0].endpoint), Result(wanted[1].endpoint)
    bad.blame(ClientError("refused", "Not yet."))
    results = [fleet.named(target, result) for target, result in zip(wanted, (good, bad))]
    kept = results[0]
    monkeypatch.setattr(fleet, "verify", lambda endpoint, _options: Result(endpoint))
    fleet.check_again(wanted, results, Options())
    assert results[0] is kept
    assert [(each["name"], each["cause"], each["attempts"]) for each in results] == [("a", "ok", 1), ("b", "ok", 2)]


# The run as a module has it


def test_rounds_until_all_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()

    def verify(endpoint: Endpoint, _options: Options) -> Result:
        calls[endpoint.host] += 1
        result = Result(endpoint)
        if endpoint.host == "late" and calls["late"] < 3:
            result.blame(ClientError("refused", "Not yet."))
        return result

    monkeypatch.setattr(fleet, "verify", verify)
    options = {"endpoints": [{"host": "late"}, {"host": "good"}], "port": 10933, "concurrency": 5, "retries": 5,
               "delay": 0, "allowed_shared_thumbprints": []}  # fmt: skip
    facts = check_fleet(options, Options(), lambda _text: None)
    assert calls == {"late": 3, "good": 1}
    assert facts["cause"] == "ok"
    assert [(each["name"], each["attempts"]) for each in facts["results"]] == [("late", 3), ("good", 1)]
    for wrong in ({"concurrency": 0}, {"allowed_shared_thumbprints": ["x"]}):
        with pytest.raises(ClientError, match=next(iter(wrong))):
            check_fleet({**options, **wrong}, Options(), lambda _text: None)


def test_progress_is_said_less_often_the_longer_it_takes() -> None:
    clock, said = [0.0], []
    progress = Progress(1000, said.append, lambda: clock[0])
    for second in range(1, 601):
        clock[0] = float(second)
        progress.watch(second, Counter({"ok": second - 1, "filtered": 1}))
    assert said[0] == "2 of 1,000 endpoints checked in 2 s; to repair so far: filtered 1"
    assert 50 < len(said) < 100
