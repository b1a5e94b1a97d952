"""Taking over an original Tentacle: its settings, its trust, its certificate."""

from __future__ import annotations

import base64
import os
import pathlib

import original_tentacle as original_files
import pytest

pytest.importorskip("cryptography")

from module_utils._instance import configuration, encryption, identity, original
from module_utils._instance.errors import ConfigurationError, IdentityError, SelectionError


@pytest.fixture(name="pem", scope="module")
def fixture_pem() -> bytes:
    return identity.create()


@pytest.fixture(name="pfx", scope="module")
def fixture_pfx(pem: bytes) -> bytes:
    return identity.export_pfx(pem)


def keys(folder: pathlib.Path) -> encryption.KeyFiles:
    return encryption.KeyFiles(str(folder / "machine-id"), str(folder / "machinekey"))


def test_everything_a_listening_instance_says_is_read(tmp_path: pathlib.Path, pem: bytes, pfx: bytes) -> None:
    pin = identity.thumbprints_of(pem).sha1
    path = original_files.write(tmp_path, pfx, pin)
    found = original.load(original.find(home=str(tmp_path / "octopus")).path)
    assert found.facts() == {
        "path": str(path),
        "home_directory": str(tmp_path / "home"),
        "application_directory": str(tmp_path / "apps"),
        "port": 10955,
        "listen_address": "any",
        "no_listen": False,
        "trusted_thumbprints": sorted([original_files.SERVER, original_files.POLLED]),
        "polling_thumbprints": [original_files.POLLED],
        "thumbprint": pin,
    }
    assert "encrypted" not in repr(found)
    assert original.read_identity(found, keys(tmp_path)) == pem


def test_our_configuration_gets_port_trust_and_applications_and_keeps_its_home(
    tmp_path: pathlib.Path, pfx: bytes
) -> None:
    path = original_files.write(tmp_path, pfx, "", Tentacle_Services_ListenIP="127.0.0.1")
    base = configuration.create(str(tmp_path / "ours" / "tentacle.json"), "web")
    after = original.with_taken_over(base, original.load(str(path)))
    assert (after.port, after.listen_address) == (10955, "127.0.0.1")
    assert after.application_directory == str(tmp_path / "apps")
    assert after.home_directory == base.home_directory
    assert after.trusted_pins() == {original_files.SERVER, original_files.POLLED}
    assert after.trusted_servers[1].subscription_id == "poll://abc/"


def test_defaults_stand_where_the_original_says_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "empty.config"
    path.write_text("<octopus-settings />")
    found = original.load(str(path))
    assert (found.port, found.home_directory, found.trusted_servers) == (10933, str(tmp_path), ())
    assert found.application_directory == original.DEFAULT_APPLICATIONS
    with pytest.raises(IdentityError, match="holds no certificate"):
        original.read_identity(found, keys(tmp_path))


def test_the_generated_key_is_tried_after_the_machine_id(tmp_path: pathlib.Path, pem: bytes, pfx: bytes) -> None:
    key, vector = os.urandom(32), os.urandom(16)
    text = original_files.encrypt(base64.b64encode(pfx).decode(), key, vector)
    path = original_files.write(tmp_path, pfx, identity.thumbprints_of(pem).sha1, Tentacle_Certificate=text)
    (tmp_path / "machinekey").write_bytes(base64.b64encode(key) + b"." + base64.b64encode(vector))
    assert original.read_identity(original.load(str(path)), keys(tmp_path)) == pem


@pytest.mark.parametrize("machine_id", ["f" * 32 + "\n", "short\n", None])
def test_a_certificate_of_another_machine_is_refused_with_what_was_tried(
    tmp_path: pathlib.Path, pfx: bytes, machine_id: str | None
) -> None:
    found = original.load(str(original_files.write(tmp_path, pfx, "")))
    (tmp_path / "machine-id").unlink()
    if machine_id is not None:
        (tmp_path / "machine-id").write_text(machine_id)
    (tmp_path / "machinekey").write_text("no.base64!")
    with pytest.raises(IdentityError, match="could not be decrypted with a key of this machine"):
        original.read_identity(found, keys(tmp_path))


def test_a_certificate_that_is_not_the_named_one_is_refused(tmp_path: pathlib.Path, pfx: bytes) -> None:
    found = original.load(str(original_files.write(tmp_path, pfx, original_files.SERVER)))
    with pytest.raises(IdentityError, match="should be 8C3466"):
        original.read_identity(found, keys(tmp_path))


def test_text_that_is_no_base64_is_called_damaged(tmp_path: pathlib.Path, pfx: bytes) -> None:
    found = original.load(str(original_files.write(tmp_path, pfx, "", Tentacle_Certificate="%%%")))
    with pytest.raises(IdentityError, match="no base64"):
        original.read_identity(found, keys(tmp_path))


def test_an_instance_that_polls_is_refused(tmp_path: pathlib.Path, pfx: bytes) -> None:
    found = original.load(str(original_files.write(tmp_path, pfx, "", Tentacle_Services_NoListen="true")))
    base = configuration.create(str(tmp_path / "tentacle.json"))
    with pytest.raises(ConfigurationError, match="polls its servers") as caught:
        original.with_taken_over(base, found)
    assert caught.value.cause == "wrong_mode"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "no valid XML"),
        ("<other/>", "begins with <other>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><octopus-settings/>', "document type"),
        ('<octopus-settings><set key="Tentacle.Services.PortNumber">x</set></octopus-settings>', "cannot be used"),
        (
            '<octopus-settings><set key="tentacle.communication.trustedoctopusservers">[1]</set></octopus-settings>',
            "cannot be used",
        ),
    ],
)
def test_what_is_no_configuration_of_the_original_is_named(tmp_path: pathlib.Path, text: str, words: str) -> None:
    path = tmp_path / "x.config"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        original.load(str(path))


def test_instances_are_found_by_name_and_missing_ones_listed(tmp_path: pathlib.Path, pfx: bytes) -> None:
    original_files.write(tmp_path, pfx, "")
    home = str(tmp_path / "octopus")
    assert original.find("TENTACLE", home).name == "Tentacle"
    with pytest.raises(SelectionError, match="there are: Tentacle"):
        original.find("other", home)
    with pytest.raises(SelectionError, match="there are: none"):
        original.find(home=str(tmp_path / "nowhere"))


def test_the_units_name_is_the_originals() -> None:
    assert original.service_name("My /Web Tentacle") == "My-Web-Tentacle.service"
