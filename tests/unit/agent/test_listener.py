# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is accepted while the agent starts."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import time
from typing import Any

from tentacle_agent.audit import Audit
from tentacle_agent.dispatch import Dispatcher
from tentacle_agent.listener import EARLY, Listener
from tentacle_agent.session import Shared
from tentacle_agent.trust import Trust


def test_a_crowd_cannot_take_the_descriptors_that_a_start_needs(tmp_path: pathlib.Path) -> None:
    context: Any = None  # nobody sends a byte
    listener = Listener(context, Shared(Trust(), Dispatcher({}), Audit(str(tmp_path))))
    listener.open("127.0.0.1", 0)
    assert listener.address is not None

    def taken(wanted: int, seconds: float) -> int:
        limit = time.monotonic() + seconds
        while (count := listener._greeting + listener._lobby.count()) < wanted and time.monotonic() < limit:
            time.sleep(0.02)
        return count

    with contextlib.ExitStack() as stack:
        stack.callback(listener.stop, 0.0)
        listener.start()
        for _unused in range(EARLY + 12):
            stack.enter_context(socket.create_connection(listener.address, 5))
        assert taken(EARLY, 20) == EARLY
        assert taken(EARLY + 1, 0.7) == EARLY
        listener.be_ready()
        assert taken(EARLY + 12, 20) == EARLY + 12
