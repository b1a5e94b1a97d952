# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``check HOST[:PORT]``: look at a listening Tentacle as a server would, and name the first thing to repair.

The work is done by ``_verify``, which the module ``tentacle_verify`` uses as well.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..arguments import FORMAT_OPTION, UsageError, Values, option
from . import Context

if TYPE_CHECKING:
    from module_utils._client.endpoint import Endpoint
    from module_utils._client.identity import Identity
    from module_utils._verify.result import Result

NAME = "check"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Checks that a listening Tentacle can be reached and answers, as a server would: check HOST[:PORT]"
POSITIONAL = "target"
OPTIONS = (
    option("host=", "The host, instead of the first word"),
    option("port=", "The port. Defaults to 10933."),
    option("thumbprint=", "The thumbprint that the Tentacle is expected to have"),
    option("client-cert=", "A PEM file with the certificate of the calling server; tells whether it is trusted"),
    option("client-key=", "A PEM file with its key. Defaults to the file of the certificate."),
    option("timeout=", "Seconds for each step. Defaults to 15."),
    FORMAT_OPTION,
)
DEFAULT_SECONDS = 15


def execute(options: Values, context: Context) -> int:
    """Check and tell; the exit code is 0 only when nothing has to be repaired."""
    as_json = options.format() == "json"
    seconds = options.number("timeout", DEFAULT_SECONDS)
    if seconds < 1:
        raise UsageError("--timeout has to be one second at least.")
    target, identity = _read(options)

    from module_utils._verify import steps

    result = steps.verify(target, steps.Options(identity=identity, timeout=float(seconds)))
    if as_json:
        context.write(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
    else:
        context.info(_as_text(result))
    return 0 if result.ok else 1


def _read(options: Values) -> tuple[Endpoint, Identity | None]:
    """Where to call, and as whom. Raises UsageError with the reason when that cannot be."""
    from module_utils._client import identity
    from module_utils._client.endpoint import DEFAULT_PORT, endpoint
    from module_utils._client.errors import ClientError

    text = options.get("host") or options.required("target", "Say what to check: check HOST[:PORT].")
    host, port = _split(text)
    certificate, key = options.get("client-cert"), options.get("client-key")
    if key and not certificate:
        raise UsageError("--client-key needs --client-cert: the key is of no use without its certificate.")
    try:
        port = options.number("port", DEFAULT_PORT if port is None else port)
        target = endpoint(host, port, options.get("thumbprint"))
        return target, identity.load(certificate, key) if certificate else None
    except ClientError as error:
        raise UsageError(str(error)) from error


def _split(text: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[address]:port``, or a bare IPv6 address."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        return text, None
    return host, int(port)


def _as_text(result: Result) -> str:
    marks = {"ok": "ok", "failed": "FAILED", "skipped": "-"}
    lines = [f"{step.name:<13}{marks[step.status]:<8}{step.evidence}" for step in result.steps.values()]
    lines += [f"{finding['cause']}: {finding['evidence']}" for finding in result.findings]
    if result.facts.thumbprint:
        lines.append(f"Thumbprint: {result.facts.thumbprint}")
    return "\n".join([*lines, f"{result.cause}: {result.sentence}"])
