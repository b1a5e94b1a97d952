# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

from ansible_collections.listening.tentacle.plugins.plugin_utils import _bundle

ROOT = _bundle.ROOT
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")


def pythons() -> dict[str, str]:
    """Every Python here that the agent is to run under, by its version."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    places = [pathlib.Path(place) for place in os.environ.get("PATH", "").split(os.pathsep)]
    places += sorted(pathlib.Path("~/.pyenv/versions").expanduser().glob("*/bin"))
    for version in VERSIONS:
        for place in places:
            if "shims" not in place.parts and os.access(place / f"python{version}", os.X_OK):
                found.setdefault(version, str(place / f"python{version}"))
    return found


def copy_of_the_sources(target: pathlib.Path) -> pathlib.Path:
    for source, _name in _bundle.PARTS:
        place = target / source
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place)
        else:
            shutil.copy(ROOT / source, place)
    return target


def test_same_sources_give_the_same_bytes(tmp_path: pathlib.Path) -> None:
    first = _bundle.build()
    copy = copy_of_the_sources(tmp_path / "copy")
    for path in copy.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert _bundle.build(copy) == first


def test_another_source_gives_another_checksum(tmp_path: pathlib.Path) -> None:
    copy = copy_of_the_sources(tmp_path / "copy")
    (copy / "files/agent/tentacle_agent/page.py").write_text("# other\n")
    assert _bundle.build(copy).sha256 != _bundle.build().sha256


def test_holds_python_files_of_both_halves_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(_bundle.build().data)) as archive:
        names = archive.namelist()
        times = {info.date_time for info in archive.infolist()}
        modes = {info.external_attr >> 16 for info in archive.infolist()}
    assert all(name.endswith(".py") for name in names)
    assert names == sorted(names)
    assert {name.split("/")[0] for name in names} == {"__main__.py", "tentacle_agent", "module_utils"}
    assert "module_utils/_halibut/connection.py" in names
    assert times == {(1980, 1, 1, 0, 0, 0)}
    assert modes == {0o100644}


def test_version_is_the_agents() -> None:
    assert _bundle.build().version == _bundle.read_version()
    assert _bundle.read_version().count(".") == 2


@pytest.mark.parametrize("missing", ["plugins/module_utils/_halibut", "files/agent/tentacle_agent/_version.py"])
def test_names_a_missing_part(tmp_path: pathlib.Path, missing: str) -> None:
    copy = copy_of_the_sources(tmp_path / "copy")
    place = copy / missing
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(_bundle.BundleError, match=r"Install it again") as raised:
        _bundle.build(copy)
    assert str(place) in str(raised.value)


def test_says_when_the_version_is_not_assigned(tmp_path: pathlib.Path) -> None:
    copy = copy_of_the_sources(tmp_path / "copy")
    (copy / _bundle.VERSION_FILE).write_text("")
    with pytest.raises(_bundle.BundleError, match="does not assign VERSION"):
        _bundle.build(copy)


@pytest.mark.parametrize("version", VERSIONS)
def test_runs_alone_under(version: str, tmp_path: pathlib.Path) -> None:
    if version not in pythons():
        pytest.skip(f"Python {version} is not here")
    bundle = _bundle.build()
    path = tmp_path / "tentacle-agent.pyz"
    path.write_bytes(bundle.data)
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    for program in (path, unpacked):
        finished = subprocess.run(
            [pythons()[version], "-I", str(program), "version"],
            env={},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (finished.returncode, finished.stdout.strip(), finished.stderr) == (0, bundle.version, "")
