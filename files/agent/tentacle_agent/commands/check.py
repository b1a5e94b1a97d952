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
    from module_utils._client.proxy import Proxy
    from module_utils._verify.result import Result
    from module_utils._verify.steps import Options
    from module_utils._verify.throwaway import Impostor

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
    option("client-key-passphrase-file=", "A file whose first line is the passphrase of that key"),
    option("proxy=", "An HTTP proxy to go through: HOST[:PORT]. The port defaults to 8080."),
    option("proxy-username=", "The user name for the proxy"),
    option("proxy-password-file=", "A file whose first line is the password for the proxy"),
    option("address=", "The IP address that the host's name should stand for, to compare with"),
    option("tls-versions", "Try TLS 1.2 and TLS 1.3 each by itself"),
    option("proof", "Prove that work can be done: push a file, and run a script that removes it. Needs --client-cert."),
    option("instance=", "The instance to look at, where the check is made on the Tentacle's own host"),
    option("source=", "The address of a caller that the packet filter of that host is asked about"),
    option("timeout=", "Seconds for each step. Defaults to 15."),
    FORMAT_OPTION,
)
DEFAULT_SECONDS = 15
_SILENT = frozenset({"Not reached.", "Not asked for.", "No proxy was given."})
LONGEST_SECRET = 4096


def execute(options: Values, context: Context) -> int:
    """Check and tell; the exit code is 0 only when nothing has to be repaired."""
    as_json = options.format() == "json"
    seconds = options.number("timeout", DEFAULT_SECONDS)
    if seconds < 1:
        raise UsageError("--timeout has to be one second at least.")
    target, identity, proxy = _read(options)

    from module_utils._verify import steps, throwaway
    from module_utils._verify import target as host

    with throwaway.throwaway() as impostor:
        result = steps.verify(target, _how(options, seconds, identity, proxy, impostor))
    host.look(result, host.AUTO, options.get("instance"), _source(options))
    if as_json:
        context.write(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
    else:
        context.info(_as_text(result))
    return 0 if result.ok else 1


def _how(
    options: Values, seconds: int, identity: Identity | None, proxy: Proxy | None, impostor: Impostor | None
) -> Options:
    from module_utils._verify.steps import Options

    return Options(
        identity=identity,
        timeout=float(seconds),
        impostor=impostor,
        tls_versions=options.has("tls-versions"),
        proof=options.has("proof"),
        proxy=proxy,
        address=options.get("address"),
    )


def _read(options: Values) -> tuple[Endpoint, Identity | None, Proxy | None]:
    """Where to call, as whom, and through which proxy. Raises UsageError with the reason when that cannot be."""
    from module_utils._client import identity, proxy
    from module_utils._client.endpoint import DEFAULT_PORT, PROXY_PORT, endpoint
    from module_utils._client.errors import ClientError

    text = options.get("host") or options.required("target", "Say what to check: check HOST[:PORT].")
    host, port = _split(text)
    certificate, key = options.get("client-cert"), options.get("client-key")
    if key and not certificate:
        raise UsageError("--client-key needs --client-cert: the key is of no use without its certificate.")
    username, way = options.get("proxy-username"), options.get("proxy")
    if username and not way:
        raise UsageError("--proxy-username needs --proxy.")
    try:
        port = options.number("port", DEFAULT_PORT if port is None else port)
        target = endpoint(host, port, options.get("thumbprint"))
        passphrase, password = _secret(options, "client-key-passphrase-file"), _secret(options, "proxy-password-file")
        caller = identity.load(certificate, key, passphrase) if certificate else None
        if not way:
            return target, caller, None
        place, number = _split(way)
        return target, caller, proxy.proxy(place, number or PROXY_PORT, username, password)
    except ClientError as error:
        raise UsageError(str(error)) from error


def _source(options: Values) -> str | None:
    text = options.get("source")
    if text is None:
        return None
    import ipaddress

    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise UsageError(f"--source has to be an IP address, not '{text}'.") from None


def _secret(options: Values, name: str) -> str | None:
    """The first line of a file, because a command line can be read by everybody. Raises UsageError."""
    path = options.get(name)
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline(LONGEST_SECRET).rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--{name}: {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _split(text: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[address]:port``, or a bare IPv6 address."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        return text, None
    return host, int(port)


def _as_text(result: Result) -> str:
    """One line for each step that says something, then what was found; the conclusion is the last line."""
    marks = {"ok": "ok", "failed": "FAILED", "skipped": "-"}
    lines = []
    for step in result.steps.values():
        if step.evidence in _SILENT:
            continue
        time = "" if step.seconds is None else f"{step.seconds:.3f} s"
        lines.append(f"{step.name:<13}{marks[step.status]:<8}{time:>8}  {step.evidence}")
    facts = result.as_dict()
    lines += [f"also {finding['cause']}: {finding['evidence']}" for finding in result.findings]
    if facts["target"] and facts["target"]["log"] and not result.ok:
        lines += ["The agent's log ends with:", *(f"  {line}" for line in facts["target"]["log"][-5:])]
    if facts["tell_apart"]:
        lines += ["It is", *(f"  {entry['cause']} if: {entry['sign']}" for entry in facts["tell_apart"])]
    if result.facts.thumbprint:
        lines.append(f"Thumbprint: {result.facts.thumbprint}")
    return "\n".join([*lines, f"{result.cause}: {result.sentence}"])
