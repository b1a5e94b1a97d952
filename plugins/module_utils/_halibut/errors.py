# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong in the protocol core.

::

    HalibutError
     +-- LocalProtocolError     our own side asked for something illegal
     +-- RemoteProtocolError    the peer broke the protocol
          +-- UnknownIdentity   the peer introduced itself as something that the protocol does not know

Reading raises nothing but RemoteProtocolError, whatever the peer sends; sending raises nothing but LocalProtocolError.
"""

from __future__ import annotations


class HalibutError(Exception):
    """Any failure of the protocol core."""


class LocalProtocolError(HalibutError):
    """Our side asked for something that the protocol forbids now or cannot express."""


class RemoteProtocolError(HalibutError):
    """The peer broke the protocol; the text is a sentence for a log.

    A listener answers this by closing the connection without a byte (docs/protocol/halibut-wire.md §3.5).
    """

    linger: bool = False
    """True if the connection should be read to its end, unparsed, before it is closed."""


class UnknownIdentity(RemoteProtocolError):
    """The peer's identity line names an unknown kind of peer (docs/protocol/halibut-wire.md §3.3)."""

    linger = True
