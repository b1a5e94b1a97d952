# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The command line that runs this very agent again, from wherever it was started."""

from __future__ import annotations

import os
import sys

from module_utils._instance import paths


def command() -> tuple[str, ...]:
    """The launcher of an installation, a directory or an archive holding the bundle, or a source tree."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    bundle = os.path.dirname(package)
    if not os.path.isdir(bundle):
        return (sys.executable, "-I", bundle)
    launcher = os.path.join(os.path.dirname(os.path.realpath(bundle)), paths.PROGRAM)
    current = os.path.join(os.path.dirname(launcher), "current")
    if os.access(launcher, os.X_OK) and os.path.realpath(current) == os.path.realpath(bundle):
        return (launcher,)
    if os.path.isfile(os.path.join(bundle, "__main__.py")):
        return (sys.executable, "-I", bundle)
    import module_utils

    shared = os.path.dirname(next(iter(module_utils.__path__)))
    return ("/usr/bin/env", f"PYTHONPATH={bundle}{os.pathsep}{shared}", sys.executable, "-m", "tentacle_agent")
