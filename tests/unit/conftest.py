"""Make the tree importable under both of its names.

* `module_utils` and `tentacle_agent`, as they lie side by side in the agent's bundle;
* `ansible_collections.listening.tentacle`, as Ansible imports modules and controller plugins.

No test file uses both names of one part: they would be two module objects for one source.
"""

from __future__ import annotations

import os
import pathlib
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _collections_path() -> pathlib.Path:
    """The directory above `ansible_collections` that leads to this tree; a checkout gets a link below `.dev`."""
    if _ROOT.parts[-3:] == ("ansible_collections", "listening", "tentacle"):
        return _ROOT.parents[2]
    path = _ROOT / ".dev" / "collections"
    link = path / "ansible_collections" / "listening" / "tentacle"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(_ROOT, link.parent))
    return path


for _path in (_ROOT / "files" / "agent", _ROOT / "plugins", _collections_path()):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))
