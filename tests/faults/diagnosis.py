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
from stage import PORT, Stage

from ansible_collections.listening.tentacle.plugins.modules import tentacle_verify

SECONDS = 2  # for each step: long for networks like these, short for those who wait


def diagnose(stage: Stage, changes: dict[str, Any]) -> dict[str, Any]:
    """The module's result with the usual options, but for `changes`; `seen_from` names the host that it runs on.

    Of several `endpoints` it is the first one's.
    """
    options = {
        "host": stage["web01"].ipv4,
        "port": PORT,
        "thumbprint": stage.identities.agent.thumbprint,
        "client_cert": str(stage.identities.server.path),
        "timeout": SECONDS,
        **changes,
    }
    if "endpoints" in options:
        del options["host"], options["thumbprint"]
    place = stage[options.pop("seen_from", "client")]
    printed = io.StringIO()
    with (
        contextlib.suppress(SystemExit),
        place.network,
        patch_module_args(options),
        contextlib.redirect_stdout(printed),
    ):
        tentacle_verify.main()
    result = dict(json.loads(printed.getvalue()))
    return dict(result["results"][0]) if "results" in result else result
