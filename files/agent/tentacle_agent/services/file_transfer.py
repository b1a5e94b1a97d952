# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""IFileTransferService: files from the server to this host and back (docs/protocol/tentacle-services.md §3, 14).

Paths come in Windows' or Unix' spelling, relative ones start at the agent's home. There is no guard against `..`: who
may call this may also run scripts. Nothing is ever whole in memory.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from typing import Any

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import DataStream, UploadResult

from ..dispatch import Context, Download, Method, ServiceError
from .incoming_file import IncomingFile, remove_unfinished

DENIED = (errno.EACCES, errno.EPERM, errno.EISDIR, errno.EROFS)
FULL = (errno.ENOSPC, errno.EDQUOT)


class FileTransferService:
    """Uploads and downloads below and outside the agent's home."""

    NAME = "IFileTransferService"
    TYPE_NAME = "Octopus.Tentacle.Core.Services.FileTransfer.FileTransferService"

    def __init__(self, home: str) -> None:
        self._home = home
        self.METHODS = {
            "uploadfile": Method(
                "UploadFile", (str, DataStream), self.upload_file,
                open_stream=self.open_stream, discard_stream=IncomingFile.discard,
                returns="Octopus.Tentacle.Contracts.UploadResult",
            ),
            "downloadfile": Method("DownloadFile", (str,), self.download_file, returns="Halibut.DataStream"),
        }

    def remove_unfinished(self) -> None:
        """Remove what an agent that was killed had not finished receiving, where servers put packages (§5.5)."""
        remove_unfinished(os.path.join(self._home, "Files"))

    def resolve(self, remote_path: str | None) -> str:
        """The absolute path that a server means (§3.1). Raises `ServiceError`."""
        if remote_path is None:
            raise ServiceError.null_reference()
        if "\0" in remote_path:
            raise ServiceError("Null character in path. (Parameter 'path')", "System.ArgumentException")
        path = posixpath.normpath(posixpath.join(self._home, remote_path.replace("\\", "/")))
        return path[1:] if path.startswith("//") else path

    def open_stream(self, context: Context, stream: DataStream, params: tuple[Any, ...]) -> IncomingFile:
        """Where an upload goes while it arrives. Raises `ServiceError`."""
        path = self.resolve(params[0])
        try:
            return IncomingFile(path, stream.length)
        except OSError as error:
            raise explain(error, path, stream.length) from error

    def upload_file(self, context: Context, remote_path: str | None, upload: DataStream | None) -> UploadResult:
        """Put the file in its place; a null upload changes nothing. Raises `ServiceError`."""
        path = self.resolve(remote_path)
        if upload is None:
            return UploadResult(path, None, 0)
        file = context.streams.pop(upload.id)
        try:
            digest = file.commit()
        except OSError as error:
            raise explain(error, path, upload.length) from error
        return UploadResult(path, digest, file.length)

    def download_file(self, context: Context, remote_path: str | None) -> Download | None:
        """A file's content, as long as it is now; None where no file is. Raises `ServiceError`."""
        path = self.resolve(remote_path)
        try:
            if stat.S_ISDIR(os.stat(path).st_mode):
                return None
        except OSError:
            return None
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise explain(error, path) from error
        file = os.fdopen(descriptor, "rb", buffering=0)
        try:
            length = known_length(descriptor, path)
        except BaseException:
            file.close()
            raise
        return Download(DataStream(Guid(os.urandom(16)), length), file)


def known_length(descriptor: int, path: str) -> int:
    """How long the open file is. Raises `ServiceError` for what tells no length: devices, pipes, files of /proc."""
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and (status.st_size or not os.read(descriptor, 1)):
        return status.st_size
    raise ServiceError(
        f"The file '{path}' cannot be downloaded: its length is not known before it has been read. Copy its content "
        f"to a regular file with a script, and download that.", "System.IO.IOException"
    )


def explain(error: OSError, path: str, length: int = 0) -> ServiceError:
    """What the server is told when the file system refuses something."""
    if error.errno in DENIED:
        return ServiceError(f"Access to the path '{path}' is denied.", "System.UnauthorizedAccessException")
    if error.errno in FULL:
        return ServiceError(
            f"There is not enough space for '{path}': {length} bytes, a tenth more and 1 MB have to be free on its "
            f"disk. Free some space there and try again.", "System.IO.IOException"
        )
    if error.errno == errno.ENOENT:
        return ServiceError(f"Could not find a part of the path '{path}'.", "System.IO.DirectoryNotFoundException")
    return ServiceError(f"{error.strerror or 'Input/output error'} : '{path}'", "System.IO.IOException")
