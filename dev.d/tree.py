"""Copies of the tree where tools want it: below ansible_collections/, in a git repository of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess

import machine


def files() -> list[pathlib.Path]:
    """Every file of the checkout that git has or would take, relative to the root."""
    machine.require("git")
    command = [
        "git",
        "-c",
        f"safe.directory={machine.ROOT}",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    output = subprocess.run(command, cwd=machine.ROOT, capture_output=True, check=True).stdout
    names = sorted({os.fsdecode(name) for name in output.split(b"\0") if name})
    return [pathlib.Path(name) for name in names if (machine.ROOT / name).is_file()]


_locks: dict[str, object] = {}  # open files; the system lets go of them when this process ends


def copy(purpose: str) -> pathlib.Path:
    """A fresh copy for one purpose, without what the checkout no longer has; returns its root.

    It is ours until this process ends: another one that wants the same waits.
    """
    machine.PLACE.mkdir(exist_ok=True)
    if purpose not in _locks:
        lock = (machine.PLACE / f".tree-{purpose}.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        _locks[purpose] = lock
    root = machine.PLACE / f"tree-{purpose}" / "ansible_collections" / "listening" / "tentacle"
    shutil.rmtree(root, ignore_errors=True)
    for file in files():
        target = root / file
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # somebody may be editing
            shutil.copy2(machine.ROOT / file, target, follow_symlinks=False)
    git = ["git", "-c", "init.defaultBranch=main", "-c", "user.name=dev", "-c", "user.email=dev@localhost"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=copy", "--no-verify"]):
        subprocess.run([*git, *command], cwd=root, check=True, stdin=subprocess.DEVNULL)
    return root


def collections_path(root: pathlib.Path) -> pathlib.Path:
    return root.parents[2]


def shell_scripts() -> list[str]:
    """Every file of the checkout that a shell runs."""
    found = []
    for file in files():
        with (machine.ROOT / file).open("rb") as stream:
            first = stream.readline(100)
        if file.suffix == ".sh" or (first.startswith(b"#!") and first.rstrip().endswith((b"sh", b"bash"))):
            found.append(str(file))
    return found
