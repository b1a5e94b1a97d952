# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A file that arrives: hashed while it is written, and visible under its name only when it is whole.

The bytes go to a file without a name in the target's directory (Linux' O_TMPFILE), so that nothing is left of an upload
that is cut off, not even when the agent is killed. Where the file system has no such files, and for the moment in which
a file replaces another, one with a name of its own is used; the next agent removes what is left of those among the
packages. A rename puts the file in place: whoever opens the target sees the old content or the new one, and of several
uploads to one path one wins as a whole.

The content is flushed to the disk before the file gets its name, so that after a loss of power there is the old file
under it, or none, or the new one as a whole. The name itself is not flushed: a client compares hashes before it uses
what it sent, and sends it again. So that the flush is short, the disk begins to write while the bytes come.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import stat

MEBIBYTE = 1024 * 1024
RESERVE_FROM = 65536
WRITE_OUT_EVERY = 16 * MEBIBYTE
PREFIX, SUFFIX = ".tentacle-", ".part"
MODE = 0o666  # less the process's umask
NO_TEMPORARY_FILES = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS)


class IncomingFile:
    """Receives one file for `path`. Use: `write` as often as needed, then `commit` or `discard`; all raise OSError."""

    def __init__(self, path: str, length: int) -> None:
        self.path = path
        self.length = 0
        self._written_out = 0
        self._hash = sha1()
        self._directory = -1
        self._file = -1
        self._name = f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
        self._named = False
        directory, self._target = os.path.split(path)
        self._replaces = is_there(path)
        try:
            self._directory = open_directory(directory)
            require_room(self._directory, length)
            self._file = self._create()
            if length >= RESERVE_FROM:
                self._reserve(length)
        except OSError:
            self.discard()
            raise

    def _create(self) -> int:
        nameless = getattr(os, "O_TMPFILE", 0)
        if nameless and descriptors_have_names():
            try:
                return os.open(".", os.O_WRONLY | nameless | os.O_CLOEXEC, MODE, dir_fd=self._directory)
            except OSError as error:
                if error.errno not in NO_TEMPORARY_FILES:
                    raise
        file = os.open(self._name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE, dir_fd=self._directory)
        self._named = True
        return file

    def _reserve(self, length: int) -> None:
        """Take the space now: a full disk is noticed before the bytes come, and writing becomes faster."""
        try:
            os.posix_fallocate(self._file, 0, length)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        self._hash.update(data)
        size = len(data)
        written = os.write(self._file, data)
        while written < size:
            written += os.write(self._file, memoryview(data)[written:])
        self.length += size
        if self.length - self._written_out >= WRITE_OUT_EVERY:
            self._write_out()

    def _write_out(self) -> None:
        """Have the kernel begin to write what has come, without waiting for it."""
        advise = getattr(os, "posix_fadvise", None)
        if advise is not None:
            with contextlib.suppress(OSError):  # it is only advice
                advise(self._file, self._written_out, self.length - self._written_out, os.POSIX_FADV_DONTNEED)
        self._written_out = self.length

    def close(self) -> None:
        """All bytes are there; nothing to do until `commit`."""

    def commit(self) -> str:
        """Put the file in its place and return the SHA-1 of its content, in lower-case hex."""
        try:
            os.fdatasync(self._file)
            if not self._named:
                self._give_name()
            if self._named:
                os.replace(self._name, self._target, src_dir_fd=self._directory, dst_dir_fd=self._directory)
                self._named = False
        finally:
            self.discard()
        digest: str = self._hash.hexdigest()
        return digest

    def _give_name(self) -> None:
        """Link the nameless file to its target, or to a name of its own where something is in the way."""
        source = f"/proc/self/fd/{self._file}"
        for name in (self._name,) if self._replaces else (self._target, self._name):
            try:
                os.link(source, name, src_dir_fd=self._directory, dst_dir_fd=self._directory, follow_symlinks=True)
            except FileExistsError:
                if name is self._name:
                    raise
            else:
                self._named = name is self._name
                return

    def discard(self) -> None:
        """Forget the file, unless it is in place."""
        if self._named:
            self._named = False
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._directory)
        for descriptor in (self._file, self._directory):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._directory = -1


def remove_unfinished(directory: str) -> int:
    """Remove what a killed agent left between two names; call this before anything arrives. Returns how many."""
    removed = 0
    try:
        names = os.listdir(directory)
    except OSError:
        return 0
    for name in names:
        if name.startswith(PREFIX) and name.endswith(SUFFIX):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, name))
                removed += 1
    return removed


def is_there(path: str) -> bool:
    """Whether something is at the path, which a file may replace. Raises IsADirectoryError for a directory."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return True


def open_directory(path: str) -> int:
    """A descriptor of the directory, which is made if need be. Raises OSError."""
    flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC  # it need not be readable
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        os.makedirs(path, exist_ok=True)
        return os.open(path, flags)


@functools.lru_cache(maxsize=1)
def descriptors_have_names() -> bool:
    """Whether an open file can be linked through /proc."""
    return os.path.isdir("/proc/self/fd")


def sha1() -> hashlib._Hash:
    """SHA-1 as a check sum, which is also allowed where it may not be used for security."""
    return hashlib.sha1(usedforsecurity=False)


def require_room(directory: int, length: int) -> None:
    """Ask for the length, a tenth more and a mebibyte, as the original does. Raises OSError with ENOSPC."""
    room = os.fstatvfs(directory)
    if room.f_bavail * room.f_frsize < length + length // 10 + MEBIBYTE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
