# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils import basic

from ansible_collections.listening.tentacle.plugins.modules import tentacle_script as module


def test_scripts_and_files_do_not_go_to_the_systems_log(
    run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[Any] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda module, *words, **more: logged.append((words, more)))
    file = {"name": "variables.json", "content": "a secret", "password": "its password"}
    options = {"host": "127.0.0.1", "thumbprint": "00" * 20, "client_cert": "/none.pem", "script": "true"}
    result = run_module(module, check=True, files=[file], _ansible_no_log=False, **options)
    assert "/none.pem" in result["msg"]
    assert logged == []
