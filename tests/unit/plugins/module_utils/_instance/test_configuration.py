"""The configuration file: what is read, what is refused, what is written."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from module_utils._halibut.values import names_of
from module_utils._instance import configuration, files
from module_utils._instance.errors import ConfigurationError, InstanceError, StorageError
from module_utils._instance.trusted import TrustedServer, with_trust_added

PIN = "AB" * 20


def _write(path: pathlib.Path, document: Any) -> str:
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return str(path)


def test_an_empty_file_is_a_configuration_with_every_default(tmp_path: pathlib.Path) -> None:
    wanted = configuration.load(_write(tmp_path / "tentacle.json", ""))
    assert wanted.home_directory == str(tmp_path)
    assert wanted.application_directory == str(tmp_path / "Applications")
    assert wanted.certificate_path == str(tmp_path / "identity.pem")
    assert (wanted.port, wanted.listen_address, wanted.no_listen, wanted.trusted_servers) == (10933, None, False, ())
    assert (wanted.show_page, wanted.reported_version, wanted.idle_seconds) == (True, "9.2.4285", 60)


def test_what_is_written_is_read_again(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "tentacle.json")
    wanted = configuration.with_values(
        configuration.create(path, "Web 01", str(tmp_path / "home")),
        port=0,
        listen_address="::1",
        no_listen=True,
        show_page=False,
        idle_seconds=5,
        drain_seconds=0,
        log_level="Debug",
        reported_version="9.9.9",
        minimum_tls_version="1.3",
        proxy={"use_default": False, "host": "p", "port": 8080, "username": "u"},
        trusted_servers=[PIN, {"thumbprint": "cd" * 32, "communication_style": 2, "address": "https://s:10943/"}],
    )
    configuration.save(path, wanted)
    assert configuration.load(path) == wanted
    assert wanted.trusted_pins() == {PIN, "CD" * 32}


def test_the_text_is_stable_and_shows_what_users_look_for(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "tentacle.json")
    text = configuration.dump(configuration.create(path, "Web"), str(tmp_path))
    assert list(json.loads(text)) == [
        "instance",
        "home_directory",
        "application_directory",
        "port",
        "listen_address",
        "no_listen",
        "trusted_servers",
        "certificate_path",
    ]
    assert json.loads(text)["certificate_path"] == "identity.pem"
    assert text.endswith("}\n")
    assert '\n  "port": 10933' in text


def test_settings_that_were_not_made_are_not_written(tmp_path: pathlib.Path) -> None:
    wanted = configuration.create(str(tmp_path / "x.json"))
    assert "idle_seconds" not in configuration.to_document(wanted)
    changed = configuration.with_values(wanted, idle_seconds=61)
    assert configuration.to_document(changed)["idle_seconds"] == 61


def test_relative_paths_begin_at_the_file(tmp_path: pathlib.Path) -> None:
    document = {"home_directory": "home", "application_directory": "../apps", "certificate_path": "keys/id.pem"}
    wanted = configuration.load(_write(tmp_path / "tentacle.json", document))
    assert wanted.home_directory == str(tmp_path / "home")
    assert wanted.application_directory == str(tmp_path.parent / "apps")
    assert wanted.certificate_path == str(tmp_path / "keys" / "id.pem")


def test_applications_follow_the_home_when_they_are_not_set(tmp_path: pathlib.Path) -> None:
    wanted = configuration.load(_write(tmp_path / "tentacle.json", {"home_directory": "/srv/tentacle"}))
    assert wanted.application_directory == "/srv/tentacle/Applications"


def test_unknown_keys_are_refused_by_who_writes_and_kept_by_who_runs(tmp_path: pathlib.Path) -> None:
    path = _write(tmp_path / "tentacle.json", {"prot": 1, "zeal": [1, {"a": None}]})
    with pytest.raises(ConfigurationError, match="unknown key 'prot', 'zeal'") as caught:
        configuration.load(path)
    assert caught.value.cause == "configuration_invalid"
    kept = configuration.load(path, unknown="keep")
    assert kept.unknown == {"prot": 1, "zeal": [1, {"a": None}]}
    configuration.save(path, kept)
    assert configuration.load(path, unknown="keep") == kept


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"port": 65536}, "port has to be a whole number from 0 to 65535, not 65536"),
        ({"port": "10933"}, "port has to be a whole number"),
        ({"port": True}, "port has to be a whole number"),
        ({"port": 1.5}, "port has to be a whole number"),
        ({"idle_seconds": 0}, "idle_seconds has to be a whole number from 1"),
        ({"drain_seconds": -1}, "drain_seconds has to be a whole number from 0"),
        ({"no_listen": "true"}, "no_listen has to be true or false"),
        ({"listen_address": "localhost"}, "listen_address has to be an IP address of this host or 'any'"),
        ({"listen_address": 1}, "listen_address has to be an IP address"),
        ({"home_directory": ""}, "home_directory has to be the path"),
        ({"home_directory": None}, "home_directory has to be the path"),
        ({"certificate_path": "a\0b"}, "certificate_path has to be the path"),
        ({"log_level": "loud"}, "log_level has to be one of trace, debug, info"),
        ({"minimum_tls_version": "1.1"}, "minimum_tls_version has to be one of the texts 1.2, 1.3, not '1.1'"),
        ({"minimum_tls_version": 1.2}, "minimum_tls_version has to be one of the texts"),
        ({"proxy": {"port": 0}}, "proxy port has to be a whole number from 1"),
        ({"reported_version": ""}, "reported_version has to be a text"),
        ({"instance": 5}, "instance has to be a text or null"),
        ({"trusted_servers": PIN}, "trusted_servers has to be a list"),
        ({"trusted_servers": [PIN, 5]}, "trusted_servers entry 2: has to be an object"),
        ({"trusted_servers": [{"thumbprint": "nonsense"}]}, "trusted_servers entry 1: "),
        ({"trusted_servers": [{"thumbprint": PIN, "colour": 1}]}, "entry 1: unknown key colour"),
        ({"trusted_servers": [{"thumbprint": PIN, "address": 1}]}, "have to be texts or null"),
        ({"trusted_servers": [{"thumbprint": PIN, "communication_style": "Ssh"}]}, "communication style has to be"),
        ([], "has to hold one JSON object, but holds a list"),
        ('{"port": 1,', "no valid JSON"),
        ("<?xml version='1.0'?><octopus-settings/>", "XML file, as the original Tentacle writes it"),
    ],
)
def test_wrong_values_are_refused_with_place_and_reason(tmp_path: pathlib.Path, document: Any, words: str) -> None:
    path = _write(tmp_path / "tentacle.json", document)
    with pytest.raises(ConfigurationError) as caught:
        configuration.load(path)
    assert words in str(caught.value)
    assert str(tmp_path / "tentacle.json") in str(caught.value)


def test_a_byte_order_mark_does_not_matter(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{"port": 1}')
    assert configuration.load(str(tmp_path / "x.json")).port == 1


def test_any_is_every_address(tmp_path: pathlib.Path) -> None:
    for word in ("any", "ANY", "", None):
        path = _write(tmp_path / "x.json", {"listen_address": word})
        assert configuration.load(path).listen_address is None


def test_a_missing_file_is_said_to_be_missing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StorageError) as caught:
        configuration.load(str(tmp_path / "none.json"))
    assert caught.value.cause == "file_missing"


def test_an_impossible_instance_name_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InstanceError, match="cannot be the name"):
        configuration.load(_write(tmp_path / "x.json", {"instance": "../etc"}))


def test_values_are_set_with_the_checks_of_the_file(tmp_path: pathlib.Path) -> None:
    wanted = configuration.create(str(tmp_path / "x.json"))
    with pytest.raises(ConfigurationError, match="port has to be"):
        configuration.with_values(wanted, port=-1)
    with pytest.raises(ConfigurationError, match="no setting prot"):
        configuration.with_values(wanted, prot=1)
    assert configuration.with_values(wanted, port=1).port == 1


def test_a_new_file_is_not_for_everybody_and_an_old_one_keeps_its_mode(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.json"
    configuration.save(str(path), configuration.create(str(path)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    configuration.save(str(path), configuration.create(str(path)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_change_that_changes_nothing_does_not_write(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("{}", encoding="utf-8")
    before, after = configuration.change(str(path), lambda wanted: wanted)
    assert before == after
    assert path.read_text(encoding="utf-8") == "{}"


def test_changes_of_many_at_once_all_remain(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "x.json")
    configuration.save(path, configuration.create(path))

    def add(number: int) -> None:
        configuration.change(path, lambda wanted: with_trust_added(wanted, [f"{number:040X}"]))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(configuration.load(path).trusted_servers) == 12


CHANGER = """
import sys
from module_utils._instance import configuration, files
from module_utils._instance.trusted import with_trust_set

