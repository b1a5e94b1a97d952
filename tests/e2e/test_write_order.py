# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Order of writing, flushing and renaming, as the kernel sees it: what a loss of power could leave behind."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
from agent_process import AgentProcess
from script_client import Scripts
from wire_client import WireClient

pytestmark = pytest.mark.skipif(
    not shutil.which("strace") and not os.environ.get("CI"), reason="needs strace, which shows system calls (apt)")

CALLS = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,linkat,execve,sendto"
LINE = re.compile(r"^\d+ +(?P<name>\w+)\((?P<rest>.*)$")


class Step(NamedTuple):
    """One system call."""

    name: str
    text: str


def strace(output: pathlib.Path) -> list[str]:
    """The beginning of a command whose system calls are written to `output`; its number is the traced one's."""
    return ["strace", "-D", "-f", "-y", "-s", "200", "-e", f"trace={CALLS}", "-o", str(output)]


def steps(output: pathlib.Path) -> list[Step]:
    """The calls in the order in which they ended; one that another thread interrupts is put together again."""
    found, begun = [], {}
    for line in output.read_text(encoding="utf-8", errors="replace").splitlines():
        pid = line.split(" ", 1)[0]
        resumed = re.match(r"\d+ +<\.\.\. (\w+) resumed>(.*)", line)
        if resumed:
            line = begun.pop(pid, "") + resumed[2]
        elif line.endswith("<unfinished ...>"):
            begun[pid] = line[: -len("<unfinished ...>")]
            if "execve(" not in line:
                continue
        match = LINE.match(line)
        if match:
            found.append(Step(match["name"], match["rest"]))
    return found


def in_order(found: Sequence[Step], *wanted: tuple[str, str]) -> bool:
    """Whether the wanted calls (patterns of name and text) occur in this order, others between them or not."""
    position = 0
    for name, text in wanted:
        while position < len(found) and not (
            re.fullmatch(name, found[position].name) and re.search(text, found[position].text)
        ):
            position += 1
        if position == len(found):
            return False
        position += 1
    return True


def settled(output: pathlib.Path, holds: Callable[[list[Step]], bool]) -> list[Step]:
    """The calls, as soon as the tracer has written enough of them; all that there are if that never comes."""
    limit = time.monotonic() + 10
    while not holds(found := steps(output)) and time.monotonic() < limit:
        time.sleep(0.1)
    return found


def command(tmp_path: pathlib.Path, *words: str) -> list[Step]:
    """The calls of a command line of the agent's."""
    output = tmp_path / "calls.txt"
    root = pathlib.Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}/files/agent:{root}/plugins", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([*strace(output)[:1], *strace(output)[2:], sys.executable, "-m", "tentacle_agent", *words],
                   check=True, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    return steps(output)


@pytest.mark.parametrize(
    ("name", "words"),
    [("tentacle.json", ("configure", "--port=10999")), ("identity.pem", ("new-certificate",))],
)
def test_configuration_and_identity_are_flushed_before_they_get_their_names(
    tmp_path: pathlib.Path, name: str, words: tuple[str, ...]
) -> None:
    config = f"--config={tmp_path}/tentacle.json"
    command(tmp_path, "create-instance", config, f"--home={tmp_path}/home")
    found = command(tmp_path, words[0], config, *words[1:])
    aside, path, folder = rf"{re.escape(str(tmp_path))}/\.{name}\.\w+\.new", f"{tmp_path}/{name}", str(tmp_path)
    assert in_order(
        found, ("write", aside), ("fsync", aside), ("rename.*", f'{aside}.*"{path}"'), ("fsync", f"<{folder}>")
    ), found


def test_a_script_runs_only_when_that_is_on_the_disk_and_its_result_is_told_only_then(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient], tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "calls.txt"
    tracer, *options = strace(output)
    agent = start_agent(python=tracer, program=(*options, sys.executable, "-m", "tentacle_agent"))
    scripts = Scripts(connect(agent))
    assert scripts.start("t", "echo some output; exit 3").exit_code == 3
    work = agent.home / "Work"
    workspace = work / scripts.name("t")
    aside = rf"{workspace}/\.scriptstate\.json\.\w+\.new"
    saved = (("write", f'{aside}.*State'), ("fsync", aside), ("rename.*", f'{aside}.*"{workspace}/scriptstate.json"'),
             ("fsync", f"<{workspace}>"))
    running = (("fsync", f"<{work}>"), *saved)
    wanted = (
        *running, ("execve", '"/bin/bash"'), ("pwrite64", "some output"),
        ("fsync", "Output.log"), *saved, ("sendto|write", "TCP:|socket:"),
    )
    found = settled(output, lambda found: in_order(found, *wanted))
    assert in_order(found, *wanted), [step for step in found if "Work" in step.text or step.name == "execve"]
    first = found.index(next(step for step in found if step.name == "execve" and '"/bin/bash"' in step.text))
    assert in_order(found[:first], *running)


def test_an_upload_is_flushed_before_it_gets_its_name(
    start_agent: Callable[..., AgentProcess], connect: Callable[..., WireClient], tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "calls.txt"
    tracer, *options = strace(output)
    agent = start_agent(python=tracer, program=(*options, sys.executable, "-m", "tentacle_agent"))
    client = connect(agent)
    for content in (b"first", b"second"):  # a new file, and one in the place of another
        assert client.upload("Files/package", content).error is None
    new = (("write", "first"), ("fdatasync", "Files"), ("linkat", "package"))
    again = (("write", "second"), ("fdatasync", "Files"), ("linkat", r"\.part"), ("rename.*", 'part.*package'))
    found = settled(output, lambda found: in_order(found, *new, *again))
    assert in_order(found, *new, *again), [step for step in found if "Files" in step.text]
