"""Where things live, for root and for everybody else."""

from __future__ import annotations

import pytest

from module_utils._instance import paths
from module_utils._instance.errors import SelectionError


def test_places_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "is_privileged", lambda: True)
    assert paths.programs_directory({}) == "/opt/tentacle-agent"
    assert paths.records_directory({}) == "/etc/tentacle-agent/Tentacle/Instances"
    assert paths.configuration_file("Web 01", {}) == "/etc/tentacle-agent/web-01/tentacle.json"
    assert paths.home_directory("Web 01", {}) == "/var/lib/tentacle-agent/web-01"


def test_places_of_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "is_privileged", lambda: False)
    monkeypatch.setenv("HOME", "/home/ann")
    assert paths.programs_directory({}) == "/home/ann/.local/share/tentacle-agent/programs"
    assert paths.configuration_file("Web", {}) == "/home/ann/.config/tentacle-agent/web/tentacle.json"
    assert paths.home_directory("Web", {}) == "/home/ann/.local/share/tentacle-agent/web"
    chosen = {"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d"}
    assert paths.configuration_file("Web", chosen) == "/c/tentacle-agent/web/tentacle.json"
    assert paths.home_directory("Web", chosen) == "/d/tentacle-agent/web"
    assert paths.configuration_home({"XDG_CONFIG_HOME": "relative"}) == "/home/ann/.config/tentacle-agent"


def test_the_configuration_home_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for privileged in (True, False):
        monkeypatch.setattr(paths, "is_privileged", lambda value=privileged: value)
        chosen = {"TentacleMachineConfigurationHomeDirectory": "/somewhere"}
        assert paths.records_directory(chosen) == "/somewhere/Tentacle/Instances"


def test_records_do_not_lie_in_the_directory_of_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing the instance called Tentacle must not remove everybody's records."""
    monkeypatch.setattr(paths, "is_privileged", lambda: True)
    assert not paths.records_directory({}).startswith(paths.configuration_directory("Tentacle", {}) + "/")


@pytest.mark.parametrize("name", ["Tentacle", "a", "9", "web 01.example-com_x", "A" * 100])
def test_usable_names(name: str) -> None:
    assert paths.check_instance_name(name) == name
    assert paths.unit_name(name).startswith("tentacle-agent@")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-x", " x", "a\n", "ä", "A" * 101, "programs", "a\0"])
def test_unusable_names(name: str) -> None:
    with pytest.raises(SelectionError) as caught:
        paths.check_instance_name(name)
    assert caught.value.cause == "instance_name_invalid"
