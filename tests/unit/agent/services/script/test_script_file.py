"""A script file on its way: private, whole or not there at all."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from tentacle_agent.services.script.script_file import IncomingScriptFile


def test_stores_what_comes(tmp_path: pathlib.Path) -> None:
    file = IncomingScriptFile(str(tmp_path / "f"), None)
    file.write(b"one ")
    file.write(memoryview(b"two"))
    assert not file.complete
    file.close()
    assert file.complete
    assert (tmp_path / "f").read_bytes() == b"one two"
    assert stat.S_IMODE(os.stat(tmp_path / "f").st_mode) == 0o600


def test_a_password_hides_it_from_the_first_byte(tmp_path: pathlib.Path) -> None:
    file = IncomingScriptFile(str(tmp_path / "f"), "pass")
    file.write(b"plain text that is longer than a block")
    assert b"plain" not in (tmp_path / "f").read_bytes()
    file.close()
    assert (tmp_path / "f").read_bytes()[:4] == b"IV__"


@pytest.mark.parametrize("closed", [True, False])
def test_discarding_leaves_nothing_and_may_be_repeated(tmp_path: pathlib.Path, closed: bool) -> None:
    file = IncomingScriptFile(str(tmp_path / "f"), None)
    file.write(b"x")
    if closed:
        file.close()
    file.discard()
    file.discard()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="not open"):
        file.write(b"more")


def test_nothing_is_overwritten(tmp_path: pathlib.Path) -> None:
    (tmp_path / "f").write_text("mine")
    with pytest.raises(FileExistsError):
        IncomingScriptFile(str(tmp_path / "f"), None)
