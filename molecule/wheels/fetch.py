# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`fetch.py LIST DIRECTORY PYTHON...`: the wheels of a hashed list that Linux hosts with these Pythons need.

pip judges the conditions of a list by the Python that it runs on itself, so they are judged here for each Python.
"""

from __future__ import annotations

import pathlib
import platform
import re
import subprocess
import sys
import tempfile

from packaging.requirements import Requirement

# The C libraries of Debian 11 and of what its wheels were built for.
_MANYLINUX = ("manylinux_2_31", "manylinux_2_28", "manylinux_2_17", "manylinux2014")


def main(listed: str, directory: str, *pythons: str) -> None:
    text = pathlib.Path(listed).read_text()
    entries = re.findall(r"^([^\s#].*?) \\\n((?: +--hash=\S+(?: \\)?\n)+)", text, re.MULTILINE)
    for python in pythons:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.writelines(f"{pin} \\\n{hashes}" for condition, hashes in entries if (pin := _pin(condition, python)))
            file.flush()
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
            command += ["--only-binary", ":all:", "--python-version", python, "--dest", directory]
            command += [f"--platform={name}_{platform.machine()}" for name in _MANYLINUX]
            subprocess.run([*command, "--requirement", file.name], check=True)


def _pin(entry: str, python: str) -> str | None:
    """The entry without its condition, if that holds for a Python such as 3.11.2."""
    requirement = Requirement(entry)
    surroundings = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    if requirement.marker is not None and not requirement.marker.evaluate(surroundings):
        return None
    return f"{requirement.name}{requirement.specifier}"


if __name__ == "__main__":
    main(*sys.argv[1:])
