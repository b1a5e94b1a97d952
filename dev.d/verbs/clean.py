"""Remove what the verbs made (.dev/): environments, copies, logs."""

from __future__ import annotations

import shutil

import machine


def main(arguments: list[str]) -> int:
    shutil.rmtree(machine.PLACE, ignore_errors=True)
    print("removed .dev")
    return 0
