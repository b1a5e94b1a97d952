# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Questions to an agent's host that are answered by a tiny script run through the Tentacle.

The agent's services can run scripts and move files, nothing else: whether a path exists, or which hash a file has, only
a script can say. These scripts read, never write, and run beside others (no isolation). They need bash, and for hashes
`sha256sum` or one of its usual substitutes.
"""

from __future__ import annotations

import shlex
from typing import Any

from ._client.client import Client
from ._client.errors import ClientError
from ._client.scripts import Outcome, Script
from ._script_output import STDERR, STDOUT, meaning, sort

SECONDS = 120  # a question is answered within this time, or its script is cancelled

_EXISTS = """\
cd "$TentacleHome" || exit 3
if compgen -G {path} > /dev/null || [ -e {path} ]; then echo present; else echo absent; fi
"""

_HASH = """\
cd "$TentacleHome" || exit 3
hash_of() {{
  if command -v sha256sum > /dev/null; then sha256sum < "$1"
  elif command -v shasum > /dev/null; then shasum -a 256 < "$1"
  elif command -v openssl > /dev/null; then openssl dgst -sha256 -r < "$1"
  else echo unknown; fi
}}
case {path} in /*) echo "path" {path} ;; *) echo "path" "$PWD/"{path} ;; esac
if [ -d {path} ]; then echo directory
elif [ -e {path} ]; then read -r digest _ < <(hash_of {path}); echo "file $digest $(wc -c < {path})"
else echo absent; fi
stamp={stamp}
if [ -n "$stamp" ] && [ -f "$stamp" ]; then read -r digest _ < "$stamp"; echo "stamp $digest"; fi
"""

_STAMP = """\
cd "$TentacleHome" || exit 3
printf '%s\\n' {digest} > {stamp}.new && mv -f {stamp}.new {stamp}
"""


def exists(client: Client, path: str) -> bool:
    """Whether a path, or a pattern of the shell, exists on the agent's host; relative to its home directory."""
    answer = _ask(client, _EXISTS.format(path=shlex.quote(posix(path))), f"whether {path} exists")
    if answer[:1] not in (["present"], ["absent"]):
        raise _odd(client, f"whether {path} exists", answer)
    return answer[0] == "present"


def file_state(client: Client, path: str, stamp: str | None = None) -> dict[str, Any]:
    """Existence, SHA-256 and size of a file on the agent's host, and the digest in its stamp.

    The keys are `path` (absolute), `exists`, `directory`, `sha256`, `size`, `stamp`; what is not there, or cannot be
    hashed, is None.
    """
    body = _HASH.format(path=shlex.quote(posix(path)), stamp=shlex.quote(posix(stamp)) if stamp else "''")
    state: dict[str, Any] = {
        "path": None,
        "exists": False,
        "directory": False,
        "sha256": None,
        "size": None,
        "stamp": None,
    }
    answer = _ask(client, body, f"which hash {path} has")
    if not answer:
        raise _odd(client, f"which hash {path} has", answer)
    for line in answer:
        word, *rest = line.split()
        if word == "path":
            state["path"] = line[5:]
        elif word == "directory":
            state.update(exists=True, directory=True)
        elif word == "file" and len(rest) == 2:
            state.update(exists=True, sha256=rest[0] if len(rest[0]) == 64 else None, size=int(rest[1]))
        elif word == "stamp" and rest:
            state["stamp"] = rest[0]
    return state


def write_stamp(client: Client, stamp: str, digest: str) -> None:
    """Note on the agent's host that what has this digest was dealt with to the end."""
    _ask(client, _STAMP.format(digest=shlex.quote(digest), stamp=shlex.quote(posix(stamp))), f"to write {stamp}")


def posix(path: str) -> str:
    """The path as the agent reads it: it takes backslashes for slashes (docs/protocol/tentacle-services.md §3.1)."""
    return path.replace("\\", "/")


def _ask(client: Client, body: str, question: str) -> list[str]:
    outcome = client.run_script(Script(body), timeout=SECONDS)
    said = sort(outcome.output)
    if outcome.exit_code != 0:
        raise _odd(client, question, said.texts(STDERR), outcome)
    return [line for line in said.texts(STDOUT) if line.strip()]


def _odd(client: Client, question: str, said: list[str], outcome: Outcome | None = None) -> ClientError:
    code = outcome.exit_code if outcome else 0
    why = meaning(code) or f"exit code {code}"
    return ClientError(
        "script_failed",
        f"{client.endpoint} was asked {question} by a small script, which gave no usable answer "
        f"({why}): {' '.join(said)[:200] or 'it said nothing'}.",
    )
