# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import original_tentacle as original_files

from ansible_collections.listening.tentacle.plugins.modules import tentacle_migration_info as module

Run = Callable[..., dict[str, Any]]


def test_every_recorded_instance_is_described(run_module: Run, tmp_path: pathlib.Path) -> None:
    path = original_files.write(tmp_path, b"0", "")
    found = run_module(module, configuration_home=str(tmp_path / "octopus"))
    assert not found["changed"]
    (one,) = found["instances"]
    assert (one["instance"], one["path"], one["port"]) == ("Tentacle", str(path), 10955)
    assert (one["service"], one["problem"]) == ("Tentacle.service", None)
    assert one["polling_thumbprints"] == [original_files.POLLED]


def test_a_file_that_cannot_be_read_is_a_problem_with_the_same_keys(run_module: Run, tmp_path: pathlib.Path) -> None:
    path = original_files.write(tmp_path, b"0", "")
    good = run_module(module, config=str(path))["instances"][0]
    path.write_text("no")
    bad = run_module(module, config=str(path))["instances"][0]
    assert bad.keys() == good.keys()
    assert "no valid XML" in bad["problem"]
    assert (bad["path"], bad["port"], bad["service"]) == (str(path), None, None)


def test_nothing_is_found_where_nothing_is(run_module: Run, tmp_path: pathlib.Path) -> None:
    assert run_module(module, configuration_home=str(tmp_path))["instances"] == []
    failed = run_module(module, instance="web", configuration_home=str(tmp_path))
    assert (failed["failed"], failed["cause"]) == (True, "instance_unknown")
