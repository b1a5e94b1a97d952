# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Two settings of OpenSSL that pyOpenSSL passes on in no version, and that spare each new connection needless work.

Session tickets: OpenSSL sends two behind each handshake of TLS 1.3, though sessions are never resumed here.

Judging the chain of a peer's certificate: every certificate passes, whatever the verdict (docs/protocol/halibut-wire.md
§1.1). pyOpenSSL can only be told so by a callback, which OpenSSL asks for each of its findings, and for which pyOpenSSL
makes a few objects each time. OpenSSL can have all its judging replaced instead, by one function that says 1 (and no
larger number, which OpenSSL 1.1.1 takes for an error). What proves that the peer has the certificate's key is no part
of the judging and goes on as before. And code that looks into what strangers send is better not run.

They are called past pyOpenSSL, in the very library that its binding is linked with: it is looked up from the binding's
own file, whose dependencies are searched, never from a library of the same name. A binding that has OpenSSL inside (as
wheels do) hides it; things stay as pyOpenSSL has them then.
"""

from __future__ import annotations

import ctypes
import sys

BINDINGS = ("cryptography.hazmat.bindings._openssl", "cryptography.hazmat.bindings._rust")
"""The modules that may have been linked with OpenSSL, the one that is nothing but its binding first."""
_Judge = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_LENIENT = _Judge(lambda _chain, _argument: 1)  # kept here, because OpenSSL calls it as long as there is a context


def apply(context: int) -> bool:
    """Make the settings in the `SSL_CTX` at this address; False where they cannot be made."""
    for name in BINDINGS:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            try:
                library = ctypes.CDLL(file)
                set_tickets, set_judge = library.SSL_CTX_set_num_tickets, library.SSL_CTX_set_cert_verify_callback
            except (OSError, AttributeError):
                continue
            set_tickets.argtypes, set_tickets.restype = (ctypes.c_void_p, ctypes.c_size_t), ctypes.c_int
            set_judge.argtypes, set_judge.restype = (ctypes.c_void_p, _Judge, ctypes.c_void_p), None
            set_judge(context, _LENIENT, None)
            return bool(set_tickets(context, 0) == 1)
    return False
