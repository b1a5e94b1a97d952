# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Errors of everything that reads or changes an instance on disk.

InstanceError                 str() is the whole sentence for the user; ``cause`` is the word for playbooks
|- ConfigurationError         the configuration file, or a value for it, is wrong
|- SelectionError             no instance, or more than one, fits what was asked for
|- IdentityError              a certificate or key cannot be read, made or written
`- StorageError               a file or directory cannot be read or written
"""

from __future__ import annotations


class InstanceError(Exception):
    """Something about an instance is not as it has to be; the text says what to do next."""

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause or self.default_cause

    default_cause = "instance_invalid"


class ConfigurationError(InstanceError):
    """A configuration file or a value for it is not usable."""

    default_cause = "configuration_invalid"


class SelectionError(InstanceError):
    """Which instance is meant could not be told."""

    default_cause = "instance_unknown"


class IdentityError(InstanceError):
    """A certificate, key or PFX file is not usable."""

    default_cause = "certificate_invalid"


class StorageError(InstanceError):
    """The file system refused; names the path and the reason."""

    default_cause = "storage_failed"
