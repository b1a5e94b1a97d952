# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fault is: how it is made, and what the diagnosis must say about it."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable, Sequence
from typing import Any

from stage import Stage

# Makes the fault on a stage. Returns module options that differ from the usual ones, or None.
Maker = Callable[[Stage], "dict[str, Any] | None"]

PACKAGES = {"nginx": "nginx-light", "squid": "squid-openssl", "sshd": "openssh-server", "ssh-keygen": "openssh-client"}

FAULTS: dict[str, Fault] = {}


@dataclasses.dataclass(frozen=True, eq=False)
class Fault:
    """One way in which a connection is broken, made for real.

    `cause` and `side` are what must be reported, `says` is a pattern that the evidence must contain, `fits` a word
    that must be among the alternatives, `finds` one that must be among the findings, `needs` the programs it is made
    with (`ip` and `nft` are needed by all).
    """

    name: str
    cause: str
    side: str | None
    says: str
    make: Maker
    fits: str | None = None
    finds: str | None = None
    needs: Sequence[str] = ()

    def missing(self) -> str | None:
        """A sentence that names what is not installed here and the line that installs it, or None."""
        absent = [name for name in self.needs if not shutil.which(name)]
        packages = " ".join(PACKAGES.get(name, name) for name in absent)
        return f"no {', '.join(absent)} here (apt-get install {packages})" if absent else None

    def complaints(self, result: dict[str, Any]) -> list[str]:
        """What is wrong with a diagnosis; nothing if it is right."""
        found = []
        if result["cause"] != self.cause:
            found.append(f"{result['cause']} was reported, not {self.cause}")
        if result["side"] != self.side:
            found.append(f"the side is {result['side']}, not {self.side}")
        if not re.search(self.says, result["evidence"]):
            found.append(f"the evidence does not mention {self.says!r}")
        if self.fits and self.fits not in result["alternatives"]:
            found.append(f"{self.fits} is not among the alternatives {result['alternatives']}")
        words = [finding["cause"] for finding in result["findings"]]
        if self.finds and self.finds not in words:
            found.append(f"{self.finds} is not among the findings {words}")
        return found


def fault(name: str, cause: str, side: str | None, says: str, **more: Any) -> Callable[[Maker], Maker]:
    """Register the function that makes it: `@fault("name", "cause", "side", says="...")`."""

    def register(make: Maker) -> Maker:
        if name in FAULTS:
            raise ValueError(f"two faults are called {name}")
        FAULTS[name] = Fault(name, cause, side, says, make, **more)
        return make

    return register
