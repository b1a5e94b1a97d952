# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault there is: importing the files fills the list."""

from __future__ import annotations

from entry import FAULTS

from . import encryption, host, network, odd, offload, ports, proxies, services, trust, vantage  # noqa: F401

__all__ = ["FAULTS"]
