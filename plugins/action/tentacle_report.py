# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a report on the controller and writes it where the task runs, as `ansible.builtin.copy` writes files."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ansible_collections.listening.tentacle.plugins.module_utils._halibut import thumbprint
from ansible_collections.listening.tentacle.plugins.plugin_utils._report import (
    changes,
    document,
    junit,
    page,
    prometheus,
)

FORMS = {"json": document.dump, "html": page.render, "junit": junit.render, "prometheus": prometheus.render}
SPECIFICATION: dict[str, Any] = {
    "results": {"type": "list", "elements": "dict", "default": []},
    "sources": {"type": "list", "elements": "path", "default": []},
    "previous": {"type": "path"},
    "title": {"type": "str", "default": "Tentacles"},
    "allowed_shared_thumbprints": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "raw", "default": "0644"},
    **{form: {"type": "path"} for form in FORMS},
}


class ActionModule(ActionBase):
    """Render all forms first, so that nothing is written where one cannot be made."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        del tmp
        _unused, options = self.validate_argument_spec(SPECIFICATION, required_one_of=[tuple(FORMS)])
        try:
            made = _document(options)
        except (document.ReportError, ValueError) as error:
            return result | {"failed": True, "cause": "invalid_input", "msg": f"No report was written: {error}"}
        result.update(
            changed=False, files=[], diff=[], msg=made["sentence"], totals=made["totals"], changes=made["changes"],
            checked_at=made["checked_at"], shared_identities=made["shared_identities"],
        )  # fmt: skip
        for form, render in FORMS.items():
            if options[form]:
                written = self._write(render(made), options[form], options["mode"], task_vars or {})
                if written.get("failed"):
                    return result | written
                result["changed"] |= bool(written.get("changed"))
                result["files"].append({"format": form, "path": options[form], "changed": bool(written.get("changed"))})
                result["diff"].extend(_listed(written.get("diff")))
        return result

    def _write(self, text: str, path: str, mode: Any, task_vars: dict[str, Any]) -> dict[str, Any]:
        descriptor, local = tempfile.mkstemp(dir=C.DEFAULT_LOCAL_TMP, prefix="tentacle-report-")
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(text.encode("utf-8", "replace"))
            task = self._task.copy()
            task.args = {"src": local, "dest": path, "mode": mode}
            copier = self._shared_loader_obj.action_loader.get(
                "ansible.legacy.copy",
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            written: dict[str, Any] = copier.run(task_vars=task_vars)
            return written
        finally:
            os.unlink(local)


def _document(options: dict[str, Any]) -> document.Document:
    """The document of this task. Raises ReportError, and ValueError for a thumbprint that is none."""
    if not options["results"] and not options["sources"]:
        raise document.ReportError("There is nothing to report: results and sources are empty.")
    before = document.load(options["previous"]) if options["previous"] else None
    allowed = [thumbprint.normalise(text) for text in options["allowed_shared_thumbprints"]]
    pieces = [*map(document.load, options["sources"]), *options["results"]]
    made = document.build(pieces, options["title"], allowed)
    if before is not None:
        made["changes"] = changes.compare(before, made)
    return made


def _listed(diff: Any) -> list[Any]:
    return diff if isinstance(diff, list) else [diff] if diff else []
