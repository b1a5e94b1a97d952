# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sleeping under libfaketime 0.9.10, which spoils the system call that Python's own `sleep` makes (EINVAL)."""

import threading
import time


def _sleep(seconds):
    threading.Event().wait(seconds)


time.sleep = _sleep
