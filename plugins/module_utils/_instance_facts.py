# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The instances of a host as modules return them: configuration, trust, certificate, process, and who holds a port.

This module util is **private** to the collection. It reads, and needs the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import _choice, _identity_file, _processes, _unit_state
from ._instance import configuration, files, paths
from ._instance.errors import InstanceError


def of_choice(choice: _choice.Choice) -> list[dict[str, Any]]:
    """The chosen instance in a list, or an empty list where nothing of it is there."""
    found = describe(choice.name, choice.path)
    return [found] if choice.exists or choice.recorded or found["process"] else []


def describe(name: str | None, path: str) -> dict[str, Any]:
    """One instance, as far as it can be read."""
    facts: dict[str, Any] = {
        "instance": name,
        "path": path,
        "unit_name": paths.unit_name(name) if name is not None else None,
        "configuration": None,
        "trusted_thumbprints": [],
        "certificate": None,
        "process": None,
        "unit_is_current": False,
        "problem": None,
    }
    process = _processes.agent_of(path, name)
    if process:
        facts["process"] = process.facts()
        facts["unit_is_current"] = name is not None and _unit_state.is_current(process.pid, facts["unit_name"])
    try:
        found = configuration.load(path, unknown="keep")
        facts["configuration"] = configuration.to_facts(found)
        facts["trusted_thumbprints"] = sorted(found.trusted_pins())
        if os.path.lexists(found.certificate_path):
            facts["certificate"] = _identity_file.describe(files.read(found.certificate_path))
    except InstanceError as error:
        facts["problem"] = str(error)
    return facts


def port_holders(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who holds the port that the options name. Raises InstanceError for an address that is none."""
    if params["port"] is None:
        return []
    wanted = configuration.with_values(configuration.create("/"), listen_address=params["listen_address"])
    return [holder.facts() for holder in _processes.holders(params["port"], wanted.listen_address)]
