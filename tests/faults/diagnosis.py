# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the module, as Ansible calls it, what is wrong: in this process, in a host's network."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible_command import adhoc
from stage import PORT, Stage

from ansible_collections.listening.tentacle.plugins.modules import tentacle_script, tentacle_verify

SECONDS = 4  # for each step: long for networks like these, short for those who wait
_INSTEAD = {"endpoints": ("host", "thumbprint"), "compare": ("host", "thumbprint", "client_cert")}


def diagnose(stage: Stage, changes: dict[str, Any]) -> dict[str, Any]:
    """The module's result with the usual options, but for `changes`; `seen_from` names the host that it runs on.

    Of several `endpoints` it is the first one's.
    """
    place, options = _options(stage, changes)
    result = _run(stage, place, tentacle_verify, options)
    return dict(result["results"][0]) if "results" in result else result


def ask_as_user(stage: Stage, changes: dict[str, Any]) -> str:
    """What somebody sees who asks with Ansible's own command, and the command."""
    place, options = _options(stage, changes)
    words = " ".join(f"{name}={value}" for name, value in options.items() if value is not None)
    with stage[place].network:
        run = adhoc("tentacle_verify", options)
    return f"$ ansible localhost -m tentacle_verify -a '{words}'\n{run.output}"


def run_script(stage: Stage, script: str) -> None:
    """Let the agent run a script, as the server that it trusts."""
    result = _run(stage, "client", tentacle_script, {**_usual(stage), "script": script})
    if result.get("failed"):
        raise RuntimeError(str(result))


def _options(stage: Stage, changes: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The host to ask on, and the module's options."""
    options = {**_usual(stage), **changes}
    for option, others in _INSTEAD.items():
        if option in options:
            options = {name: value for name, value in options.items() if name not in others}
    return options.pop("seen_from", "client"), options


def _usual(stage: Stage) -> dict[str, Any]:
    return {
        "host": stage["web01"].ipv4,
        "port": PORT,
        "thumbprint": stage.identities.agent.thumbprint,
        "client_cert": str(stage.identities.server.path),
        "timeout": SECONDS,
    }


def _run(stage: Stage, place: str, module: Any, options: dict[str, Any]) -> dict[str, Any]:
    printed = io.StringIO()
    network = stage[place].network
    with contextlib.suppress(SystemExit), network, patch_module_args(options), contextlib.redirect_stdout(printed):
        module.main()
    result = dict(json.loads(printed.getvalue()))
    return {name: value for name, value in result.items() if name not in ("warnings", "deprecations")}
