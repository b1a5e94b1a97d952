# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input stops the role before it changes anything, with every cause and its remedy in one failure."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import sys

import pytest
from agent_process import Identity
from rollout import Rollout

pytestmark = pytest.mark.slow

# It stops at the first line that such a Python does not understand.
OLD_PYTHON = """
import platform, sys
platform.python_version = lambda: "3.8.18"
class Old:
    def find_spec(self, name, path=None, target=None):
        if name.endswith("_preflight.host"):
            raise TypeError("'type' object is not subscriptable")
sys.meta_path.insert(0, Old())
"""


def test_variables_that_contradict_each_other(rollout: Rollout, tmp_path: pathlib.Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "pyopenssl-1.0-py3-none-any.whl").touch()
    _changed, failed, said = rollout.run(
        tentacle_service_manager="user" if os.geteuid() == 0 else "systemd",
        tentacle_agent_wheels=str(tmp_path / "wheels"),
        tentacle_certificate_content="one",
        tentacle_certificate_pfx_path="/another.pfx",
        tentacle_certificate_key_size=1024,
        tentacle_certificate_valid_days=0,
        tentacle_certificate_subject="CN=" + "x" * 65,
    )
    assert failed == 1
    for sentence in (
        "Leave 'become' out" if os.geteuid() == 0 else "Set 'become'",
        "tentacle_agent_python names one that is there. Set one of them.",
        "Two sources of one identity are given.",
        "tentacle_certificate_key_size is 1024",
        "tentacle_certificate_valid_days is 0",
        "a common name has 1 to 64 characters",
        "no wheel of the list is there for: cffi, cryptography, pycparser, pyopenssl.",
    ):
        assert sentence in said
    assert not rollout.host.exists()


def test_a_host_that_is_not_ready(rollout: Rollout, server_identity: Identity, tmp_path: pathlib.Path) -> None:
    thumbprint = server_identity.thumbprint
    (tmp_path / "agent.pfx").write_bytes(b"0\x82\x09\x30 was cut here")
    (tmp_path / "in the way").write_text("a file")
    with socket.socket() as other:
        other.bind(("127.0.0.1", rollout.port))
        other.listen()
        _changed, failed, said = rollout.run(
            tentacle_trusted_thumbprints=[thumbprint, thumbprint[:9] + "O" + thumbprint[10:]],
            tentacle_certificate_pfx_path=str(tmp_path / "agent.pfx"),
            tentacle_home_directory=str(tmp_path / "in the way" / "home"),
            tentacle_minimum_free_mb=10**9,
            tentacle_idle_seconds=0,
        )
    assert failed == 1
    for sentence in (
        "This host is not ready for 6 reasons, and nothing was changed.",
        "idle_seconds has to be a whole number from 1",
        "Entry 2 of 'trusted_thumbprints' cannot be trusted",
        "its character 10 is 'O'",
        "The identity in 'certificate_pfx_path' cannot be imported.",
        f"process {os.getpid()} of",
        "in the way exists and is no directory",
        "at least 1000000000 MB are expected",
    ):
        assert sentence in said, said
    assert not rollout.host.exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(("agent", "in"))) == [
        "agent.pfx", "in the way"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("import platform; platform.system = lambda: 'FreeBSD'", "This host runs FreeBSD with Python 3."),
        ("import platform; platform.python_version = lambda: '3.8.18'", "This host runs Linux with Python 3.8.18,"),
        (OLD_PYTHON, "and nothing was changed. It runs Linux with Python 3.8.18,"),
    ],
)
def test_a_system_that_the_agent_does_not_run_on(rollout: Rollout, tmp_path: pathlib.Path, lie: str, said: str) -> None:
    # Everything is real but what this Python says about itself.
    (tmp_path / "lie").mkdir()
    (tmp_path / "lie" / "sitecustomize.py").write_text(lie)
    interpreter = tmp_path / "python3"
    interpreter.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path / "lie"} exec {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    _changed, failed, output = rollout.run(ansible_python_interpreter=str(interpreter))
    assert failed == 1
    assert said in output
    assert re.search("Name another one in '?ansible_python_interpreter'?, or use the original Tentacle", output)
    assert not rollout.host.exists()
