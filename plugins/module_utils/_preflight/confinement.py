# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What else on this host may forbid the agent something: notes for whoever meets a refusal later.

This module util is **private** to the collection. Nothing here is a problem by itself.
"""

from __future__ import annotations

SELINUX = "/sys/fs/selinux/enforce"
APPARMOR = "/sys/kernel/security/apparmor/profiles"
_LONGEST = 1024 * 1024
_PROGRAMS = ("tentacle-agent", "python3", "/bash")


def notes(programs: str, selinux: str = SELINUX, apparmor: str = APPARMOR) -> list[str]:
    """One sentence for each security module that may have a say in the agent's work."""
    found = []
    if _read(selinux).strip() == "1":
        found.append(
            "SELinux is enforcing. The agent has no policy of its own and runs as services without one do; if its "
            f"unit ends with status 203, run 'restorecon -R {programs}', and read refusals with 'ausearch -m AVC'."
        )
    confined = [
        line.rpartition(" ")[0]
        for line in _read(apparmor).splitlines()
        if line.endswith("(enforce)") and any(program in line for program in _PROGRAMS)
    ]
    if confined:
        found.append(
            f"AppArmor confines {', '.join(confined)}, which the agent or its scripts run under. Read refusals with "
            "'journalctl -k --grep=apparmor'."
        )
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST)
    except OSError:
        return ""
