# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away identity: made beside other work, once, and gone with its process at the end."""

from __future__ import annotations

import os
import pathlib
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from module_utils._verify.throwaway import throwaway


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_all_who_ask_get_the_same_identity_while_it_lasts() -> None:
    with throwaway() as impostor, ThreadPoolExecutor(8) as threads:
        assert impostor is not None
        made = set(threads.map(lambda _number: impostor(), range(8)))
        assert len(made) == 1
        identity = made.pop()
        assert identity is not None
        assert identity.facts.key_type == "EC"
        assert identity.facts.subject == "CN=Throw-away of a check"
        assert os.path.isfile(identity.key)
    assert not os.path.exists(os.path.dirname(identity.key))


def test_none_where_there_is_no_program(tmp_path: pathlib.Path) -> None:
    with throwaway("no-such-program") as impostor:
        assert impostor is None
    broken = tmp_path / "broken"
    broken.write_bytes(b"no program")
    broken.chmod(0o755)
    with throwaway(str(broken)) as impostor:
        assert impostor is None


@pytest.mark.parametrize("ending", ["exit 1", "exit 0"])
def test_gives_none_where_the_program_makes_nothing(tmp_path: pathlib.Path, ending: str) -> None:
    with throwaway(script(tmp_path, ending)) as impostor:
        assert impostor is not None
        assert impostor() is None


def test_a_program_that_nobody_waits_for_is_ended(tmp_path: pathlib.Path) -> None:
    note = tmp_path / "pid"
    begin = time.monotonic()
    with throwaway(script(tmp_path, f"echo $$ > {note}.new; mv {note}.new {note}; exec sleep 60")):
        while not note.exists():
            assert time.monotonic() - begin < 15
            time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def script(directory: pathlib.Path, text: str) -> str:
    path = directory / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)
