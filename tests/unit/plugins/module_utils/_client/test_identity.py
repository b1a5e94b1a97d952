# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A caller's certificate and key: what is accepted, and what is said about what is not."""

from __future__ import annotations

import pathlib

import pytest
from identities import MadeIdentity, elliptic, make, short

from module_utils._client import identity
from module_utils._client.errors import ClientError


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> MadeIdentity:
    return make(tmp_path_factory.mktemp("good") / "good.pem", "Server")


def complaint(*arguments: str | None) -> str:
    with pytest.raises(ClientError) as caught:
        identity.load(*arguments)  # type: ignore[arg-type]
    assert caught.value.cause == "invalid_input"
    return str(caught.value)


def test_one_file_or_two(good: MadeIdentity) -> None:
    for key in (None, str(good.path)):
        loaded = identity.load(str(good.path), key)
        assert loaded.thumbprints.sha1 == good.thumbprint
        assert loaded.weakness is None


def test_passphrase(tmp_path: pathlib.Path) -> None:
    locked = make(tmp_path / "locked.pem", passphrase=b"secret-canary")
    assert identity.load(str(locked.path), None, "secret-canary").thumbprints.sha1 == locked.thumbprint
    assert "no passphrase was given" in complaint(str(locked.path))
    said = complaint(str(locked.path), None, "wrong-canary")
    assert "cannot be decrypted" in said
    assert "canary" not in said


def test_a_key_of_another_certificate(good: MadeIdentity, tmp_path: pathlib.Path) -> None:
    other = make(tmp_path / "other.pem")
    key_only = tmp_path / "key.pem"
    key_only.write_bytes(other.path.read_bytes().split(b"-----BEGIN CERTIFICATE")[0])
    assert "public keys differ" in complaint(str(good.path), str(key_only))


def test_files_that_are_none(tmp_path: pathlib.Path, good: MadeIdentity) -> None:
    assert "No such file" in complaint(str(tmp_path / "missing.pem"))
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    assert "no certificate in PEM form" in complaint(str(empty))
    damaged = tmp_path / "damaged.pem"
    damaged.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "cannot be read" in complaint(str(damaged))
    assert "private key" in complaint(str(good.path), str(empty))


def test_weak_certificates_can_be_loaded_and_are_named(tmp_path: pathlib.Path) -> None:
    weak = make(tmp_path / "weak.pem", key=short())
    assert "1024 bits" in (identity.load(str(weak.path)).weakness or "")
    assert identity.load(str(make(tmp_path / "ec.pem", key=elliptic()).path)).weakness is None
