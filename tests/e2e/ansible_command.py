# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run real `ansible` and `ansible-playbook` from this checkout, and take the result apart."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any, NamedTuple

from agent_process import AgentProcess, Identity

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTION = "listening.tentacle."
PATIENCE = 120


class Run(NamedTuple):
    """Exit status, everything printed, and the module's result (ad hoc) or the play's results."""

    status: int
    output: str
    facts: dict[str, Any]


def connection_options(agent: AgentProcess, identity: Identity) -> dict[str, Any]:
    """The options of a module that calls this agent as this server."""
    return {
        "host": "127.0.0.1",
        "port": agent.port,
        "thumbprint": agent.thumbprint,
        "client_cert": str(identity.path),
        "timeout": 10,
    }


def environment() -> dict[str, str]:
    """This checkout as the collection, nothing of the user's own configuration, and no colours."""
    collections = ROOT / ".dev" / "collections"
    if ROOT.parts[-3:] == ("ansible_collections", "listening", "tentacle"):
        collections = ROOT.parents[2]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CONFIG": str(pathlib.Path(__file__).with_name("ansible.cfg")),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "LC_ALL": "C.UTF-8",
    }


def _run(command: list[str], directory: pathlib.Path | None) -> tuple[int, str]:
    program = pathlib.Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [str(program), *command[1:]],
        env=environment(),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def adhoc(
    module: str, options: dict[str, Any], *more: str, host: str = "localhost", inventory: pathlib.Path | None = None
) -> Run:
    """`ansible HOST -m MODULE`: the module's result is what follows `HOST | STATUS =>`."""
    where = ["-i", str(inventory)] if inventory else []
    status, output = _run(["ansible", host, *where, "-m", COLLECTION + module, "-a", json.dumps(options), *more], None)
    match = re.search(rf"^{re.escape(host)} \| [A-Z!]+ => (\{{.*?^\}})", output, re.DOTALL | re.MULTILINE)
    return Run(status, output, json.loads(match[1]) if match else {})


def play(tasks: list[dict[str, Any]], directory: pathlib.Path, *more: str, **settings: Any) -> Run:
    """`ansible-playbook` with these tasks on localhost; what a task registers is in `facts`."""
    results = directory / "results.json"
    names = [task["register"] for task in tasks if "register" in task]
    report = {"ansible.builtin.copy": {"dest": str(results), "mode": "0600", "content":
              "{{ {" + ", ".join(f"'{name}': {name}" for name in names) + "} | to_json }}"},
              "check_mode": False, "diff": False, "no_log": True}  # fmt: skip
    book = [{"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": [*tasks, report], **settings}]
    path = directory / "play.yml"
    path.write_text(json.dumps(book), encoding="utf-8")
    results.unlink(missing_ok=True)
    status, output = _run(["ansible-playbook", str(path), *more], directory)
    return Run(status, output, json.loads(results.read_text(encoding="utf-8")) if results.exists() else {})
