# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The step `proof`: push a small file, let a script hash it on the host and remove it, and hear the agent's version.

It is the one step that does something on the agent's host. What it makes it removes again; where it cannot, it says
which file is left. The script needs bash and one of the usual programs for hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shlex
import time
from typing import Any

from .._client.client import Client
from .._client.endpoint import Timeouts
from .._client.errors import ClientError
from .._client.identity import Identity
from .._client.scripts import MEANINGS, Script
from .result import Result, Stopwatch
from .way import Way

SIZE = 64 * 1024  # bytes of the file: more than one piece on the way, and nothing for a disk
SECONDS = 60.0  # how long the script may take, queued or running
_MARK = "tentacle-verify"
_SCRIPT = """\
hash_of() {{
  if command -v sha256sum > /dev/null; then sha256sum < "$1"
  elif command -v shasum > /dev/null; then shasum -a 256 < "$1"
  else openssl dgst -sha256 -r < "$1"; fi
}}
read -r digest _ < <(hash_of {path})
rm -f -- {path}
[ -e {path} ] && left=yes || left=no
echo "{mark} hash=$digest left=$left version=$TentacleVersion"
"""
_ANSWER = re.compile(rf"^{_MARK} hash=(\w*) left=(yes|no) version=(\S*)$", re.MULTILINE)


def deliver(result: Result, way: Way, identity: Identity | None) -> None:
    """Prove that files arrive and scripts run. Only where everything before was good."""
    if not result.ok or not result.facts.trusted or identity is None:
        result.skip("proof", "It needs an agent that is known to trust the caller's certificate.")
        return
    timeouts = Timeouts(way.timeout, way.timeout, way.timeout, way.timeout + SECONDS, attempts=1)
    with contextlib.suppress(ClientError), Stopwatch(result, "proof") as step:
        client = Client(result.endpoint, timeouts=timeouts, proxy=way.proxy)
        client.identity = identity
        with client:
            facts = result.facts.proof = _work(client, str(result.endpoint))
        result.facts.version = facts["version"]
        step.evidence = (
            f"{SIZE} bytes arrived as they were sent, and a script ran in {facts['script_seconds']:.2f} s; "
            f"the agent calls itself version {facts['version'] or 'unknown'}."
        )


def _work(client: Client, where: str) -> dict[str, Any]:
    content = os.urandom(SIZE)
    begin = time.monotonic()
    uploaded = client.upload(f"{_MARK}-{os.urandom(8).hex()}.tmp", io.BytesIO(content), SIZE)
    facts: dict[str, Any] = {
        "path": uploaded.full_path,
        "bytes": SIZE,
        "sha256": hashlib.sha256(content).hexdigest(),
        "upload_seconds": round(time.monotonic() - begin, 4),
    }
    try:
        _compare("what was sent", hashlib.sha1(content).hexdigest(), uploaded.hash, where)
        body = _SCRIPT.format(path=shlex.quote(uploaded.full_path or ""), mark=_MARK)
        outcome = client.run_script(Script(body, task_id="Verify"), timeout=SECONDS)
    except ClientError as error:
        error.evidence += f" The file {uploaded.full_path} is left on the host."
        raise
    facts["script_seconds"] = round(outcome.seconds, 4)
    answer = _ANSWER.search("\n".join(line.text or "" for line in outcome.output))
    if answer is None:
        said = "; ".join(line.text or "" for line in outcome.output[-3:]) or "nothing"
        why = MEANINGS.get(outcome.exit_code, f"it ended with exit code {outcome.exit_code}")
        raise ClientError(
            "disk_full" if "no space left" in said.lower() else "script_failed",
            f"The script that proves {where} did not say what it should: {why}, and said {said}. "
            f"The file {uploaded.full_path} may be left on the host.",
            also=("av_stall", "permissions", "disk_full"),
        )
    _compare("what lies on the host's disk", facts["sha256"], answer[1], where)
    if answer[2] == "yes":
        raise ClientError("permissions", f"The script on {where} could not remove {uploaded.full_path}.")
    facts["version"] = answer[3] or None
    return facts


def _compare(what: str, expected: str, seen: str | None, where: str) -> None:
    if (seen or "").lower() != expected:
        raise ClientError(
            "hash_mismatch", f"A file pushed to {where} is not {what}: hash {seen or 'none'}, expected {expected}."
        )
