# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.listening.tentacle.plugins.module_utils import _rotation
from ansible_collections.listening.tentacle.plugins.module_utils._instance import files, identity
from ansible_collections.listening.tentacle.plugins.modules import tentacle_certificate, tentacle_instance
from ansible_collections.listening.tentacle.plugins.modules import tentacle_rotation as module

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def home(tmp_path: pathlib.Path, run_module: Run) -> pathlib.Path:
    place = {"instance": "web", "configuration_home": str(tmp_path / "etc")}
    made = run_module(tentacle_instance, home_directory=str(tmp_path / "home"), **place)
    assert not made.get("failed"), made
    assert run_module(tentacle_certificate, key_type="ec", subject="Web 1", **place)["changed"]
    return tmp_path


@pytest.fixture
def rotate(home: pathlib.Path, run_module: Run) -> Run:
    place = {"instance": "web", "configuration_home": str(home / "etc"), "rotation": "one"}
    return lambda state, check=False, **options: run_module(module, check, **{**place, "state": state, **options})


def folder(home: pathlib.Path) -> pathlib.Path:
    return home / "etc" / "web"


def names(home: pathlib.Path) -> set[str]:
    return {name for name in os.listdir(folder(home)) if name.startswith("identity")}


def in_force(home: pathlib.Path) -> str:
    return identity.thumbprints_of((folder(home) / "identity.pem").read_bytes()).sha1


def test_the_way_of_a_rotation_each_step_once(rotate: Run, home: pathlib.Path) -> None:
    old = in_force(home)
    foreseen, staged, again = rotate("staged", check=True), rotate("staged"), rotate("staged")
    assert (foreseen["changed"], staged["changed"], again["changed"]) == (True, True, False)
    assert (foreseen["stage"], foreseen["next_thumbprint"]) == ("staged", None)
    assert (staged["thumbprint"], in_force(home)) == (old, old)
    new = staged["next_thumbprint"]
    assert new not in (None, old)

    foreseen, active, again = rotate("active", check=True), rotate("active"), rotate("active")
    assert (foreseen["changed"], active["changed"], again["changed"]) == (True, True, False)
    assert (foreseen["thumbprint"], active["thumbprint"], in_force(home)) == (new, new, new)
    assert (active["previous_thumbprint"], active["next_thumbprint"]) == (old, None)
    assert not rotate("staged")["changed"]

    finished, again = rotate("finished"), rotate("finished")
    assert (finished["changed"], again["changed"], finished["stage"]) == (True, False, "finished")
    assert names(home) == {"identity.pem", "identity.pem.rotation"}
    assert not rotate("active")["changed"]
    assert in_force(home) == new
    assert foreseen.keys() == finished.keys()


def test_the_next_identity_is_like_the_present_one_and_as_private(rotate: Run, home: pathlib.Path) -> None:
    (folder(home) / "identity.pem").chmod(0o640)
    rotate("staged")
    facts = identity.describe((folder(home) / "identity.pem.next").read_bytes())
    assert (facts["subject"], facts["key_type"]) == ("CN=Web 1", "ec")
    assert {(folder(home) / name).stat().st_mode & 0o777 for name in names(home)} == {0o640}


@pytest.mark.parametrize("reached", ["staged", "active"])
def test_what_is_not_finished_can_be_taken_back_and_begun_again(
    rotate: Run, home: pathlib.Path, reached: str
) -> None:
    old = in_force(home)
    rotate(reached)
    foreseen, back, again = rotate("rolled_back", check=True), rotate("rolled_back"), rotate("rolled_back")
    assert (foreseen["thumbprint"], back["thumbprint"], in_force(home)) == (old, old, old)
    assert (foreseen["changed"], back["changed"], again["changed"]) == (True, True, False)
    assert names(home) == {"identity.pem", "identity.pem.rotation"}
    assert rotate("active")["previous_thumbprint"] == old


def test_each_name_is_a_rotation_of_its_own(rotate: Run, home: pathlib.Path) -> None:
    rotate("active")
    refused = rotate("staged", rotation="two")
    assert "in the middle of the rotation 'one', which is active" in refused["msg"]
    rotate("finished")
    first = in_force(home)
    assert rotate("active", rotation="two")["previous_thumbprint"] == first
    assert in_force(home) != first


@pytest.mark.parametrize(
    ("before", "state", "words"),
    [
        ([], "finished", "takes no part"),
        ([], "rolled_back", "takes no part"),
        (["staged"], "finished", "cannot become finished"),
        (["active", "finished"], "rolled_back", "cannot become rolled_back"),
        (["staged", "rolled_back"], "finished", "cannot become finished"),
    ],
)
def test_steps_that_cannot_be_taken_say_why(rotate: Run, before: list[str], state: str, words: str) -> None:
    for step in before:
        assert rotate(step)["changed"]
    refused = rotate(state)
    assert (refused["failed"], refused["cause"]) == (True, "invalid_input")
    assert words in refused["msg"]


def test_a_crash_between_any_two_writes_leaves_a_stage_to_go_on_from(
    rotate: Run, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(Exception):
        pass

    def crash_before(number: int) -> Callable[..., None]:
        count = iter(range(1000))

        def act(real: Callable[..., None], *arguments: Any) -> None:
            if next(count) == number:
                raise Crash
            real(*arguments)

        return act

    write, remove = files.write_atomically, _rotation._remove
    for state, result in (("staged", "staged"), ("active", "active"), ("finished", "finished")):
        for number in range(10):
            act = crash_before(number)
            monkeypatch.setattr(files, "write_atomically", lambda *words, act=act: act(write, *words))
            monkeypatch.setattr(_rotation, "_remove", lambda *words, act=act: act(remove, *words))
            try:
                rotate(state)
                break
            except Crash:
                assert in_force(home)
        assert rotate(state)["stage"] == result
    assert names(home) == {"identity.pem", "identity.pem.rotation"}


def test_without_an_identity_there_is_nothing_to_rotate(rotate: Run, home: pathlib.Path) -> None:
    (folder(home) / "identity.pem").unlink()
    assert "none to rotate" in rotate("staged")["msg"]


def test_an_identity_replaced_by_other_means_belongs_to_no_rotation(rotate: Run, home: pathlib.Path) -> None:
    rotate("staged")
    (folder(home) / "identity.pem").write_bytes(identity.create(key_type="ec"))
    assert "takes no part" in rotate("rolled_back")["msg"]
    assert rotate("active")["previous_thumbprint"] is not None
