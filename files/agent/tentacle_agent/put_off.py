# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Modules that a library imports at its head, but needs only for things that we never ask of it.

pyOpenSSL imports `cryptography.x509` and the kinds of keys for conversions between its own objects and theirs. A
listener converts nothing, but would pay for them with a quarter of its start and five of its megabytes. So while the
library is imported, `stand_ins` puts an empty module in the place of each. What the library asks of one at that time
goes into an annotation or a union of types; it gets a class that means nothing and cannot be used for anything else.
Then the stand-in leaves `sys.modules`, and everybody else imports the real module. When the library itself comes back
to it, to convert something after all, or to call what it was given before, the stand-in imports the real one and passes
the question on: nothing is missing, it only comes later.

Somebody who imports a library that way has to be ready for one that does more with such a module while it is imported,
and to import it again without: `forget` takes away what is left of the first attempt.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

OF_PYOPENSSL = (
    "cryptography.x509",
    *("cryptography.hazmat.primitives.asymmetric." + kind for kind in ("dsa", "ec", "ed25519", "ed448", "rsa")),
    "calendar",
    "datetime",
    *(("inspect", "typing_extensions") if sys.version_info < (3, 13) else ()),  # later `warnings` warns, and inspects
)
"""What pyOpenSSL 20 to 26 and its `cryptography` import for conversions, checks of their own, and warnings."""


OF_LOGGING = ("traceback",)
"""What the standard library's `logging` imports for the first error with a traceback, with the tokenizer behind it."""


class StandIn(ModuleType):
    """Takes the place of a module until somebody needs that."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "Stands for the module of this name until it is needed.")
        self.__dict__["library_is_complete"] = False

    def __getattr__(self, name: str) -> Any:
        if self.__dict__["library_is_complete"]:
            return getattr(importlib.import_module(self.__name__), name)
        if name.startswith("__"):
            raise AttributeError(name)
        return _no_warning if name == "deprecated" else type(name, (_Nothing,), {"_module": self})


class _Nothing:
    """Means nothing in an annotation. Called later, it is the real thing: cryptography 3 checks its own classes so."""

    _module: StandIn

    def __new__(cls, *arguments: object, **named: object) -> Any:
        if not cls._module.__dict__["library_is_complete"]:
            raise TypeError(f"{cls.__name__} is more than an annotation")
        return getattr(cls._module, cls.__name__)(*arguments, **named)


def _no_warning(*_arguments: object, **_named: object) -> Callable[[Any], Any]:
    """Takes the place of `typing_extensions.deprecated`, which makes a function warn of itself."""
    return lambda decorated: decorated


@contextlib.contextmanager
def stand_ins(*names: str) -> Iterator[None]:
    """While the block runs, importing one of these modules gives a stand-in, unless it is loaded already."""
    made = {name: StandIn(name) for name in names if name not in sys.modules}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, module in made.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
            module.__dict__["library_is_complete"] = True


def forget(package: str) -> None:
    """Let the next import of a package and of what is in it begin anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
