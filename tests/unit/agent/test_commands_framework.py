"""From the words of the command line to an exit code."""

from __future__ import annotations

import json
import pathlib
from types import SimpleNamespace
from typing import Any

import pytest

from module_utils._instance.errors import InstanceError, StorageError
from tentacle_agent import __main__ as program
from tentacle_agent import commands
from tentacle_agent.commands import elsewhere, find, list_all

COMMANDS = pathlib.Path(commands.__file__).parent


@pytest.fixture(autouse=True)
def fixture_machine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TentacleMachineConfigurationHomeDirectory", str(tmp_path / "machine"))
    monkeypatch.chdir(tmp_path)


def test_no_arguments_give_help_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("Usage: Tentacle <command> [<options>]")
    assert out.rstrip().endswith("Or use <command> --help for more details.")
    assert err == ""


def test_help_alone_is_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["help"], ["--help"]):
        assert program.main(words) == 0
        assert capsys.readouterr().out.startswith("Usage: Tentacle <command> [<options>]")


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["unknown-command", "--x"]) == 2
    assert capsys.readouterr() == ("See 'Tentacle help'\n", "Command 'unknown-command' is not supported\n")


def test_an_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["version", "--unknown=argument", "more"]) == 1
    assert capsys.readouterr() == ("", "Unrecognized command line arguments: --unknown=argument more\n")


def test_an_unknown_format(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("version", "list-instances", "help"):
        assert program.main([verb, "--format=unsupported"]) == 1
        assert capsys.readouterr() == ("", "The format 'unsupported' is not supported. Try text or json.\n")


@pytest.mark.parametrize("verb", ["version", "--version", "-version", "/version", "VERSION"])
def test_verbs_may_be_spelt_in_any_way(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([verb]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "switch", ["--nologo", "--noconsolelogging", "--console", "--noninteractive", "--monitorMutex=x"]
)
def test_switches_of_old_are_taken_silently(switch: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["version", switch]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("words", [["version", "--help"], ["help", "version"], ["VERSION", "--help", "--nonsense"]])
def test_the_help_of_a_verb(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(words) == 0
    assert capsys.readouterr().out == (
        "Usage: Tentacle version [<options>]\n"
        "\n"
        "Where [<options>] is any of: \n"
        "\n"
        "      --format=VALUE         The format of the output (text,json). Defaults \n"
        "                               to text.\n"
        "\n"
        "Or one of the common options: \n"
        "\n"
        "      --help                 Show detailed help for this command\n"
    )


def test_the_help_of_a_verb_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["version", "--help", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "Name": "version",
        "Description": "Show the Tentacle version information",
        "Aliases": [],
        "Options": [{"Name": "format", "Description": "The format of the output (text,json). Defaults to text."}],
        "CommonOptions": [{"Name": "help", "Description": "Show detailed help for this command"}],
    }


def test_all_verbs_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["help", "--format=json"]) == 0
    rows = json.loads(capsys.readouterr().out)["Commands"]
    names = [row["Name"] for row in rows]
    assert names == sorted(names)
    assert {"agent", "configure", "create-instance", "help", "service", "show-thumbprint", "version"} <= set(names)
    assert next(row for row in rows if row["Name"] == "agent")["Aliases"] == ["run"]


@pytest.mark.parametrize("command", list_all(), ids=lambda command: command.NAME)
def test_every_verb_has_its_shape_and_help_without_an_instance(
    command: commands.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.SUMMARY
    assert callable(command.execute)
    spellings = [name.lower() for known in command.OPTIONS for name in known.names]
    assert len(spellings) == len(set(spellings)), "two options share a spelling"
    assert program.main([command.NAME, "--help"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: Tentacle {command.NAME} [<options>]")
    assert err == ""


def test_every_file_is_reached_and_every_alias_leads_somewhere() -> None:
    files = {path.stem for path in COMMANDS.glob("*.py")} - {"__init__", "elsewhere"}
    assert files == set(commands._FILES.values())
    for command in list_all():
        assert all(find(alias) is command for alias in (command.NAME, *command.ALIASES, command.NAME.upper()))


@pytest.mark.parametrize("verb", elsewhere.verbs())
def test_verbs_that_make_no_sense_here_say_what_to_do_instead(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert find(verb) is None
    assert program.main(["--" + verb.upper(), "--whatever=1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"Command '{verb}' does not apply here. ")
    assert program.main(["help", verb]) == 0
    assert capsys.readouterr().out.startswith(f"Command '{verb}' does not apply here. ")


def test_all_verbs_of_the_original_are_answered() -> None:
    original = (
        "create-instance delete-instance watchdog checkservices agent run configure set-polling-connection-count "
        "update-trust register-with register-worker register-k8s-cluster register-k8s-target register-k8s-worker "
        "migrate-preinstalled-k8s-config extract deregister-from deregister-worker new-certificate show-thumbprint "
        "service proxy polling-proxy server-comms import-certificate poll-server clear-trusted-servers "
        "list-instances version livez show-configuration help"
    )
    unanswered = [verb for verb in original.split() if not find(verb) and not elsewhere.answer_for(verb)]
    assert unanswered == []


def _failing(error: BaseException) -> Any:
    def execute(_options: object, _context: object) -> int:
        raise error

    return SimpleNamespace(NAME="failing", ALIASES=(), SUMMARY="", OPTIONS=(), execute=execute)


def _storage_error(reason: Exception) -> StorageError:
    error = StorageError("the file could not be written")
    error.__cause__ = reason
    return error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InstanceError("a sentence"), 1, "a sentence\n"),
        (PermissionError(13, "Permission denied"), 42, "A right is missing: "),
        (_storage_error(PermissionError()), 42, "the file could not be written\n"),
        (_storage_error(OSError()), 1, "the file could not be written\n"),
        (ModuleNotFoundError("No module named 'OpenSSL'"), 43, "A library could not be loaded: "),
        (ValueError("surprise"), 100, "ValueError: surprise\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_failures_have_their_exit_codes(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "find", lambda _name: _failing(error))
    assert program.main(["failing"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert ("Traceback" in err) == (code == 100)


def test_the_verb_that_runs_the_agent_keeps_its_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def execute(options: Any, _context: object) -> int:
        seen.extend(options.given)
        return 7

    from tentacle_agent.commands import run

    monkeypatch.setattr(run, "execute", execute)
    assert program.main(["run", "--config=/x", "--wait=5", "--console", "--noninteractive", "--nologo"]) == 7
    assert [name for name, _unused in seen] == ["config", "wait", "console", "noninteractive"]
