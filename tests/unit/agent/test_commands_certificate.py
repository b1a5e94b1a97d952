"""Verbs about the agent's certificate."""

from __future__ import annotations

import base64
import io
import json
import pathlib
import stat
import sys
from collections.abc import Callable

import pytest

pytest.importorskip("cryptography")

from module_utils._instance import identity
from tentacle_agent.__main__ import main

Call = Callable[..., "tuple[int, str, str]"]


@pytest.fixture(name="pem", scope="module")
def fixture_pem() -> bytes:
    return identity.create(key_type="ec")


@pytest.fixture(name="call")
def fixture_call(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.setenv("TentacleMachineConfigurationHomeDirectory", str(tmp_path / "machine"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = main(words)
        return (code, *capsys.readouterr())

    assert call("create-instance", "--instance=web", f"--config={tmp_path / 'web.cfg'}")[0] == 0
    return call


def _installed(tmp_path: pathlib.Path) -> bytes:
    return (tmp_path / "identity.pem").read_bytes()


def test_a_new_certificate_is_installed(call: Call, tmp_path: pathlib.Path) -> None:
    code, out, err = call("new-certificate", "--instance=web")
    thumbprint = identity.thumbprints_of(_installed(tmp_path)).sha1
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [
        "A new certificate has been generated and installed. Thumbprint:",
        thumbprint,
    ]
    assert stat.S_IMODE((tmp_path / "identity.pem").stat().st_mode) == 0o600
    assert call("show-thumbprint") == (0, thumbprint, "")
    assert call("show-thumbprint", "--format=json") == (0, json.dumps({"Thumbprint": thumbprint}).replace(" ", ""), "")
    assert call("show-thumbprint", "--sha256", "--thumbprint-only")[1] == (
        identity.thumbprints_of(_installed(tmp_path)).sha256
    )


def test_if_blank_leaves_one_that_is_there(call: Call, tmp_path: pathlib.Path) -> None:
    assert call("new-certificate", "--if-blank", "--key-type=ec")[0] == 0
    before = _installed(tmp_path)
    assert call("new-certificate", "-b")[1] == "A certificate already exists, no changes will be applied.\n"
    assert _installed(tmp_path) == before
    call("new-certificate", "--key-type=EC", "--days=10", "--subject=CN=Web server")
    assert _installed(tmp_path) != before
    made = identity.describe(_installed(tmp_path))
    assert (made["curve"], made["subject"]) == ("secp256r1", "CN=Web server")


def test_the_thumbprint_can_go_into_a_file(call: Call, tmp_path: pathlib.Path) -> None:
    call("new-certificate", "--key-type=ec")
    code, out, _unused = call("show-thumbprint", "-e=shown.txt")
    assert (code, out) == (0, "The thumbprint has been written to shown.txt.\n")
    assert (tmp_path / "shown.txt").read_text() == identity.thumbprints_of(_installed(tmp_path)).sha1


def test_without_a_certificate(call: Call) -> None:
    code, out, err = call("show-thumbprint")
    assert (code, out) == (1, "")
    assert "There is no certificate yet" in err
    assert call("show-thumbprint", "--format=json") == (0, '{"Thumbprint":null}', "")


def test_exports_leave_the_instance_alone(call: Call, tmp_path: pathlib.Path) -> None:
    code, out, _unused = call("new-certificate", "--export-pfx=x.pfx", "--pfx-password=secret", "--key-type=ec")
    pem = identity.import_pfx((tmp_path / "x.pfx").read_bytes(), "secret")
    assert code == 0
    assert out.splitlines() == [
        "A new certificate has been generated and written to x.pfx. Thumbprint:",
        identity.thumbprints_of(pem).sha1,
    ]
    assert stat.S_IMODE((tmp_path / "x.pfx").stat().st_mode) == 0o600
    call("new-certificate", "--export-file=x.txt", "--key-type=ec")
    identity.import_base64((tmp_path / "x.txt").read_text())
    assert not (tmp_path / "identity.pem").exists()


@pytest.mark.parametrize(
    "pair",
    [("--if-blank", "--export-file=x"), ("--if-blank", "--export-pfx=x"), ("--export-file=x", "--export-pfx=y")],
)
def test_exports_exclude_each_other(call: Call, pair: tuple[str, str]) -> None:
    code, _unused, err = call("new-certificate", *pair)
    assert code == 1
    assert err.startswith("Invalid command: --")
    assert err.endswith(" cannot be specified together\n")


def test_a_certificate_is_imported_from_what_there_is(call: Call, tmp_path: pathlib.Path, pem: bytes) -> None:
    pfx = identity.export_pfx(pem, "secret")
    (tmp_path / "x.pfx").write_bytes(pfx)
    (tmp_path / "x.pem").write_bytes(pem)
    (tmp_path / "x.txt").write_bytes(base64.b64encode(identity.export_pfx(pem)))
    (tmp_path / "password").write_text("secret\n")
    thumbprint = identity.thumbprints_of(pem).sha1
    for words in (
        ("--from-file=x.pfx", "--pfx-password=secret"),
        ("-f", "x.pfx", "--pw=secret"),
        ("-f=x.pfx", "--pfx-password-file=password"),
        ("--from-file=x.pem",),
        ("--from-file=x.txt",),
        (f"--from-base64={base64.b64encode(identity.export_pfx(pem)).decode()}",),
    ):
        (tmp_path / "identity.pem").unlink(missing_ok=True)
        code, out, err = call("import-certificate", "--instance=web", *words)
        assert (code, err) == (0, "")
        assert f"Certificate with thumbprint {thumbprint} imported successfully.\n" in out
        assert _installed(tmp_path) == pem


def test_a_password_from_standard_input(
    call: Call, tmp_path: pathlib.Path, pem: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.pfx").write_bytes(identity.export_pfx(pem, "secret"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("secret\n"))
    assert call("import-certificate", "-f=x.pfx", "--pfx-password-file=-")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Please specify the certificate to import."),
        (["-r", "-f=x"], "Please specify only one of from-registry or from-file."),
        (["-f=x", "-b=x"], "Please specify only one of from-file or from-base64."),
        (["--from-registry"], "There is no Windows registry here."),
        (["-f=none.pfx"], "Certificate 'none.pfx' was not found."),
        (["-b=!"], "neither PEM nor PFX nor base64"),
        (["-f=web.cfg", "--pw=a", "--pfx-password-file=b"], "Please specify only one of pfx-password"),
    ],
)
def test_imports_that_cannot_be(call: Call, words: list[str], sentence: str) -> None:
    code, _unused, err = call("import-certificate", *words)
    assert code == 1
    assert err.startswith(sentence) or sentence in err


def test_a_wrong_password_changes_nothing(call: Call, tmp_path: pathlib.Path, pem: bytes) -> None:
    (tmp_path / "identity.pem").write_bytes(b"before")
    (tmp_path / "x.pfx").write_bytes(identity.export_pfx(pem, "secret"))
    code, _unused, err = call("import-certificate", "-f=x.pfx", "--pw=wrong")
    assert code == 1
    assert "password" in err
    assert _installed(tmp_path) == b"before"


def test_a_small_key_is_taken_with_a_warning(
    call: Call, pem: bytes, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.pem").write_bytes(pem)
    monkeypatch.setattr(identity, "key_is_small", lambda _facts: True)
    code, out, _unused = call("import-certificate", "-f=x.pem")
    assert code == 0
    assert "smaller than the currently-recommended bit length" in out
