# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Every maximum and every waiting time of the protocol, with its reason and, where there is one, Halibut's own value.

Numbers only: the core enforces the maxima, but owns no clock; the waiting times are for those who drive it.
"""

from __future__ import annotations

# First bytes and control lines -----------------------------------------------------------------------------------

MAX_PREFACE = 20_000
"""Characters of the first request, carriage returns not counted; Halibut's own value (docs/protocol/halibut-wire.md
§2.1)."""

MAX_LINE = 8_192
"""Bytes of an identity or control line. Halibut has no maximum; the longest legal line is an identity with a URI."""

# Messages --------------------------------------------------------------------------------------------------------

MAX_DOCUMENT = 64 * 1024 * 1024
"""Inflated bytes of one message. Halibut's is that of a 32-bit integer; real ones are below a few megabytes."""

MAX_DEFLATED = MAX_DOCUMENT + MAX_DOCUMENT // 1024
"""Deflated bytes of one message: incompressible data grow by 5 bytes in 65,535, empty blocks could go on for ever."""

MAX_DEPTH = 64
"""Nested containers of a document, root and ignored members included; the depth limit of Halibut's serializer."""

MAX_STRING = MAX_DOCUMENT
"""Bytes of one text: a script may fill its message, nothing may exceed it."""

MAX_REQUEST_ELEMENTS = 250_000
"""Elements of a request's document. One element costs up to some 150 bytes of memory, so this bounds a request to 40 MB
plus its texts; real ones have below a hundred, or four for each file of a script."""

MAX_RESPONSE_ELEMENTS = 4_000_000
"""Elements of a response's document: four for each line of a log, and a complete log comes in one answer."""

STORED_BELOW = 4_096
"""Documents below this size are sent in a stored block: compressing costs more time than the bytes it saves."""

SINGLE_READ = 65_536
"""Inflated size up to which .NET peers read a message to the very end of its deflate data (§10, Q7)."""

READ_SIZE = 8_192
"""Bytes a .NET peer reads at a time while it inflates (§10, Q7)."""

# Data streams ----------------------------------------------------------------------------------------------------

MAX_STREAMS = 10_000
"""Data streams that one message may announce."""

MAX_STREAM_LENGTH = 1 << 40
"""Bytes of one data stream, 1 TiB. Streams are never held in memory; this catches headers that are no headers."""

MAX_BACKLOG = 16 * 1024 * 1024
"""Bytes that may lie unread while it is our turn. A correct peer sends at most a control line then."""

# Waiting times in seconds, for those who drive the core (docs/protocol/halibut-wire.md §7.1) ---------------------

HANDSHAKE_SECONDS = 15
"""TLS handshake, preface and identity together; Halibut allows RECEIVE_SECONDS for each read."""

RECEIVE_SECONDS = 60
"""Silence within a message, a stream or an identity; Halibut's recommended TcpClientTimeout."""

IDLE_SECONDS = 60
"""A listener's wait for NEXT or END; Halibut uses TcpClientTimeout here as well (§10, Q18)."""

REQUEST_IDLE_SECONDS = 600
"""A listener's wait for the first byte of a request; Halibut's TcpListeningNextRequestIdleTimeout."""

RESPONSE_SECONDS = 300
"""A client's wait for the first byte of a response; Halibut's recommended TcpClientReceiveResponseTimeout."""

HEARTBEAT_SECONDS = 60
"""A client's wait for PROCEED; Halibut's TcpClientHeartbeatTimeout."""

CONNECT_SECONDS = 60
"""TCP connect; Halibut's TcpClientConnectTimeout."""

KEEPALIVE = (15, 5, 10)
"""TCP keep-alive: idle seconds, interval in seconds, number of probes; Halibut's values."""

POOL_SIZE = 5
"""Idle connections that a client keeps for one endpoint; Halibut's value (§7.3)."""

POOLED_SECONDS = 540
"""Age at which a client drops an idle connection; Halibut's TcpClientPooledConnectionTimeout."""

RETRY_COUNT = 5
"""Attempts of a client, the first included; Halibut's RetryCountLimit (§7.4)."""

RETRY_SLEEP_SECONDS = 1
"""Pause between attempts; Halibut's RetryListeningSleepInterval."""

RETRY_SECONDS = 300
"""No new attempt after this time; Halibut's ConnectionErrorRetryTimeout."""
