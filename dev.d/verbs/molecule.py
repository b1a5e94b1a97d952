"""Scenarios of molecule/ on booted systemd hosts (needs root): `./dev molecule [SCENARIO...]`.

HOSTS_DIR (bases and hosts, default /var/tmp/tentacle-hosts) and HOSTS_PREFIX (names, default tt) keep two runs on one
machine apart.  Hosts are ended at the end, also after a failure; `--keep` as first argument leaves them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import ansible_test
import environments
import machine
import steps

COMMANDS = ("mmdebstrap", "systemd-nspawn", "flock", "ip", "ssh", "nsenter", "pgrep")


def parts(arguments: list[str]) -> list[steps.Step]:
    keep = arguments[:1] == ["--keep"]
    wanted = arguments[1:] if keep else arguments
    there = sorted(path.parent.name for path in (machine.ROOT / "molecule").glob("*/molecule.yml"))
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise steps.Failed(f"no scenario {', '.join(unknown)}: there is {', '.join(there)}")
    return [steps.Step(f"molecule {name}", _scenario(name, keep)) for name in wanted or there]


def _scenario(name: str, keep: bool) -> Callable[[steps.Run], None]:
    def run(log: steps.Run) -> None:
        if not machine.is_root():
            raise steps.Skipped("needs root, to boot hosts in namespaces")
        machine.require(*COMMANDS)
        if name == "controllers":
            for core in ansible_test.CORES:
                ansible_test.environment(core)
        environment = environments.prepare("test")
        # Ansible names the sockets of open connections by address alone, and the hosts of every prefix have the same.
        sockets = f"~/.ansible/cp-{os.environ.get('HOSTS_PREFIX', 'tt')}"
        variables = environment.variables(
            NO_COLOR="1", ANSIBLE_NOCOLOR="1", MOLECULE_GLOB="molecule/*/molecule.yml",
            ANSIBLE_SSH_CONTROL_PATH_DIR=sockets,
        )  # fmt: skip
        del variables["ANSIBLE_CONFIG"]
        hosts = ["bash", "molecule/hosts.sh"]
        log.call([*hosts, "sweep"])
        log.call([*hosts, "net-up"])
        try:
            destroy = ["--destroy=never"] if keep else []
            command = [environment.tool("molecule"), "test", "--scenario-name", name, *destroy]
            output = log.call(command, environment=variables)
            passed_over = re.findall(r"> (\S+): Executed: Missing playbook", output)
            if passed_over:
                raise steps.Failed(f"molecule passed over {', '.join(passed_over)}")
        finally:
            if not keep:
                log.call([*hosts, "sweep"])

    return run
