# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of TLS itself: versions, ciphers, weak and outdated certificates."""

from __future__ import annotations

import ssl
from typing import Any

import identities
from entry import fault
from faulty_servers import silent, tls
from stage import Stage


@fault("tls-too-old", "tls_no_common", "agent", r"could not agree on TLS")
def only_old_versions(stage: Stage) -> None:
    versions = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
    stage.serve(tls(silent, stage.identities.agent.path, versions=versions, ciphers="ALL:@SECLEVEL=0"))


@fault("tls-no-cipher", "tls_no_common", "agent", r"could not agree on TLS")
def only_ciphers_that_nobody_wants(stage: Stage) -> None:
    versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    stage.serve(tls(silent, stage.identities.agent.path, versions=versions, ciphers="NULL-SHA256:@SECLEVEL=0"))


@fault("agent-sha1", "ok", None, r"answers as a Tentacle", finds="weak_agent_certificate", needs=["openssl"])
def agent_signed_with_sha1(stage: Stage) -> dict[str, Any]:
    """Works with an original server, which pins; hardened callers will refuse it."""
    old = identities.with_sha1(stage.scratch / "old.pem")
    stage.agent(identity=old)
    return {"thumbprint": old.thumbprint}


@fault("agent-expired", "ok", None, r"answers as a Tentacle", finds="certificate_dates")
def agent_with_an_expired_certificate(stage: Stage) -> dict[str, Any]:
    """Pinned, so that no server minds; people do."""
    old = identities.make(stage.scratch / "old.pem", "Octopus Tentacle", days=0)
    stage.agent(identity=old)
    return {"thumbprint": old.thumbprint}


@fault("server-sha1", "ok", None, r"answers as a Tentacle", finds="weak_server_certificate", needs=["openssl"])
def server_signed_with_sha1(stage: Stage) -> dict[str, Any]:
    """A server from the time when SHA-1 was usual; our agent trusts it by its pin."""
    old = identities.with_sha1(stage.scratch / "old.pem")
    stage.agent(trusted=[old.thumbprint])
    return {"client_cert": str(old.path)}


@fault("server-key-refused", "weak_server_certificate", "server", r"refuses the caller's certificate in TLS")
def server_with_a_short_key_before_a_strict_agent(stage: Stage) -> dict[str, Any]:
    """An agent whose TLS refuses such certificates, as hardened systems make the original do."""
    weak = identities.make(stage.scratch / "weak.pem", "Old Server", key=identities.short())
    stage.serve(tls(silent, stage.identities.agent.path, demand=weak.path, ciphers="DEFAULT:@SECLEVEL=2"))
    return {"client_cert": str(weak.path)}
