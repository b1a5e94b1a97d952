# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Errors of everything that reads or changes a firewall.

FirewallError                 str() is the whole sentence for the user; ``cause`` is the word for playbooks
|- RuleError                  what was asked for is no rule, or none that this firewall can hold
|- MissingError               a program of the firewall is not on this host
`- CommandError               a program of the firewall failed; nothing is known to have changed
"""

from __future__ import annotations


class FirewallError(Exception):
    """A firewall could not be read or changed; the text says what to do next."""

    default_cause = "firewall_failed"

    @property
    def cause(self) -> str:
        return self.default_cause


class RuleError(FirewallError):
    """The rule that was asked for cannot be made."""

    default_cause = "invalid_input"


class MissingError(FirewallError):
    """The firewall that was asked for is not installed."""

    default_cause = "firewall_missing"


class CommandError(FirewallError):
    """A command failed, or did not do what it was to do."""
