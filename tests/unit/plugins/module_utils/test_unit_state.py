# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a service manager need not be asked about a running agent."""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Callable

import pytest

from module_utils import _unit_state

NAME = "tentacle-agent@web.service"
CGROUP = "0::/system.slice/system-tentacle\\x2dagent.slice/{}\n"


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path) -> pathlib.Path:
    """A unit that starts with the host, and the process 47 that it started, a minute after now."""
    (tmp_path / "units" / "multi-user.target.wants").mkdir(parents=True)
    (tmp_path / "units" / NAME).write_text("[Service]\n")
    (tmp_path / "units" / "multi-user.target.wants" / NAME).symlink_to(tmp_path / "units" / NAME)
    process = tmp_path / "proc" / "47"
    process.mkdir(parents=True)
    (process / "cgroup").write_text(CGROUP.format(NAME))
    start_process(tmp_path, 60)
    return tmp_path


def start_process(host: pathlib.Path, seconds: float) -> None:
    """Let the process have been started so many seconds from now."""
    ticks = int((time.clock_gettime(time.CLOCK_BOOTTIME) + seconds) * os.sysconf("SC_CLK_TCK"))
    (host / "proc" / "47" / "stat").write_text(f"47 (a name) with) S {' '.join(['1'] * 18)} {ticks} 9 9\n")


def is_current(host: pathlib.Path) -> bool:
    return _unit_state.is_current(47, NAME, str(host / "units"), str(host / "proc"))


def test_a_process_of_the_unit_as_it_is_on_the_disk_is_current(host: pathlib.Path) -> None:
    assert is_current(host)
    (host / "units" / f"{NAME}.d").mkdir()
    (host / "units" / f"{NAME}.d" / "more.conf").write_text("[Service]\n")
    assert is_current(host)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda host: start_process(host, -60), id="the unit was written after the start"),
        pytest.param(lambda host: (host / "units" / NAME).unlink(), id="no unit"),
        pytest.param(
            lambda host: (host / "units" / "multi-user.target.wants" / NAME).unlink(), id="not started with the host"
        ),
        pytest.param(
            lambda host: (host / "proc" / "47" / "cgroup").write_text(CGROUP.format("ssh.service")), id="another unit"
        ),
        pytest.param(lambda host: (host / "proc" / "47" / "cgroup").unlink(), id="the process has ended"),
        pytest.param(lambda host: (host / "proc" / "47" / "stat").write_text("47 (odd)\n"), id="an odd kernel"),
    ],
)
def test_whatever_differs_makes_it_not_current(host: pathlib.Path, change: Callable[[pathlib.Path], object]) -> None:
    change(host)
    assert not is_current(host)


def test_a_drop_in_counts_like_the_unit(host: pathlib.Path) -> None:
    directory = host / "units" / f"{NAME}.d"
    directory.mkdir()
    start_process(host, 1)
    deadline = time.monotonic() + 10
    while is_current(host) and time.monotonic() < deadline:
        (directory / "more.conf").write_text("[Service]\n")
        time.sleep(0.1)
    assert not is_current(host), "a drop-in is newer than the process"


def test_a_real_process_began_after_this_test(tmp_path: pathlib.Path) -> None:
    assert 0 < time.time() - _unit_state._start(os.getpid(), "/proc") < 24 * 3600
