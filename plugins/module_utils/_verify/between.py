# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Signs that something between caller and agent ends TLS, read from what one check saw.

A Tentacle asks every caller for a certificate, signs its own certificate itself, and shows its page in HTTP/1.0 without
naming a server (docs/protocol/halibut-wire.md §1.1, §1.4, §2.3). Who does otherwise is no Tentacle, whatever page comes
through. Interception is told from offload by the certificate: a device that inspects signs copies with an authority of
its own.
"""

from __future__ import annotations

from .._client.errors import ClientError
from .result import Facts, Result

# What products that inspect TLS put into the issuer of the certificates they make.
INSPECTORS = (
    "blue coat", "bluecoat", "burp", "charles proxy", "check point", "cisco umbrella", "do_not_trust",
    "eset ssl filter", "fiddler", "forcepoint", "fortigate", "fortinet", "goskope", "kaspersky", "mcafee web gateway",
    "mitmproxy", "netskope", "not trusted by", "palo alto", "portswigger", "sonicwall", "sophos", "squid",
    "ssl inspection", "ssl-bump", "ssl_bump", "symantec web", "trend micro", "untangle", "watchguard", "websense",
    "zscaler",
)  # fmt: skip


def explain(result: Result, proxied: bool) -> None:
    """Put the name of a device between in the place of what the check blamed, where the signs are clear."""
    facts = result.facts
    if facts.certificate is None or result.cause not in _COARSE:
        return
    signs, copied = _signs(facts), _copied(facts)
    if proxied and facts.client_certificate_requested is False and not facts.certificate["self_signed"]:
        copied = copied or f"It came through a proxy and was signed by {facts.certificate['issuer']}."
    if copied:
        _supersede(result, "tls_intercepted", [copied, *signs], ("tls_offloaded",))
    elif signs and facts.page is not None and facts.page["tentacle"]:
        _supersede(result, "tls_offloaded", ["A Tentacle's page is behind it.", *signs], ("tls_intercepted",))
    elif signs and result.cause == "agent_thumbprint_mismatch" and _ends_without_a_word(facts):
        said = "Whatever is said to it is passed on to something that hangs up, as an agent does where no TLS comes."
        _supersede(result, "tls_offloaded", [*signs, said], ("tls_intercepted", "port_mismatch"))
    elif signs and result.cause not in ("http_injected", "tls_offloaded") and not _foreign(facts):
        _supersede(result, "unknown", signs, ("tls_offloaded", "tls_intercepted", "port_mismatch"))


def _supersede(result: Result, word: str, signs: list[str], also: tuple[str, ...]) -> None:
    subject = (result.facts.certificate or {}).get("subject") or "no subject"
    seen = f"{result.endpoint} shows the certificate {result.facts.thumbprint} ({subject})."
    begin = result.evidence
    if result.cause in ("ok", "server_not_trusted"):  # whose sentences say that this is an agent
        begin = seen if result.ok else f"{seen} It closed the connection after the hello."
    result.supersede(ClientError(word, " ".join([begin, *signs]), also=also))


# Words that a device between can be the true reason of.
_COARSE = frozenset(
    {"ok", "agent_thumbprint_mismatch", "server_not_trusted", "http_injected", "unknown", "tls_offloaded"}
)


def _signs(facts: Facts) -> list[str]:
    """Sentences, one for each thing that no Tentacle does."""
    signs = []
    if facts.client_certificate_requested is False:
        signs.append("It never asks for the caller's certificate, as every Tentacle does.")
    if facts.page is not None and facts.page["tentacle"]:
        if facts.page["http"] not in (None, "1.0"):
            signs.append(f"The page comes in HTTP/{facts.page['http']}, which no Tentacle speaks.")
        if facts.page["server"] or facts.page["via"]:
            signs.append(f"The page was passed on by {facts.page['server'] or facts.page['via']}.")
    return signs


def _ends_without_a_word(facts: Facts) -> bool:
    """Whether a request for the page got an end of the connection: not silence, not a word."""
    return facts.page is not None and facts.page["tentacle"] is None


def _foreign(facts: Facts) -> bool:
    return facts.page is not None and facts.page["tentacle"] is False


def _copied(facts: Facts) -> str | None:
    """Why the certificate is the work of a device that inspects, in a sentence; None where nothing says so."""
    certificate = facts.certificate
    if certificate is None or certificate["self_signed"]:
        return None
    issuer = (certificate["issuer"] or "").lower()
    if any(name in issuer for name in INSPECTORS):
        return f"Its issuer {certificate['issuer']} inspects TLS."
    relay = (facts.page or {}).get("via") or (facts.page or {}).get("server") or ""
    if any(name in relay.lower() for name in INSPECTORS):
        return f"It was signed by {certificate['issuer']}, and {relay} passed the page on."
    if "octopus tentacle" in (certificate["subject"] or "").lower():
        return f"It is a copy of a Tentacle's certificate, signed by {certificate['issuer']}."
    return None
