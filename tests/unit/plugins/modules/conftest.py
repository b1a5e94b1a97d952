# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module in this process: arguments in, its result or failure out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

Run = Callable[..., dict[str, Any]]


class _Ended(Exception):
    """The module ended with this result."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(json.dumps(result, default=str))
        self.result = result


@pytest.fixture
def run_module(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call as ``run_module(module, check=False, **options)``; a failure comes back with ``failed``."""

    def end(_module: basic.AnsibleModule, failed: bool = False, **result: Any) -> None:
        raise _Ended(dict(result, failed=True) if failed else result)

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **result: end(module, failed=True, **result))

    def run(module: Any, check: bool = False, **options: Any) -> dict[str, Any]:
        with patch_module_args(dict(options, _ansible_check_mode=check, _ansible_diff=True)):
            try:
                module.main()
            except _Ended as ended:
                json.dumps(ended.result)  # what a module returns has to be JSON
                return ended.result
        raise AssertionError("the module did not end with a result")

    return run
