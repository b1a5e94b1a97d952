# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import os
import pathlib
from collections.abc import Callable
from typing import Any

import original_tentacle as original_files
import pytest

from ansible_collections.listening.tentacle.plugins.module_utils import _identity_library as library
from ansible_collections.listening.tentacle.plugins.module_utils._instance import identity, original
from ansible_collections.listening.tentacle.plugins.modules import tentacle_certificate as module
from ansible_collections.listening.tentacle.plugins.modules import tentacle_certificate_info as info
from ansible_collections.listening.tentacle.plugins.modules import tentacle_instance

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def pems() -> tuple[bytes, bytes]:
    return identity.create(subject="One"), identity.create(subject="Two")


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "identity.pem"


@pytest.fixture
def certificate(run_module: Run, path: pathlib.Path) -> Run:
    return lambda **options: run_module(module, **{"path": str(path), **options})


def mode(path: pathlib.Path) -> int:
    return path.stat().st_mode & 0o777


def test_creates_once(certificate: Run, path: pathlib.Path) -> None:
    foreseen = certificate(check=True)
    assert not path.exists()
    made = certificate()
    content = path.read_bytes()
    again = certificate()
    assert (foreseen["changed"], made["changed"], again["changed"]) == (True, True, False)
    assert path.read_bytes() == content
    assert foreseen["thumbprint"] is None
    assert foreseen.keys() == made.keys() == again.keys()
    assert made["thumbprint"] == again["thumbprint"] == identity.thumbprints_of(content).sha1
    assert (made["subject"], made["key_type"], made["key_size"]) == ("CN=Octopus Tentacle", "RSA", 2048)
    assert made["signature_algorithm"] == "sha256WithRSAEncryption"
    assert (made["previous_thumbprint"], again["previous_thumbprint"]) == (None, made["thumbprint"])
    assert mode(path) == 0o600


def test_other_wishes_do_not_replace_an_identity(certificate: Run) -> None:
    made = certificate(key_type="ec", subject="Other", valid_days=10)
    assert (made["key_type"], made["curve"], made["subject"]) == ("EC", "P-256", "CN=Other")
    again = certificate(key_size=4096)
    assert not again["changed"]
    assert again["thumbprint"] == made["thumbprint"]


def test_force_makes_another_and_can_keep_the_old(certificate: Run, path: pathlib.Path) -> None:
    first = certificate()
    old = path.read_bytes()
    foreseen = certificate(force=True, backup=True, check=True)
    assert foreseen["changed"]
    assert path.read_bytes() == old
    second = certificate(force=True, backup=True)
    assert second["previous_thumbprint"] == first["thumbprint"] != second["thumbprint"]
    kept = pathlib.Path(second["backup_file"])
    assert kept.read_bytes() == old
    assert mode(kept) == 0o600


class TestImport:
    @pytest.mark.parametrize("form", ["pem", "pfx", "base64"])
    def test_content(self, certificate: Run, path: pathlib.Path, pems: tuple[bytes, bytes], form: str) -> None:
        password = None if form == "pem" else "secret"
        data = pems[0] if form == "pem" else identity.export_pfx(pems[0], password)
        text = data.decode() if form == "pem" else base64.b64encode(data).decode()
        if form == "pfx":
            source = path.parent / "identity.pfx"
            source.write_bytes(data)
            options: dict[str, Any] = {"pfx_path": str(source), "passphrase": password}
        else:
            options = {"content": text, "passphrase": password}
        foreseen = certificate(check=True, **options)
        assert not path.exists()
        made, again = certificate(**options), certificate(**options)
        assert (foreseen["changed"], made["changed"], again["changed"]) == (True, True, False)
        assert foreseen["thumbprint"] == made["thumbprint"] == identity.thumbprints_of(pems[0]).sha1
        assert identity.certificate_der(path.read_bytes()) == identity.certificate_der(pems[0])
        assert mode(path) == 0o600

    def test_two_files(self, certificate: Run, tmp_path: pathlib.Path, pems: tuple[bytes, bytes]) -> None:
        text = pems[0].decode()
        start = text.index("-----BEGIN CERTIFICATE")
        (tmp_path / "key").write_text(text[:start])
        (tmp_path / "crt").write_text(text[start:])
        made = certificate(certificate_path=str(tmp_path / "crt"), privatekey_path=str(tmp_path / "key"))
        assert made["subject"] == "CN=One"

    def test_replaces_another(self, certificate: Run, path: pathlib.Path, pems: tuple[bytes, bytes]) -> None:
        path.write_bytes(pems[1])
        path.chmod(0o640)
        assert certificate(content=pems[0].decode())["changed"]
        assert mode(path) == 0o640

    @pytest.mark.parametrize(
        ("content", "cause"),
        [("no base64!", "certificate_invalid"), ("-----BEGIN CERTIFICATE-----\n", "certificate_invalid")],
    )
    def test_refuses(self, certificate: Run, path: pathlib.Path, content: str, cause: str) -> None:
        result = certificate(content=content)
        assert (result["failed"], result["cause"]) == (True, cause)
        assert not path.exists()

    def test_a_wrong_password_is_named_and_not_shown(
        self, certificate: Run, path: pathlib.Path, pems: tuple[bytes, bytes]
    ) -> None:
        text = base64.b64encode(identity.export_pfx(pems[0], "right")).decode()
        result = certificate(content=text, passphrase="canary-4711")
        assert result["cause"] == "password_wrong"
        assert "canary-4711" not in str(result)

    def test_the_difference_holds_no_key(self, certificate: Run, pems: tuple[bytes, bytes]) -> None:
        result = certificate(content=pems[0].decode())
        key = pems[0].decode().split("-----")[2].strip().splitlines()[1]
        assert key not in str(result)


