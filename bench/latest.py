# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The latest figures in a README."""

from __future__ import annotations

import pathlib

from processes import BenchError


def replace(readme: pathlib.Path, mark: str, text: str) -> None:
    """Put ``text`` between the comments ``mark`` and ``/mark``. Raises BenchError where the file has no such place."""
    before, begin, rest = readme.read_text(encoding="utf-8").partition(f"<!-- {mark} -->\n")
    _old, end, after = rest.partition(f"<!-- /{mark} -->")
    if not begin or not end:
        raise BenchError(f"{readme} has no place for the latest figures between <!-- {mark} --> and <!-- /{mark} -->")
    readme.write_text(f"{before}{begin}{text}\n{end}{after}", encoding="utf-8")
