# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.modules import tentacle_trust as module

ONE = "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12"
TWO = "A9993E364706816ABA3E25717850C26C9CD0D89D"
LONG = "D7A8FBB307D7809469CA9ABCB0082E4F8D5651E46D3CDB762D02D0BF37C9E592"

Trust = Callable[..., dict[str, Any]]


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "tentacle.json"
    path.write_text(json.dumps({"instance": None, "trusted_servers": [{"thumbprint": ONE, "squid": "SQ-1"}]}))
    return path


@pytest.fixture
def trust(run_module: Callable[..., dict[str, Any]], config: pathlib.Path) -> Trust:
    return lambda **options: run_module(module, **{"config": str(config), **options})


def trusted(config: pathlib.Path) -> list[str]:
    return [server["thumbprint"] for server in json.loads(config.read_text())["trusted_servers"]]


SPELLINGS = [
    TWO,
    TWO.lower(),
    ":".join(TWO[i : i + 2] for i in range(0, 40, 2)),
    " ".join(TWO[i : i + 4] for i in range(0, 40, 4)).lower(),
    "\u200e" + TWO,
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_adds_any_spelling_once(trust: Trust, config: pathlib.Path, spelling: str) -> None:
    foreseen = trust(trusted_thumbprints=[spelling], check=True)
    assert trusted(config) == [ONE]
    first = trust(trusted_thumbprints=[spelling])
    second = trust(trusted_thumbprints=[spelling])
    assert foreseen == first
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["trusted_thumbprints"] == second["trusted_thumbprints"] == sorted([ONE, TWO])
    assert (first["added"], first["removed"], second["added"]) == ([TWO], [], [])
    assert first["diff"] == {
        "before": {"trusted_thumbprints": [ONE]},
        "after": {"trusted_thumbprints": sorted([ONE, TWO])},
    }


def test_sha256_is_kept_as_such(trust: Trust, config: pathlib.Path) -> None:
    assert trust(trusted_thumbprints=[LONG.lower()])["changed"]
    assert trusted(config) == [ONE, LONG]


def test_removes(trust: Trust, config: pathlib.Path) -> None:
    assert trust(trusted_thumbprints=[ONE.lower(), TWO], state="absent")["removed"] == [ONE]
    assert not trust(trusted_thumbprints=[ONE], state="absent")["changed"]
    assert trusted(config) == []


def test_exclusive_sets_in_one_step(trust: Trust, config: pathlib.Path) -> None:
    result = trust(trusted_thumbprints=[TWO, LONG], exclusive=True)
    assert (result["added"], result["removed"]) == (sorted([TWO, LONG]), [ONE])
    assert not trust(trusted_thumbprints=[LONG, TWO], exclusive=True)["changed"]
    assert trust(trusted_thumbprints=[], exclusive=True)["trusted_thumbprints"] == []


def test_exclusive_keeps_what_is_known_of_a_server_that_stays(trust: Trust, config: pathlib.Path) -> None:
    trust(trusted_thumbprints=[ONE, TWO], exclusive=True)
    assert json.loads(config.read_text())["trusted_servers"][0]["squid"] == "SQ-1"


def test_swaps(trust: Trust, config: pathlib.Path) -> None:
    assert trust(old_thumbprint=ONE.lower(), new_thumbprint=TWO)["changed"]
    assert trusted(config) == [TWO]
    assert not trust(old_thumbprint=ONE, new_thumbprint=TWO)["changed"]


@pytest.mark.parametrize("wrong", [ONE[:-1], "nonsense", ONE + "00"])
def test_refuses_what_is_no_thumbprint(trust: Trust, config: pathlib.Path, wrong: str) -> None:
    before = config.read_text()
    result = trust(trusted_thumbprints=[TWO, wrong])
    assert result["failed"]
    assert result["cause"] == "thumbprint_invalid"
    assert wrong in result["msg"]
    assert config.read_text() == before


@pytest.mark.parametrize("options", [{"state": "absent"}, {"old_thumbprint": ONE, "new_thumbprint": TWO}])
def test_refuses_contradictions(trust: Trust, options: dict[str, str]) -> None:
    given = {} if "old_thumbprint" in options else {"trusted_thumbprints": [ONE]}
    result = trust(exclusive=True, **given, **options)
    assert result["failed"]
    assert result["cause"] == "invalid_input"


def test_missing_instance_fails_and_says_what_to_do(trust: Trust, tmp_path: pathlib.Path) -> None:
    options = {"config": str(tmp_path / "other.json"), "trusted_thumbprints": [ONE]}
    result = trust(**options)
    assert result["failed"]
    assert result["cause"] == "instance_unknown"
    assert "listening.tentacle.tentacle_instance" in result["msg"]
    assert trust(check=True, **options)["added"] == [ONE]


def test_a_configuration_with_unknown_keys_is_refused(trust: Trust, config: pathlib.Path) -> None:
    config.write_text(json.dumps({"instance": None, "prot": 1}))
    result = trust(trusted_thumbprints=[ONE])
    assert result["cause"] == "configuration_invalid"
    assert "'prot'" in result["msg"]
