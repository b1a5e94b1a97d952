"""`IScriptServiceV2`: scripts, arguments, files."""

from __future__ import annotations

import os

import pytest

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import DataStream, ScriptFile, ScriptTicket, StartScriptCommandV2

from .conftest import Caller, ServiceFailed, output


def test_the_script_for_bash_wins_over_the_body(caller: Caller) -> None:
    scripts = {"Bash": "echo from bash $1", "PowerShell": "Write-Host no"}
    assert output(caller.start("t", "echo body", scripts=scripts, arguments=("one",))) == ["from bash one"]
    assert output(caller.start("u", "echo body", scripts={"PowerShell": "no"})) == ["body"]
    assert output(caller.start("v", None, scripts=scripts)) == ["from bash"]


def test_windows_line_ends_are_accepted(caller: Caller) -> None:
    assert output(caller.start("t", "if true; then\r\necho yes\r\nfi\r\n")) == ["yes"]


def test_arguments_are_split_again(caller: Caller) -> None:
    answer = caller.start("t", 'for a; do echo "[$a]"; done', arguments=("a", "b c", '"d e"', None, '""'))
    assert output(answer) == ["[a]", "[b]", "[c]", "[d e]", "[]"]


def test_files_are_there_when_the_script_starts(caller: Caller) -> None:
    files = {"small.txt": b"small file\n", "empty.bin": b"", "dir/größe ☃.bin": bytes(range(256)) * 20}
    answer = caller.start("t", "cat small.txt; wc -c <empty.bin; wc -c <dir/*.bin; stat -c %a . small.txt", files=files)
    assert output(answer) == ["small file", "0", "5120", "700", "600"]
    assert (caller.work / "t" / "dir" / "größe ☃.bin").read_bytes() == files["dir/größe ☃.bin"]
    assert sorted(os.listdir(caller.work)) == ["t"]


def test_files_with_a_password_are_stored_encrypted(caller: Caller) -> None:
    caller.start("t", "true", files={"Variables.secret": b"secret text"}, password="pass")
    stored = (caller.work / "t" / "Variables.secret").read_bytes()
    assert stored.startswith(b"IV__")
    assert len(stored) == 36
    assert b"secret" not in stored


def test_a_repeated_start_does_not_touch_the_files(caller: Caller) -> None:
    caller.start("t", "sleep 60", wait=None, files={"f": b"first"})
    caller.start("t", "true", wait=None, files={"f": b"second"})
    assert (caller.work / "t" / "f").read_bytes() == b"first"
    assert os.listdir(caller.work) == ["t"]


@pytest.mark.parametrize("name", ["../escape", "/tmp/escape", "a/../../b", "Output.log", ""])
def test_files_that_lead_out_are_refused_and_a_retry_runs(caller: Caller, name: str) -> None:
    with pytest.raises(ServiceFailed) as failure:
        caller.start("t", "echo x", files={name: b"data"})
    assert "Name" in failure.value.args[0]
    assert failure.value.args[1].startswith("System.Reflection.TargetInvocationException: ")
    assert caller.status("t").exit_code == -45
    assert not caller.work.exists() or os.listdir(caller.work) in ([], ["t"])
    assert caller.start("t", "echo x").exit_code == 0


def test_a_file_below_a_file(caller: Caller) -> None:
    with pytest.raises(ServiceFailed, match="could not be stored"):
        caller.start("t", "echo x", files={"a": b"1", "a/b": b"2"})
    assert caller.status("t").exit_code == -45
    assert caller.start("t", "echo x", files={"a": b"1"}).exit_code == 0


def test_contents_that_did_not_arrive_or_serve_twice(caller: Caller) -> None:
    stream = DataStream(Guid(os.urandom(16)), 1)
    command = StartScriptCommandV2(ScriptTicket("t"), "true", files=(ScriptFile("a", stream),))
    with pytest.raises(ServiceFailed, match="did not arrive"):
        caller.call("IScriptServiceV2", "StartScript", command)
    command = StartScriptCommandV2(ScriptTicket("t"), "true", files=(ScriptFile("a", stream), ScriptFile("b", stream)))
    with pytest.raises(ServiceFailed, match="Files"):
        caller.call("IScriptServiceV2", "StartScript", command, contents=((stream, b"1"),))
    with pytest.raises(ServiceFailed, match="Files"):
        caller.call("IScriptServiceV2", "StartScript", command, contents=((stream, b"1"), (stream, b"2")))
    command = StartScriptCommandV2(ScriptTicket("t"), "true", files=(ScriptFile("a", None),))
    with pytest.raises(ServiceFailed, match="did not arrive"):
        caller.call("IScriptServiceV2", "StartScript", command)
    assert [name for name in os.listdir(caller.work) if name != "t"] == []