class TestDamagedFile:
    @pytest.fixture(params=["garbage", "certificate only", "mixed up"])
    def damaged(self, request: Any, path: pathlib.Path, pems: tuple[bytes, bytes]) -> bytes:
        start = pems[0].index(b"-----BEGIN CERTIFICATE")
        contents = {
            "garbage": b"garbage",
            "certificate only": pems[0][start:],
            "mixed up": pems[0][:start] + pems[1][pems[1].index(b"-----BEGIN CERTIFICATE") :],
        }
        path.write_bytes(contents[request.param])
        return contents[request.param]

    def test_is_not_replaced_silently(self, certificate: Run, path: pathlib.Path, damaged: bytes) -> None:
        result = certificate()
        assert (result["failed"], result["cause"]) == (True, "certificate_invalid")
        assert path.read_bytes() == damaged

    def test_is_replaced_when_told(self, certificate: Run, damaged: bytes) -> None:
        assert certificate(force=True)["changed"]
        assert not certificate()["changed"]


def test_mode_and_owner_are_settled_without_a_new_identity(certificate: Run, path: pathlib.Path) -> None:
    made = certificate()
    foreseen, settled, again = certificate(mode="0640", check=True), certificate(mode="0640"), certificate(mode="0640")
    assert (foreseen["changed"], settled["changed"], again["changed"]) == (True, True, False)
    assert settled["thumbprint"] == made["thumbprint"]
    assert mode(path) == 0o640
    assert not certificate()["changed"]
    assert mode(path) == 0o640


@pytest.mark.parametrize("wrong", ["0644", "rw", "0999", 644])
def test_a_key_is_never_opened_to_others(certificate: Run, path: pathlib.Path, wrong: Any) -> None:
    result = certificate(mode=wrong)
    assert (result["failed"], result["cause"]) == (True, "invalid_input")
    assert not path.exists()


def test_absent(certificate: Run, path: pathlib.Path) -> None:
    made = certificate()
    foreseen = certificate(state="absent", check=True)
    assert path.exists()
    gone = certificate(state="absent")
    assert (foreseen["changed"], gone["changed"], gone["thumbprint"]) == (True, True, None)
    assert gone["previous_thumbprint"] == made["thumbprint"]
    assert not path.exists()
    assert not certificate(state="absent")["changed"]


def test_of_an_instance(run_module: Run, tmp_path: pathlib.Path) -> None:
    options = {"configuration_home": str(tmp_path / "etc")}
    assert run_module(module, **options)["cause"] == "instance_unknown"
    assert run_module(module, check=True, **options)["path"] == str(tmp_path / "etc/tentacle/identity.pem")
    group = str(os.getegid() + 1) if os.geteuid() == 0 else None
    run_module(tentacle_instance, home_directory=str(tmp_path / "home"), service_group=group, **options)
    made = run_module(module, **options)
    path = pathlib.Path(made["path"])
    assert path == tmp_path / "etc/tentacle/identity.pem"
    assert mode(path) == (0o640 if group else 0o600)
    assert path.stat().st_gid == (int(group) if group else os.getegid())
    changed = run_module(tentacle_instance, home_directory=str(tmp_path / "home"), service_group=group, **options)
    assert not changed["changed"]
    assert not run_module(module, **options)["changed"]
    assert run_module(info, **options)["thumbprint"] == made["thumbprint"]


