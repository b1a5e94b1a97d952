# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``show-thumbprint``: what a server has to be told (docs/protocol/tentacle-services.md §5.2)."""

from __future__ import annotations

import json
import os

from module_utils._instance import files, identity
from module_utils._instance.errors import IdentityError

from ..arguments import FORMAT_OPTION, INSTANCE_OPTIONS, Values, option
from . import Context

NAME = "show-thumbprint"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Show the thumbprint of this Tentacle's certificate"
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("e|export-file=", "Exports the Tentacle thumbprint to a file"),
    option("sha256", "The SHA-256 thumbprint instead of the SHA-1 one that Octopus uses"),
    option("thumbprint-only", "DEPRECATED: nothing else is printed anyway.", hidden=True),
    FORMAT_OPTION,
)


def execute(options: Values, context: Context) -> int:
    """Print the thumbprint without a line's end, or as JSON; without a certificate that is null, and text fails."""
    as_json = options.format() == "json"
    _unused, wanted = context.load(options)
    thumbprint = None
    if os.path.exists(wanted.certificate_path):
        pins = identity.thumbprints_of(files.read(wanted.certificate_path))
        thumbprint = pins.sha256 if options.has("sha256") else pins.sha1
    if thumbprint is None and not as_json:
        raise IdentityError("There is no certificate yet. Make one with new-certificate, or import one.")
    content = json.dumps({"Thumbprint": thumbprint}, separators=(",", ":")) if as_json else str(thumbprint)
    export = options.get("export-file")
    if export:
        path = os.path.join(context.directory, os.path.expanduser(export))
        files.write_atomically(path, content.encode("ascii"))
        context.info(f"The thumbprint has been written to {export}.")
    else:
        context.write(content)
    return 0
