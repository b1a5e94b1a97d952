"""Make the environment of the tests and print how to enter it."""

from __future__ import annotations

import environments


def main(arguments: list[str]) -> int:
    environment = environments.prepare("test")
    collections = environments.collections_path()
    print(f". {environment.path}/bin/activate")
    print(f"export ANSIBLE_COLLECTIONS_PATH={collections}")
    return 0
