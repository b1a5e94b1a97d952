# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package that is deployed: an archive that has the same bytes whoever makes it, whenever."""

from __future__ import annotations

import gzip
import hashlib
import io
import pathlib
import tarfile

SOURCE = pathlib.Path(__file__).resolve().parent / "package"


def build(source: pathlib.Path = SOURCE) -> bytes:
    """A .tar.gz of ``source``: names sorted, owners and times fixed, scripts executable."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(source.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                member = tarfile.TarInfo(path.relative_to(source).as_posix())
                member.mode = 0o755 if path.suffix == ".sh" else 0o644
                data = path.read_bytes()
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return gzip.compress(archive.getvalue(), compresslevel=9, mtime=0)


def version(package: bytes) -> str:
    """A version that changes with the content, so that each content has a directory of its own."""
    return f"1.0.0-{hashlib.sha256(package).hexdigest()[:8]}"
