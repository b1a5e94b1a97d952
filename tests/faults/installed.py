# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent as it is installed on a host: an instance of the machine, kept running by its own command line."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from agent_process import ROOT
from stage import PORT, Host, Stage

INSTANCE = "Tentacle"
_HOME_VARIABLE = "TentacleMachineConfigurationHomeDirectory"  # where instances are looked for, in place of /etc


def look_below(directory: pathlib.Path) -> None:
    """Let agent and checks look for instances there, and not in the machine's own place."""
    os.environ[_HOME_VARIABLE] = str(directory)


class Installation:
    """The instance of one host. There is one at most on a stage: this is what its name stands for."""

    def __init__(self, stage: Stage, name: str = "web01") -> None:
        self.stage = stage
        self.host: Host = stage[name]
        self.home = self.host.directory / "home"
        self.configuration_home = self.host.directory / "etc"
        look_below(self.configuration_home)
        self.call("create-instance", f"--home={self.home}")
        self.call("import-certificate", f"--from-file={stage.identities.agent.path}")
        self.call("configure", f"--port={PORT}", f"--trust={stage.identities.server.thumbprint}")

    @property
    def identity(self) -> pathlib.Path:
        """The file with the agent's key."""
        return next(self.configuration_home.rglob("identity.pem"))

    def call(self, verb: str, *options: str, before: tuple[str, ...] = (), check: bool = True) -> str:
        """Run the agent's command line on its host; its output. `before` are words in front of the command."""
        command = [*before, sys.executable, "-m", "tentacle_agent", verb, f"--instance={INSTANCE}", *options]
        path = os.pathsep.join([str(ROOT / "files" / "agent"), str(ROOT / "plugins")])
        with self.host.network:
            done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, cwd=self.host.directory,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=30, check=False)  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def start(self) -> None:
        """Let it run, as a process of its own."""
        self.call("service", "--install", "--start", "--manager=standalone")

    def keep_running(self, times: int = 3) -> None:
        """Start it anew whenever it ends, as a service manager does; returns once it has ended that often."""
        for _time in range(times):
            self.call("run", check=False)

    def stop(self) -> None:
        """End it."""
        self.call("service", "--stop", "--manager=standalone")
