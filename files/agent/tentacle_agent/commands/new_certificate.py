# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``new-certificate``: a new identity for this agent, or one in a file for another (§5.2)."""

from __future__ import annotations

import base64
import os

from module_utils._instance import files, identity
from module_utils._instance.configuration import Configuration

from ..arguments import INSTANCE_OPTIONS, UsageError, Values, option
from . import Context
from .import_certificate import PASSWORD_FILE, PASSWORD_OPTION, TAKEN_UP, password_from

NAME = "new-certificate"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Creates and installs a new certificate for this Tentacle"
OPTIONS = (
    *INSTANCE_OPTIONS,
    option("b|if-blank", "Generates a new certificate only if there is none"),
    option(
        "e|export-file=",
        "DEPRECATED: Exports a new certificate to the specified file as unprotected base64 text, but does not save it "
        "to the Tentacle configuration; for use with the import-certificate command",
    ),
    option(
        "export-pfx=",
        "Exports the new certificate to the specified file as a password protected pfx, but does not save it to the "
        "Tentacle configuration; for use with the import-certificate command",
    ),
    option("pfx-password=", "The password to use for the exported pfx file", sensitive=True),
    PASSWORD_FILE,
    option("key-type=", "The kind of key: rsa or ec (P-256). Defaults to rsa, which every server takes."),
    option("key-size=", "The size of an RSA key in bits. Defaults to 2048."),
    option("subject=", "The common name in the certificate. Defaults to CN=Octopus Tentacle."),
    option("days=", "For how many days the certificate is valid. Defaults to a hundred years."),
)
_EXCLUSIVE = (("if-blank", "export-file"), ("if-blank", "export-pfx"), ("export-file", "export-pfx"))


def execute(options: Values, context: Context) -> int:
    """Make a key and certificate; the forms that export leave the configuration alone."""
    for one, other in _EXCLUSIVE:
        if options.has(one) and options.has(other):
            raise UsageError(f"Invalid command: --{one} and --{other} cannot be specified together")
    if options.get("export-file") or options.get("export-pfx"):
        return _export(options, context)
    _unused, wanted = context.load(options)
    if options.has("if-blank") and _has_certificate(wanted):
        context.info("A certificate already exists, no changes will be applied.")
        return 0
    pem = _create(options)
    identity.save(wanted.certificate_path, pem)
    context.info("A new certificate has been generated and installed. Thumbprint:")
    context.info(identity.thumbprints_of(pem).sha1)
    context.info(TAKEN_UP)
    return 0


def _has_certificate(wanted: Configuration) -> bool:
    return os.path.exists(wanted.certificate_path) and os.path.getsize(wanted.certificate_path) > 0


def _create(options: Values) -> bytes:
    return identity.create(
        options.get("subject") or identity.SUBJECT,
        key_type=(options.get("key-type") or "rsa").lower(),
        key_size=options.number("key-size", identity.SMALLEST_RSA_KEY),
        days=options.number("days", identity.DAYS),
    )


def _export(options: Values, context: Context) -> int:
    pem = _create(options)
    target = options.get("export-pfx") or options.get("export-file") or ""
    if options.get("export-pfx"):
        content = identity.export_pfx(pem, password_from(options, PASSWORD_OPTION, context))
    else:
        content = base64.b64encode(identity.export_pfx(pem))
    files.write_atomically(os.path.join(context.directory, os.path.expanduser(target)), content, 0o600)
    context.info(f"A new certificate has been generated and written to {target}. Thumbprint:")
    context.info(identity.thumbprints_of(pem).sha1)
    return 0
