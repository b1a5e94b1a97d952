"""``import-configuration``: an original Tentacle becomes an instance of this agent."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import original_tentacle as original_files
import pytest

pytest.importorskip("cryptography")

from module_utils._instance import configuration, identity
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

    assert call("create-instance", "--instance=web")[0] == 0
    return call


def options(folder: pathlib.Path) -> list[str]:
    return [f"--original-home={folder / 'octopus'}", f"--machine-id-file={folder / 'machine-id'}"]


def test_port_trust_and_thumbprint_are_those_of_the_original(call: Call, tmp_path: pathlib.Path, pem: bytes) -> None:
    pin = identity.thumbprints_of(pem).sha1
    source = original_files.write(tmp_path, identity.export_pfx(pem), pin)
    kept = source.read_bytes()
    code, out, err = call("import-configuration", "--instance=web", *options(tmp_path))
    assert (code, err) == (0, "")
    assert f"Certificate with thumbprint {pin} imported successfully." in out
    assert f"The server {original_files.POLLED} was polled" in out
    assert call("show-thumbprint", "--instance=web")[1] == pin
    after = configuration.load(str(tmp_path / "machine" / "web" / "tentacle.json"))
    assert (after.port, after.application_directory) == (10955, str(tmp_path / "apps"))
    assert original_files.SERVER in after.trusted_pins()
    assert source.read_bytes() == kept


def test_a_file_can_be_named_itself(call: Call, tmp_path: pathlib.Path, pem: bytes) -> None:
    original_files.write(tmp_path, identity.export_pfx(pem), "")
    words = ["--from-file=octopus/Tentacle/tentacle-Tentacle.config", *options(tmp_path)]
    assert call("import-configuration", "--instance=web", *words)[0] == 0
    code, _out, err = call("import-configuration", "--instance=web", "--from-instance=x", *words)
    assert (code, "only one of" in err) == (1, True)


def test_nothing_is_written_where_the_certificate_cannot_be_read(
    call: Call, tmp_path: pathlib.Path, pem: bytes
) -> None:
    original_files.write(tmp_path, identity.export_pfx(pem), "")
    (tmp_path / "machine-id").write_text("f" * 32)
    before = (tmp_path / "machine" / "web" / "tentacle.json").read_bytes()
    code, out, err = call("import-configuration", "--instance=web", *options(tmp_path))
    assert (code, out) == (1, "")
    assert "could not be decrypted" in err
    assert (tmp_path / "machine" / "web" / "tentacle.json").read_bytes() == before
    assert not (tmp_path / "machine" / "web" / "identity.pem").exists()
