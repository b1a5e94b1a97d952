# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Session tickets, which nobody needs here: sessions are never resumed.

OpenSSL sends two behind each handshake of TLS 1.3 all the same, which is a twentieth of what a new connection costs. It
has a function that ends this, and pyOpenSSL passes it on in no version. So it is called past pyOpenSSL, in the very
library that its binding is linked with: it is looked up from the binding's own file, whose dependencies are searched,
never from a library of the same name. A binding that has OpenSSL inside (as wheels do) hides it; tickets are sent then.
"""

from __future__ import annotations

import ctypes
import sys

BINDINGS = ("cryptography.hazmat.bindings._openssl", "cryptography.hazmat.bindings._rust")
"""The modules that may have been linked with OpenSSL, the one that is nothing but its binding first."""


def withhold(context: int) -> bool:
    """Let the `SSL_CTX` at this address send no tickets; False where that cannot be said."""
    for name in BINDINGS:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            try:
                function = ctypes.CDLL(file).SSL_CTX_set_num_tickets
            except (OSError, AttributeError):
                continue
            function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_size_t), ctypes.c_int
            return bool(function(context, 0) == 1)
    return False