number = 0
while True:
    number += 1
    pins = [f"{number * 100 + position:040X}" for position in range(50)]
    configuration.change(sys.argv[1], lambda wanted: with_trust_set(wanted, pins))
    if number == 1:
        print("changing", flush=True)
"""


def test_whoever_is_killed_while_changing_leaves_one_whole_state_and_no_lock(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "x.json")
    configuration.save(path, configuration.create(path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", CHANGER, path]
    for round_number in range(8):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as changer:
            assert changer.stdout is not None
            assert changer.stdout.readline() == b"changing\n"
            for _unused in range(20):
                assert len(configuration.load(path).trusted_servers) == 50
            time.sleep(0.003 * round_number)
            changer.kill()
        pins = sorted(int(pin, 16) for pin in configuration.load(path).trusted_pins())
        assert pins == list(range(pins[0], pins[0] + 50))
        with files.lock(str(tmp_path), 1):
            pass


def test_only_what_a_process_cannot_change_needs_a_restart(tmp_path: pathlib.Path) -> None:
    before = configuration.create(str(tmp_path / "x.json"), "Web")
    soft = configuration.with_values(
        before, trusted_servers=[PIN], show_page=False, idle_seconds=5, drain_seconds=5, log_level="debug",
        minimum_tls_version="1.3", certificate_path="other.pem",
    )  # fmt: skip
    assert configuration.restart_keys(before, soft) == []
    hard = configuration.with_values(
        soft, instance="Other", home_directory="h", application_directory="a", port=1, listen_address="::1",
        no_listen=True, reported_version="1", proxy={"use_default": False},
    )  # fmt: skip
    fields = set(names_of(type(before))) - {"unknown"}
    changed = {name for name in fields if getattr(soft, name) != getattr(hard, name)}
    assert set(configuration.restart_keys(before, hard)) == changed


def test_facts_are_plain_values(tmp_path: pathlib.Path) -> None:
    wanted = with_trust_added(configuration.create(str(tmp_path / "x.json"), "Web"), [PIN])
    facts = configuration.to_facts(wanted)
    assert json.loads(json.dumps(facts)) == facts
    assert set(facts) == set(names_of(configuration.Configuration))
    assert facts["trusted_servers"][0]["thumbprint"] == PIN
    assert facts["idle_seconds"] == 60


def test_every_setting_has_a_check_and_every_check_a_setting() -> None:
    settings = set(names_of(configuration.Configuration)) - {"unknown"}
    assert settings == set(configuration._RULES)


def test_entries_of_trust_are_equal_whatever_their_spelling(tmp_path: pathlib.Path) -> None:
    spelt = [PIN, PIN.lower(), ":".join(["ab"] * 20), {"thumbprint": PIN, "communication_style": "tentaclepassive"}]
    wanted = configuration.load(_write(tmp_path / "x.json", {"trusted_servers": spelt}))
    assert wanted.trusted_servers == (TrustedServer(PIN),)
