# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Replacing an agent's identity in steps that can be repeated, resumed and taken back.

This module util is **private** to the collection. Beside the identity file lie, while a rotation is under way,

    <identity>.next       the identity that comes, made but not yet shown to anybody
    <identity>.previous   the identity that was, kept until the rotation is finished
    <identity>.rotation   which rotation that is, and the thumbprints of both

The stage is not written down but read from the files: from which of the two identities is in force, and which of the
others is there. So a crash between two steps leaves a stage from which every step can be repeated.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from ._instance import files, identity
from ._instance.errors import IdentityError, InstanceError, StorageError

STAGED, ACTIVE, FINISHED, ROLLED_BACK = "staged", "active", "finished", "rolled_back"
STAGES = (STAGED, ACTIVE, FINISHED, ROLLED_BACK)
# From which stages a stage is reached, None being the stage before the first.
_WAYS: Mapping[str, tuple[str | None, ...]] = {
    STAGED: (None, ROLLED_BACK),
    ACTIVE: (None, STAGED, ROLLED_BACK),
    FINISHED: (ACTIVE,),
    ROLLED_BACK: (STAGED, ACTIVE),
}


class Rotation(NamedTuple):
    """Where a rotation stands. Thumbprints are SHA-1; None where there is no such identity, or it is not made yet."""

    rotation: str | None
    stage: str | None
    thumbprint: str | None
    next_thumbprint: str | None
    previous_thumbprint: str | None


class Wishes(NamedTuple):
    """How the next identity is made; None takes what the present one has."""

    key_type: str | None
    key_size: int | None
    valid_days: int
    subject: str | None


class RotationChange:
    """Brings the identity in ``path`` to a stage of the rotation that is called ``label``."""

    def __init__(self, path: str, label: str, stage: str, wishes: Wishes) -> None:
        self.path = path
        self._label = label
        self._stage = stage
        self._wishes = wishes
        self.before = self.read()
        self._refuse_what_cannot_be()

    def read(self) -> Rotation:
        """Where the rotation stands. Raises IdentityError where there is no identity to rotate, or StorageError."""
        if not os.path.lexists(self.path):
            raise IdentityError(
                f"There is no identity in {self.path}, so there is none to rotate. The instance was not configured to "
                "the end, probably. Make one with listening.tentacle.tentacle_certificate."
            )
        present = _pin(self.path)
        record = self._record()
        if record is None or present not in (record["thumbprint"], record["previous_thumbprint"]):
            return Rotation(None, None, present, None, None)
        label, rotated = record["rotation"], present == record["thumbprint"]
        if rotated:
            previous = _pin(self._beside("previous"))
            return Rotation(label, ACTIVE if previous else FINISHED, present, None, previous)
        coming = _pin(self._beside("next"))
        return Rotation(label, STAGED if coming else ROLLED_BACK, present, coming, None)

    def plan(self) -> Rotation:
        """Where it will stand; a thumbprint of an identity that is still to be made is None."""
        before, stage = self.before, self._stage
        if not self.is_changed():
            return before
        if stage == STAGED:
            return Rotation(self._label, stage, before.thumbprint, None, None)
        if stage == ACTIVE:
            return Rotation(self._label, stage, before.next_thumbprint, None, before.thumbprint)
        present = before.previous_thumbprint if stage == ROLLED_BACK and before.stage == ACTIVE else before.thumbprint
        return Rotation(self._label, stage, present, None, None)

    def is_changed(self) -> bool:
        """Whether ``apply`` has anything to do: a rotation that has gone further is not brought back to a start."""
        own = self.before.stage if self.before.rotation == self._label else None
        return own in _WAYS[self._stage]

    def makes_identity(self) -> bool:
        """Whether ``apply`` makes a key, for which the library is needed."""
        return self.is_changed() and self._stage in (STAGED, ACTIVE) and self.before.stage != STAGED

    def apply(self) -> None:
        """Take the steps that lead to the stage. Raises IdentityError or StorageError."""
        if self.makes_identity():
            self._make_next()
        if self._stage == ACTIVE:
            self._copy(self.path, self._beside("previous"))
            self._copy(self._beside("next"), self.path)
        if self._stage == ROLLED_BACK and self.before.stage == ACTIVE:
            self._copy(self._beside("previous"), self.path)
        if self._stage != STAGED:
            _remove(self._beside("next"))
        if self._stage in (FINISHED, ROLLED_BACK):
            _remove(self._beside("previous"))

    def _make_next(self) -> None:
        wishes, present = self._wishes, identity.describe(files.read(self.path))
        pem = identity.create(
            wishes.subject or (identity.SUBJECT if "," in present["subject"] else present["subject"]),
            wishes.key_type or ("ec" if present["key_type"] == "ec" else "rsa"),
            wishes.key_size or max(present["key_size"] or 0, identity.SMALLEST_RSA_KEY),
            wishes.valid_days,
        )
        document = {
            "rotation": self._label,
            "thumbprint": identity.thumbprints_of(pem).sha1,
            "previous_thumbprint": self.before.thumbprint,
        }
        _remove(self._beside("previous"))
        self._write(self._beside("next"), pem)
        self._write(self._beside("rotation"), (json.dumps(document, indent=2) + "\n").encode())

    def _refuse_what_cannot_be(self) -> None:
        before, stage = self.before, self._stage
        own = before.rotation == self._label
        if not own and before.stage in (STAGED, ACTIVE):
            raise InstanceError(
                f"The rotation '{self._label}' of {self.path} cannot begin: it is in the middle of the rotation "
                f"'{before.rotation}', which is {before.stage}. An earlier run was broken off, probably. Bring that "
                "one to an end first, with state 'finished' or 'rolled_back' and its name.",
                cause="invalid_input",
            )
        if not own and stage in (FINISHED, ROLLED_BACK):
            raise InstanceError(
                f"The identity {self.path} takes no part in a rotation '{self._label}', so that cannot become {stage}. "
                "The name is another one, or the host was left out. Begin it with state 'staged'.",
                cause="invalid_input",
            )
        if own and (before.stage, stage) in ((FINISHED, ROLLED_BACK), (STAGED, FINISHED), (ROLLED_BACK, FINISHED)):
            raise InstanceError(
                f"The rotation '{self._label}' of {self.path} is {before.stage} and cannot become {stage}: what is "
                "finished has no earlier key any more, and only what is active can be finished. Begin a rotation of "
                "another name, or bring this one to 'active' first.",
                cause="invalid_input",
            )

    def _record(self) -> dict[str, Any] | None:
        try:
            document = json.loads(files.read(self._beside("rotation")))
            return document if set(document) == {"rotation", "thumbprint", "previous_thumbprint"} else None
        except (StorageError, ValueError, TypeError):
            return None

    def _beside(self, what: str) -> str:
        return f"{self.path}.{what}"

    def _copy(self, source: str, target: str) -> None:
        self._write(target, files.read(source))

    def _write(self, path: str, data: bytes) -> None:
        """With the rights of the identity, so that none of the files is more open than it."""
        status = os.stat(self.path)
        files.write_atomically(path, data, status.st_mode & 0o777, status.st_uid, status.st_gid)


def _pin(path: str) -> str | None:
    if not os.path.lexists(path):
        return None
    return identity.thumbprints_of(files.read(path)).sha1


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
