# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The installed agent: a directory of programs that is replaced by renaming and never half written.

This module util is **private** to the collection. Below the programs directory lie

* ``tentacle-agent.pyz``: the bundle as it was delivered, whose check sum names the installation,
* ``<version>+<first 12 digits of the check sum>/``: the bundle unpacked and compiled, because a zip application
  keeps no bytecode and would compile itself at every start,
* ``current``: a relative link to one of them, moved by one rename,
* ``tentacle-agent``: the command.

One earlier directory is kept: a running agent may still read from it, and a link moved back is a roll-back.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shlex
import shutil
import tempfile
import zipfile
from typing import NamedTuple

from . import _directories
from ._agent_python import AgentPython, Run
from ._directories import Entry
from ._instance import files, paths

BUNDLE = "tentacle-agent.pyz"
COMMAND = "tentacle-agent"
CURRENT = "current"
_DIRECTORY = re.compile(r"(?P<version>[^/]+)\+(?P<checksum>[0-9a-f]{12})")
_VERSION = re.compile(r"^VERSION[^=\n]*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)

_COMMAND_TEXT = """\
#!/bin/sh
# The real directory, not the link: a running agent keeps its own files when the link moves on.
directory=$(cd -P {current} && pwd -P) || exit 100
exec {python} -I "$directory" "$@"
"""


class InstallationError(Exception):
    """The installation cannot be made or removed. ``cause`` is a stable word."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class Bundle:
    """A bundle's bytes, opened once. Raises ``InstallationError`` when they are no bundle."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.checksum = hashlib.sha256(data).hexdigest()
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                self.entries = {name: archive.read(name) for name in archive.namelist()}
            found = _VERSION.search(self.entries["tentacle_agent/_version.py"].decode("utf-8"))
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise InstallationError(_no_bundle(error), "bundle_invalid") from error
        unsafe = [name for name in self.entries if name.startswith("/") or ".." in name.split("/")]
        if found is None or unsafe:
            raise InstallationError(_no_bundle("unexpected content"), "bundle_invalid")
        self.version = found.group(1)

    @property
    def directory(self) -> str:
        return directory_name(self.version, self.checksum)


class Found(NamedTuple):
    """What is installed. Everything is None where nothing is."""

    version: str | None
    checksum: str | None
    directory: str | None
    previous_version: str | None
    command: str | None

    def facts(self) -> dict[str, str | None]:
        """What a difference is shown of."""
        return {"version": self.version, "checksum": self.checksum, "command": self.command}


def directory_name(version: str, checksum: str) -> str:
    """The name of the unpacked directory of a bundle."""
    return f"{version}+{checksum[:12]}"


class Installation:
    """The programs directory ``path``, run by the interpreter ``python``; ``run`` runs commands for it."""

    def __init__(self, path: str, python: AgentPython, run: Run) -> None:
        self.path = os.path.abspath(path)
        self._python = python
        self._run = run
        self.bundle_path = os.path.join(self.path, BUNDLE)
        self.executable = os.path.join(self.path, COMMAND)
        self.current = os.path.join(self.path, CURRENT)

    def real_directory(self, found: Found) -> str | None:
        """The directory of the version that is found, as the command starts it: without symbolic links on the way."""
        return os.path.realpath(os.path.join(self.path, found.directory)) if found.directory else None

    def read(self) -> Found:
        """Look, change nothing."""
        directory = self._link_target()
        matched = _DIRECTORY.fullmatch(directory or "")
        return Found(
            version=matched.group("version") if matched else None,
            checksum=self._delivered_checksum(),
            directory=directory,
            previous_version=self._previous(directory),
            command=_read_text(self.executable),
        )

    def expect(self, version: str, checksum: str) -> Found:
        """What ``read`` will find after ``apply`` of such a bundle."""
        before = self.read()
        directory = directory_name(version, checksum)
        previous = before.directory if before.directory != directory else None
        matched = _DIRECTORY.fullmatch(previous or "")
        return Found(
            version=version,
            checksum=checksum,
            directory=directory,
            previous_version=matched.group("version") if matched else before.previous_version,
            command=self._command_text(),
        )

    def steps_for(self, version: str, checksum: str) -> list[str]:
        """The steps that a bundle takes which is not there yet."""
        steps = ["deliver", "unpack"]
        if self._link_target() != directory_name(version, checksum):
            steps.append("switch")
        return steps if self._has_command() else [*steps, "command"]

    def delivered(self, checksum: str) -> Bundle | None:
        """The bundle that already lies there, if it is the one with ``checksum``."""
        if self._delivered_checksum() != checksum:
            return None
        with open(self.bundle_path, "rb") as handle:
            return Bundle(handle.read())

    def plan(self, bundle: Bundle) -> list[str]:
        """The steps ``apply`` would take, in order; empty when everything is in place."""
        steps = []
        if self._delivered_checksum() != bundle.checksum:
            steps.append("deliver")
        target = os.path.join(self.path, bundle.directory)
        if not self._is_unpacked(bundle, target):
            steps.append("unpack")
        elif not self._is_compiled(bundle, target):
            steps.append("compile")
        if self._link_target() != bundle.directory:
            steps.append("switch")
        return steps if self._has_command() else [*steps, "command"]

    def apply(self, bundle: Bundle, steps: list[str]) -> None:
        """Take the steps. The delivered bundle is written last, so that an interrupted run is repaired by the next."""
        _directories.settle(Entry(self.path))
        target = os.path.join(self.path, bundle.directory)
        if "unpack" in steps:
            self._unpack(bundle, target)
        elif "compile" in steps:
            self._compile(target)
        previous = self._link_target()
        if "switch" in steps:
            self._switch(bundle.directory)
        if "command" in steps:
            files.write_atomically(self.executable, self._command_text().encode(), 0o755)
        if "deliver" in steps:
            files.write_atomically(self.bundle_path, bundle.data, 0o644)
        if steps:
            self._prune({bundle.directory, previous if previous != bundle.directory else self._newest_other(bundle)})

    def leftovers(self) -> list[str]:
        """Everything of ours that ``remove`` would take away."""
        names = [name for name in (COMMAND, CURRENT, BUNDLE) if os.path.lexists(os.path.join(self.path, name))]
        return names + self._directories() + self._temporaries()

    def remove(self) -> list[str]:
        """Remove what is ours and the directory when nothing else is in it; return what was kept."""
        for name in self.leftovers():
            path = os.path.join(self.path, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        if not os.path.isdir(self.path):
            return []
        kept = sorted(os.listdir(self.path))
        if not kept:
            os.rmdir(self.path)
            if os.path.basename(os.path.dirname(self.path)) == paths.PROGRAM:  # an account's own place
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.dirname(self.path))
        return kept

    def _has_command(self) -> bool:
        return _read_text(self.executable) == self._command_text() and os.access(self.executable, os.X_OK)

    def _link_target(self) -> str | None:
        try:
            return os.readlink(self.current)
        except OSError:
            return None

    def _delivered_checksum(self) -> str | None:
        try:
            with open(self.bundle_path, "rb") as handle:
                return hashlib.sha256(handle.read()).hexdigest()
        except OSError:
            return None

    def _is_unpacked(self, bundle: Bundle, target: str) -> bool:
        for name, content in bundle.entries.items():
            try:
                with open(os.path.join(target, name), "rb") as handle:
                    if handle.read() != content:
                        return False
            except OSError:
                return False
        return True

    def _is_compiled(self, bundle: Bundle, target: str) -> bool:
        for name in bundle.entries:
            directory, file = os.path.split(name)
            compiled = f"{file[:-3]}.{self._python.cache_tag}.pyc"
            if not os.path.exists(os.path.join(target, directory, "__pycache__", compiled)):
                return False
        return True

    def _unpack(self, bundle: Bundle, target: str) -> None:
        """Fill a directory aside, compile it there and rename it into place."""
        aside = tempfile.mkdtemp(prefix=".incoming-", dir=self.path)
        try:
            os.chmod(aside, 0o755)
            for name, content in bundle.entries.items():
                path = os.path.join(aside, name)
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                with open(path, "wb") as handle:
                    handle.write(content)
            self._compile(aside)
            if os.path.isdir(target):
                broken = tempfile.mkdtemp(prefix=".outgoing-", dir=self.path)
                os.rename(target, os.path.join(broken, "damaged"))
                os.rename(aside, target)
                shutil.rmtree(broken)
            else:
                os.rename(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _compile(self, directory: str) -> None:
        """Compile with the agent's Python. The sources never change in place, so no start needs to look at them."""
        mode = ("--invalidation-mode", "unchecked-hash")
        status, *said = self._run([self._python.executable, "-I", "-m", "compileall", "-q", "-f", *mode, directory])
        if status != 0:
            raise InstallationError(
                f"Cannot compile the agent below {directory} with {self._python.executable}: it ended with status "
                f"{status} and said '{''.join(said).strip()[-500:]}'. The disk may be full or the interpreter damaged. "
                f"Free some space or name another interpreter in 'agent_python', then run again.",
                "runtime_missing",
            )
        _open_for_all(directory)

    def _switch(self, directory: str) -> None:
        aside = os.path.join(self.path, f".link-{os.urandom(6).hex()}")
        os.symlink(directory, aside)
        try:
            os.replace(aside, self.current)
        except OSError:
            os.unlink(aside)
            raise

    def _command_text(self) -> str:
        return _COMMAND_TEXT.format(current=shlex.quote(self.current), python=shlex.quote(self._python.executable))

    def _directories(self) -> list[str]:
        return sorted(name for name in _names(self.path) if _DIRECTORY.fullmatch(name))

    def _temporaries(self) -> list[str]:
        return sorted(name for name in _names(self.path) if re.match(r"\.(incoming|outgoing|link)-", name))

    def _newest_other(self, bundle: Bundle) -> str | None:
        others = [name for name in self._directories() if name != bundle.directory]
        return max(others, key=lambda name: os.stat(os.path.join(self.path, name)).st_mtime, default=None)

    def _previous(self, current: str | None) -> str | None:
        others = [name for name in self._directories() if name != current]
        matched = _DIRECTORY.fullmatch(others[-1]) if others else None
        return matched.group("version") if matched else None

    def _prune(self, keep: set[str | None]) -> None:
        for name in self._directories():
            if name not in keep:
                shutil.rmtree(os.path.join(self.path, name))
        for name in self._temporaries():
            path = os.path.join(self.path, name)
            with contextlib.suppress(OSError):
                os.unlink(path) if os.path.islink(path) else shutil.rmtree(path)


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _read_text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except (OSError, ValueError):
        return None


def _open_for_all(directory: str) -> None:
    """Give readable modes, whatever the umask was: the agent's account is not the installing one."""
    for base, names, leaves in os.walk(directory):
        for name in names:
            os.chmod(os.path.join(base, name), 0o755)
        for name in leaves:
            os.chmod(os.path.join(base, name), 0o644)


def _no_bundle(reason: object) -> str:
    return (
        f"Cannot read the agent's bundle: it is no zip application made by this collection ({reason}). "
        "It was probably damaged on the way. Run the task again; if that does not help, install the collection again."
    )