def test_goes_on_under_another_python(monkeypatch: pytest.MonkeyPatch, certificate: Run) -> None:
    class Gone(Exception):
        pass

    def respawn(interpreter: str) -> None:
        raise Gone(interpreter)

    monkeypatch.setattr(library, "HAS_CRYPTOGRAPHY", False)
    monkeypatch.setattr(library, "probe_interpreters_for_module", lambda paths, _name: paths[0])
    monkeypatch.setattr(library, "respawn_module", respawn)
    with pytest.raises(Gone, match="/opt/python"):
        certificate(agent_python="/opt/python")


def test_says_what_is_missing_when_no_python_will_do(monkeypatch: pytest.MonkeyPatch, certificate: Run) -> None:
    monkeypatch.setattr(library, "HAS_CRYPTOGRAPHY", False)
    monkeypatch.setattr(library, "probe_interpreters_for_module", lambda paths, _name: None)
    result = certificate(agent_python="/nowhere/python3")
    assert result["cause"] == "runtime_missing"
    assert "/nowhere/python3" in result["msg"]
    assert certificate(agent_python="/nowhere/python3", check=True)["changed"]


def test_a_present_identity_needs_no_library(
    monkeypatch: pytest.MonkeyPatch, certificate: Run, path: pathlib.Path, pems: tuple[bytes, bytes]
) -> None:
    path.write_bytes(pems[0])
    monkeypatch.setattr(module, "complaint_without_library", lambda _module: pytest.fail("asked for the library"))
    assert not certificate()["changed"]


def test_takes_over_the_certificate_of_an_original(
    monkeypatch: pytest.MonkeyPatch, certificate: Run, tmp_path: pathlib.Path, pems: tuple[bytes, bytes]
) -> None:
    pin = identity.thumbprints_of(pems[0]).sha1
    config = original_files.write(tmp_path, identity.export_pfx(pems[0]), pin)
    keys = original.key_files(str(tmp_path / "octopus"), str(tmp_path / "machine-id"))
    monkeypatch.setattr(original, "key_files", lambda: keys)
    foreseen = certificate(original_config=str(config), check=True)
    assert (foreseen["changed"], foreseen["thumbprint"]) == (True, pin)
    made = certificate(original_config=str(config))
    again = certificate(original_config=str(config))
    assert (made["changed"], made["thumbprint"], again["changed"]) == (True, pin, False)
    (tmp_path / "machine-id").write_text("0" * 32)
    assert "could not be decrypted" in certificate(original_config=str(config))["msg"]


class TestInfo:
    def test_reads(self, run_module: Run, path: pathlib.Path, pems: tuple[bytes, bytes]) -> None:
        path.write_bytes(pems[0][pems[0].index(b"-----BEGIN CERTIFICATE") :])
        found = run_module(info, path=str(path))
        assert (found["exists"], found["subject"], found["changed"]) == (True, "CN=One", False)
        assert found["thumbprint_sha256"] == identity.thumbprints_of(pems[0]).sha256

    def test_nothing_there(self, run_module: Run, path: pathlib.Path, certificate: Run) -> None:
        found = run_module(info, path=str(path))
        assert not found["exists"]
        assert found["thumbprint"] is None
        certificate()
        assert run_module(info, path=str(path)).keys() == found.keys()

    def test_nonsense(self, run_module: Run, path: pathlib.Path) -> None:
        path.write_text("nonsense")
        assert run_module(info, path=str(path))["cause"] == "certificate_invalid"


def test_an_image_has_no_identity_and_a_unit_that_makes_one(run_module: Run, tmp_path: pathlib.Path) -> None:
    where = {"configuration_home": str(tmp_path / "etc")}
    run_module(tentacle_instance, home_directory=str(tmp_path / "home"), **where)
    present = tmp_path / "etc" / "tentacle" / "identity.pem"
    options = {"state": "first_boot", "key_type": "ec", "subject": "Web", "executable": "/opt/agent", **where}
    first, again = run_module(module, **options), run_module(module, **options)
    assert (first["changed"], again["changed"], present.exists()) == (False, False, False)
    assert first["thumbprint"] is None
    assert first["unit_name"] == "tentacle-agent-identity@tentacle.service"
    assert "ExecStart=/opt/agent new-certificate --if-blank" in first["unit"]
    assert "--key-type=ec --days=36525 --subject=Web --noninteractive" in first["unit"]

    made = run_module(module, **where)
    assert (made["unit"], made["unit_name"]) == (None, None)
    refused = run_module(module, **options)
    assert refused["cause"] == "identity_present"
    assert made["thumbprint"] in refused["msg"]
    assert present.exists()
    assert run_module(module, check=True, force=True, **options)["changed"]
    assert present.exists()
    removed = run_module(module, force=True, **options)
    assert (removed["changed"], removed["previous_thumbprint"]) == (True, made["thumbprint"])
    assert not present.exists()
