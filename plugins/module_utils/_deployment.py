# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Bring a file to an agent's host and run a script after a change: what `tentacle_deploy` does, step by step.

A file that is there with the same hash is left alone. The script runs after a transfer; whether it succeeded is noted
in a stamp beside the file, so that a script that failed runs again next time although the file is in place.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from typing import Any

from . import _agent_host
from ._client.client import Client
from ._client.errors import ClientError
from ._client.scripts import Outcome, Script
from ._reporter import Reporter
from ._script_output import Sorter, complaint

STAMP = ".deployed"
_CHUNK = 1024 * 1024


class ScriptFailed(Exception):
    """The script after the transfer was no success; the text says why."""


class _Digests:
    """Both digests and the length of what is written to it."""

    def __init__(self) -> None:
        self.sha1 = hashlib.sha1(usedforsecurity=False)
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> None:
        self.sha1.update(data)
        self.sha256.update(data)
        self.size += len(data)


class Deployment:
    """One file on its way: `read_source`, `compare`, then `carry_out` if `changed` says so."""

    def __init__(self, parameters: dict[str, Any], reporter: Reporter) -> None:
        self.skipped: str | None = None
        self.upload = False
        self.run_script = False
        self.touched = False
        self._parameters = parameters
        self._reporter = reporter
        self._source = _Digests()
        self._dest: str = parameters["dest"]
        self._before: dict[str, Any] = {}
        self._outcome: Outcome | None = None
        self._script: str | None = parameters["script"]
        self._sorter = Sorter()

    @property
    def changed(self) -> bool:
        """Whether there is, or was, something to do."""
        return self.upload or self.run_script

    def read_source(self) -> None:
        """Hash the file and read the script; ClientError (invalid_input) where that is not possible."""
        try:
            if self._parameters["script_src"]:
                with open(self._parameters["script_src"], encoding="utf-8") as file:
                    self._script = file.read()
            with open(self._parameters["src"], "rb") as source:
                for chunk in iter(lambda: source.read(_CHUNK), b""):
                    self._source.write(chunk)
        except (OSError, UnicodeError) as error:
            raise ClientError("invalid_input", f"The file to deploy cannot be read: {error}.") from error

    def compare(self, client: Client) -> None:
        """Find out what is on the agent's host and decide what to do."""
        creates = self._parameters["creates"]
        if creates and _agent_host.exists(client, creates):
            self.skipped = f"Nothing was done, because {creates} exists on the agent's host."
            return
        if self._dest.endswith(("/", "\\")):
            self._dest += self._name()
        state = self._state(client)
        if state["directory"]:
            self._dest += "/" + self._name()
            state = self._state(client)
            if state["directory"]:
                raise ClientError("invalid_input", f"The destination {self._dest} is a directory on the agent's host.")
        if state["exists"] and state["sha256"] is None and state["size"] == self._source.size:
            state["sha256"] = _download_digest(client, self._dest)
        self._before = state
        self._dest = state["path"] or self._dest
        digest = self._source.sha256.hexdigest()
        self.upload = self._parameters["force"] or state["sha256"] != digest
        self.run_script = self._script is not None and (self.upload or state["stamp"] != digest)

    def carry_out(self, client: Client) -> None:
        """Send the file, compare what arrived, run the script. ClientError, ScriptFailed."""
        if self.upload:
            self._send(client)
        if not self.run_script:
            return
        self._reporter.say(f"running the script for {self._name()}")
        self.touched = True
        script = f"export DEPLOYED_FILE={shlex.quote(self._dest)}\n{self._script}"
        parameters = self._parameters
        self._outcome = client.run_script(
            Script(
                script,
                tuple(parameters["arguments"]),
                isolated=parameters["isolation"] == "full",
                mutex_name=parameters["mutex_name"],
                mutex_timeout=parameters["mutex_timeout"],
            ),
            lambda line: self._reporter.line(self._sorter.take(line)),
            parameters["script_timeout"],
        )
        wrong = complaint(self._outcome, parameters["expected_rc"], parameters["script_timeout"])
        if wrong:
            raise ScriptFailed(f"{self._dest} is in place, but its script was no success. {wrong}")
        _agent_host.write_stamp(client, self._dest + STAMP, self._source.sha256.hexdigest())

    def result(self) -> dict[str, Any]:
        """What the module returns; always the same keys."""
        return {
            "remote_path": self._dest,
            "checksum": self._source.sha256.hexdigest(),
            "checksum_sha1": self._source.sha1.hexdigest(),
            "size": self._source.size,
            "uploaded": self.upload,
            "script_run": self.run_script,
            "cause": "ok",
            **self._sorter.result(self._outcome),
        }

    def diff(self) -> dict[str, dict[str, Any]]:
        """The file before and after; in check mode, as it would be."""
        before = {"path": self._dest, "sha256": self._before.get("sha256"), "size": self._before.get("size")}
        after = {"path": self._dest, "sha256": self._source.sha256.hexdigest(), "size": self._source.size}
        return {"before": before, "after": before if self.skipped else after}

    def _state(self, client: Client) -> dict[str, Any]:
        return _agent_host.file_state(client, self._dest, self._dest + STAMP if self._script is not None else None)

    def _name(self) -> str:
        return os.path.basename(str(self._parameters["src"]))

    def _send(self, client: Client) -> None:
        self.touched = True
        with open(self._parameters["src"], "rb") as source:
            answer = client.upload(self._dest, source, self._source.size, self._reporter.bytes_sent(self._name()))
        if answer.length != self._source.size or (answer.hash or "").lower() != self._source.sha1.hexdigest():
            raise ClientError(
                "hash_mismatch",
                f"{client.endpoint} wrote {answer.length} bytes with SHA-1 {answer.hash} to "
                f"{answer.full_path}; sent were {self._source.size} with {self._source.sha1.hexdigest()}.",
            )
        self._dest = answer.full_path or self._dest


def _download_digest(client: Client, path: str) -> str | None:
    digests = _Digests()
    return None if client.download(path, digests) is None else digests.sha256.hexdigest()
