"""Make the environment of the tests and print how to enter it; with versions of ansible-core, make theirs as well."""

from __future__ import annotations

import ansible_test
import environments
import steps


def main(arguments: list[str]) -> int:
    unknown = [core for core in arguments if core not in ansible_test.CORES]
    if unknown:
        raise steps.Failed(f"no ansible-core {', '.join(unknown)}: there is {', '.join(ansible_test.CORES)}")
    for core in arguments:
        ansible_test.environment(core)
    environment = environments.prepare("test")
    collections = environments.collections_path()
    print(f". {environment.path}/bin/activate")
    print(f"export ANSIBLE_COLLECTIONS_PATH={collections}")
    return 0
