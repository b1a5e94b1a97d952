"""Which instance is meant, and what is recorded."""

from __future__ import annotations

import json
import pathlib

import pytest

from module_utils._instance import records
from module_utils._instance.errors import SelectionError
from module_utils._instance.records import Record


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: pathlib.Path) -> dict[str, str]:
    return {"TentacleMachineConfigurationHomeDirectory": str(tmp_path / "machine")}


def _instance(tmp_path: pathlib.Path, machine: dict[str, str], name: str) -> str:
    path = tmp_path / f"{name}.cfg"
    path.write_text("{}", encoding="utf-8")
    records.add_record(name, str(path), machine)
    return str(path)


def test_a_record_has_the_original_s_place_and_keys(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    path = _instance(tmp_path, machine, "Web 01")
    file = tmp_path / "machine" / "Tentacle" / "Instances" / "web-01.config"
    assert json.loads(file.read_text(encoding="utf-8")) == {"Name": "Web 01", "ConfigurationFilePath": path}


def test_records_are_listed_found_and_deleted(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    assert records.list_records(machine) == []
    b, a = _instance(tmp_path, machine, "b"), _instance(tmp_path, machine, "A")
    assert records.list_records(machine) == [Record("A", a), Record("b", b)]
    assert records.find_record("B", machine) == Record("b", b)
    assert records.delete_record("B", machine) is True
    assert records.delete_record("B", machine) is False
    assert pathlib.Path(b).exists()


def test_the_same_record_again_is_no_change_and_another_is_refused(
    tmp_path: pathlib.Path, machine: dict[str, str]
) -> None:
    path = _instance(tmp_path, machine, "web")
    assert records.add_record("web", path, machine) is False
    with pytest.raises(SelectionError, match="Instance web already exists") as caught:
        records.add_record("WEB", str(tmp_path / "other"), machine)
    assert caught.value.cause == "instance_exists"


def test_a_damaged_record_is_passed_over(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    path = _instance(tmp_path, machine, "web")
    broken = tmp_path / "machine" / "Tentacle" / "Instances" / "broken.config"
    for content in (b"{", b"[]", b"{}", b"\xff"):
        broken.write_bytes(content)
        assert records.list_records(machine) == [Record("web", path)]


def test_the_named_instance_comes_first(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    path = _instance(tmp_path, machine, "web")
    assert records.select("WEB", "/elsewhere", machine, str(tmp_path)) == Record("web", path)


def test_then_the_named_file(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    path = _instance(tmp_path, machine, "Tentacle")
    (tmp_path / "Tentacle.config").write_text("{}", encoding="utf-8")
    assert records.select(None, path, machine, str(tmp_path)) == Record("", path)


def test_then_the_file_in_the_working_directory(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    _instance(tmp_path, machine, "Tentacle")
    local = tmp_path / "Tentacle.config"
    local.write_text("{}", encoding="utf-8")
    assert records.select(None, None, machine, str(tmp_path)) == Record("", str(local))


def test_then_the_instance_called_tentacle(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    path = _instance(tmp_path, machine, "Tentacle")
    _instance(tmp_path, machine, "other")
    assert records.select(None, None, machine, str(tmp_path)) == Record("Tentacle", path)


def test_then_the_only_instance(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    path = _instance(tmp_path, machine, "only")
    assert records.select(None, None, machine, str(tmp_path)) == Record("only", path)


def test_else_it_says_what_there_is(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    with pytest.raises(SelectionError, match="no instances of tentacle configured"):
        records.select(None, None, machine, str(tmp_path))
    with pytest.raises(SelectionError, match="Instance nope of tentacle has not been configured"):
        records.select("nope", None, machine, str(tmp_path))
    _instance(tmp_path, machine, "one")
    _instance(tmp_path, machine, "two")
    with pytest.raises(SelectionError, match=r"more than one instance.*Available instances: one, two\."):
        records.select(None, None, machine, str(tmp_path))
    with pytest.raises(SelectionError, match=r"has not been configured.*Available instances: one, two\."):
        records.select("nope", None, machine, str(tmp_path))


def test_a_configuration_that_is_not_there_is_said(tmp_path: pathlib.Path, machine: dict[str, str]) -> None:
    pathlib.Path(_instance(tmp_path, machine, "web")).unlink()
    with pytest.raises(SelectionError, match="which is not there"):
        records.select("web", None, machine, str(tmp_path))
    with pytest.raises(SelectionError, match="There is no configuration file"):
        records.select(None, str(tmp_path / "none"), machine, str(tmp_path))
