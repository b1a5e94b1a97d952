# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The library ``cryptography`` for modules that make or import identities, which many targets' Pythons do not have.

This module util is **private** to the collection. The agent's own Python has it, so a module goes on under that one.
"""

from __future__ import annotations

import importlib.util

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, probe_interpreters_for_module, respawn_module

from . import _agent_python

HAS_CRYPTOGRAPHY = importlib.util.find_spec("cryptography") is not None


def complaint_without_library(module: AnsibleModule) -> str | None:
    """None where this Python has the library. Otherwise the module is run again under one that has it, and this call
    does not return; where there is none, what is missing and how to get it.
    """
    if HAS_CRYPTOGRAPHY:
        return None
    wanted = module.params["agent_python"]
    candidates = [wanted, _agent_python.DISTRIBUTION_PYTHON]
    found = probe_interpreters_for_module([path for path in candidates if path], "cryptography")
    if found and not has_respawned():
        respawn_module(found)
    python = _agent_python.find(
        lambda words: module.run_command(words, expand_user_and_vars=False, handle_exceptions=False), wanted
    )
    return f"Cannot make or import the identity without cryptography. {python.complaint()}"
