# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The version of this agent; the one of the collection that delivers it is the same."""

from __future__ import annotations

VERSION = "0.1.0"
