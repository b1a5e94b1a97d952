# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as tests of verbs call it: in this process, on a machine that has no instance yet."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tentacle_agent.__main__ import main


class Outcome(NamedTuple):
    """What one call of the command line did."""

    code: int
    out: str
    err: str


@pytest.fixture(name="call")
def fixture_call(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Calls the command line in the directory `here`, with records below `machine`."""
    monkeypatch.setenv("TentacleMachineConfigurationHomeDirectory", str(tmp_path / "machine"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def call(*words: str) -> Outcome:
        code = main(words)
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(name="path")
def fixture_path(call: Callable[..., Outcome], tmp_path: pathlib.Path) -> str:
    """The configuration of an instance `web`."""
    path = str(tmp_path / "web" / "web.cfg")
    assert call("create-instance", "--instance=web", "--config", path).code == 0
    return path
