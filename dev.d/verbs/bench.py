"""Speed and memory beside nginx and scp, in one run: see bench/README.md.  Arguments go to bench/run.py."""

from __future__ import annotations

import subprocess

import environments
import machine


def main(arguments: list[str]) -> int:
    environment = environments.prepare("test")
    command = [str(environment.python), "bench/run.py", *arguments]
    return subprocess.run(command, cwd=machine.ROOT, env=environment.variables(), check=False).returncode
