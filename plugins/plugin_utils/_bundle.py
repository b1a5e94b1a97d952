# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's bundle: one zip application made from the collection's own sources.

This module is **private** to the collection.

The agent lives in two places, because modules on a target may import only from ``plugins/module_utils``: what both
need (protocol, diagnosis, instance files) lies there, the rest below ``files/agent``. ``build`` puts both side by
side into ``tentacle-agent.pyz``, which runs with nothing but Python and pyOpenSSL. It reads files and imports none.

The same sources give the same bytes on every controller: names are sorted, times and modes fixed, and entries are
stored rather than deflated, because zlib builds differ. So the check sum says which sources are installed.
"""

from __future__ import annotations

import ast
import hashlib
import io
import pathlib
import zipfile
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: (directory or file in the collection, name in the bundle)
PARTS = (
    ("files/agent/tentacle_agent", "tentacle_agent"),
    ("plugins/module_utils/_halibut", "module_utils/_halibut"),
    ("plugins/module_utils/_instance", "module_utils/_instance"),
    ("plugins/module_utils/_verify", "module_utils/_verify"),
    ("plugins/module_utils/_client", "module_utils/_client"),
    ("plugins/module_utils/_firewall", "module_utils/_firewall"),
    ("plugins/module_utils/_processes.py", "module_utils/_processes.py"),
    ("plugins/module_utils/_x509.py", "module_utils/_x509.py"),
)
VERSION_FILE = "files/agent/tentacle_agent/_version.py"

_GENERATED = {
    "__main__.py": b"""\
import gc

gc.disable()  # no verb leaves enough behind; the agent switches it on again once it runs

from tentacle_agent.__main__ import main

raise SystemExit(main())
""",
    "module_utils/__init__.py": b"",
}
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BundleError(Exception):
    """The collection's sources cannot be packed; the text says which part is missing and why that may be."""


class Bundle(NamedTuple):
    """The packed agent."""

    data: bytes
    version: str
    sha256: str


def build(root: pathlib.Path = ROOT) -> Bundle:
    """Pack the agent found in the collection at ``root``. Raises ``BundleError`` when a part is missing."""
    data = _pack(_collect(root))
    return Bundle(data=data, version=read_version(root), sha256=hashlib.sha256(data).hexdigest())


def read_version(root: pathlib.Path = ROOT) -> str:
    """The agent's version, read from its source without importing it."""
    path = root / VERSION_FILE
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as error:
        raise BundleError(_incomplete(path, error)) from error
    for node in tree.body:
        names = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        value = getattr(node, "value", None)
        if any(getattr(name, "id", None) == "VERSION" for name in names) and isinstance(value, ast.Constant):
            return str(value.value)
    raise BundleError(_incomplete(path, "it does not assign VERSION"))


def _collect(root: pathlib.Path) -> dict[str, bytes]:
    entries = dict(_GENERATED)
    for source, name in PARTS:
        path = root / source
        try:
            if path.is_dir():
                files = [(f"{name}/{file.relative_to(path).as_posix()}", file) for file in path.rglob("*.py")]
                if not files:
                    raise BundleError(_incomplete(path, "no Python file is in it"))
            else:
                files = [(name, path)]
            entries.update((entry, file.read_bytes()) for entry, file in files)
        except OSError as error:
            raise BundleError(_incomplete(path, error)) from error
    return entries


def _pack(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    out.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(out, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, entries[name])
    return out.getvalue()


def _incomplete(path: pathlib.Path, reason: object) -> str:
    return (
        f"Cannot pack the agent: {path} is not readable as a part of it ({reason}). "
        "The collection was probably installed in part, or a file was removed. "
        "Install it again with 'ansible-galaxy collection install --force'."
    )
