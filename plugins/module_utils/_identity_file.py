# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The file with an agent's key and certificate: read without any library, and made or imported with one.

This module util is **private** to the collection. Reading needs the standard library alone, so that a task that
changes nothing runs under any Python. ``IdentityChange`` says beforehand whether it will need ``cryptography``.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any

from . import _choice, _directories, _x509
from ._directories import Entry
from ._instance import configuration, files, identity, original, paths, unit
from ._instance.errors import IdentityError, StorageError

#: Every fact of a certificate that modules return, in this order; all are None where there is no certificate.
FACTS = (
    "thumbprint",
    "thumbprint_sha256",
    "subject",
    "issuer",
    "serial_number",
    "not_before",
    "not_after",
    "key_type",
    "key_size",
    "curve",
    "signature_algorithm",
    "signature_hash",
    "self_signed",
)
PRIVATE_MODE = 0o600
GROUP_MODE = 0o640
_SOURCES = ("content", "pfx_path", "certificate_path", "original_config")


def find_file(params: Mapping[str, Any], check_mode: bool) -> tuple[str, str | None]:
    """The identity's file, and the group that a new one gets. Raises InstanceError where the instance is missing."""
    if params.get("path"):
        return params["path"], None
    choice = _choice.choose(params) if check_mode else _choice.choose_existing(params)
    if not choice.exists:
        return os.path.join(choice.directory, paths.IDENTITY_NAME), None
    group = os.stat(choice.path).st_gid
    return configuration.load(choice.path).certificate_path, None if group == os.getegid() else str(group)


def describe(pem: bytes) -> dict[str, Any]:
    """The facts of the certificate in ``pem``. Raises IdentityError for what is no certificate."""
    der = identity.certificate_der(pem)
    pins = identity.thumbprints_of(pem)
    try:
        facts = _x509.parse(der)
    except ValueError as error:
        raise IdentityError(f"The certificate cannot be read: {error}. Import it again.") from error
    return {
        "thumbprint": pins.sha1,
        "thumbprint_sha256": pins.sha256,
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial_number": facts.serial_number,
        "not_before": facts.not_before.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": facts.not_after.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "key_type": facts.key_type,
        "key_size": facts.key_size,
        "curve": facts.curve,
        "signature_algorithm": facts.signature_algorithm,
        "signature_hash": facts.signature_hash,
        "self_signed": facts.self_signed,
    }


def no_facts() -> dict[str, Any]:
    """The same keys where there is no certificate."""
    return dict.fromkeys(FACTS)


def read(path: str) -> dict[str, Any] | None:
    """The facts of the identity in ``path``, or None where no file is.

    Raises IdentityError for a file that is no identity: without certificate, without key, or with another one's key;
    StorageError for one that cannot be read.
    """
    if not os.path.lexists(path):
        return None
    pem = files.read(path)
    facts = describe(pem)
    if b"PRIVATE KEY-----" not in pem:
        raise IdentityError(
            f"{path} holds a certificate without its private key. Only the certificate was copied, probably. "
            "Put both into the file, import a PFX, or set 'force' to make a new identity.",
            cause="certificate_invalid",
        )
    _require_fitting_key(path)
    return facts


def _require_fitting_key(path: str) -> None:
    """Ask the standard library whether key and certificate belong together; anything else it dislikes is no matter."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password=lambda: b"")
    except ssl.SSLError as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            raise IdentityError(
                f"The private key in {path} does not belong to its certificate. Two files were mixed up, probably. "
                "Put the two together that were made together, or set 'force' to make a new identity."
            ) from error
    except OSError:
        return


class IdentityChange:
    """What the options of a task want of the identity in ``path``."""

    def __init__(self, path: str, params: Mapping[str, Any], group: str | None = None) -> None:
        self.path = path
        self._params = params
        self._group = params["group"] or group
        self._pem: bytes | None = None
        self.before = self._read_before()

    @property
    def removes(self) -> bool:
        """Whether no identity is to be there afterwards: for good, or until the first boot."""
        return bool(self._params["state"] != "present")

    @property
    def imports(self) -> bool:
        return any(self._params[source] for source in _SOURCES)

    def needs_library(self, check_mode: bool) -> bool:
        """Whether ``plan`` and ``apply`` cannot do without ``cryptography``."""
        return self.imports or (self._makes() and not check_mode)

    def plan(self) -> dict[str, Any] | None:
        """The facts afterwards; None for a certificate whose facts are not known before it is made."""
        if self.removes:
            return no_facts()
        if self.imports:
            self._pem = self._import()
            return describe(self._pem)
        return None if self._makes() else self.before

    def is_replaced(self, after: dict[str, Any] | None) -> bool:
        """Whether the file gets another content."""
        return after is None or self.before is None or after["thumbprint_sha256"] != self.before["thumbprint_sha256"]

    def is_adjusted(self) -> bool:
        """Whether a file that stays gets another owner or mode. Raises StorageError for an unknown account."""
        return os.path.exists(self.path) and _directories.differs(self._entry())

    def apply(self, replaced: bool) -> None:
        """Write the file when it is replaced, and give it owner and mode. Raises IdentityError or StorageError."""
        if not replaced:
            entry = self._entry()
            files.adjust(self.path, entry.mode, entry.owner, entry.group)
            return
        pem = self._pem if self._pem is not None else self._create()
        mode = self._params["mode"]
        if mode is None and not os.path.exists(self.path):
            mode = GROUP_MODE if self._group else PRIVATE_MODE
        files.write_atomically(self.path, pem, mode, self._params["owner"], self._group)

    def remove(self) -> None:
        """Remove the file. Raises StorageError."""
        try:
            os.unlink(self.path)
        except OSError as error:
            raise StorageError(f"The identity {self.path} could not be removed: {error.strerror}.") from error

    def refuse_to_remove(self) -> None:
        """Raise IdentityError where an identity is there that must not be lost, although a host becomes an image."""
        if self._params["state"] == "first_boot" and self.before is not None and not self._params["force"]:
            raise IdentityError(
                f"An identity is there in {self.path}, with the thumbprint {self.before['thumbprint']}, and every copy "
                "of this host would have the same one. It is a host in use, or was started from another image, "
                "probably. If it is to become an image, set 'force' to remove the identity.",
                cause="identity_present",
            )

    def unit(self, instance: str, configuration_path: str) -> str:
        """The unit that makes the identity at the first boot. Raises ConfigurationError for what cannot stand in it."""
        params = self._params
        size = [] if params["key_type"] == "ec" else [f"--key-size={params['key_size']}"]
        options = [f"--key-type={params['key_type']}", *size, f"--days={params['valid_days']}"]
        options.append(f"--subject={params['subject']}")
        executable = params["executable"] or os.path.join(paths.programs_directory(), paths.PROGRAM)
        return unit.render_identity(configuration_path, instance, executable, self.path, options)

    def _read_before(self) -> dict[str, Any] | None:
        try:
            return read(self.path)
        except IdentityError:
            if self._params["force"] or self.imports or self.removes:
                return no_facts()
            raise

    def _makes(self) -> bool:
        return not self.removes and not self.imports and (
            self.before is None or bool(self._params["force"])
        )

    def _entry(self) -> Entry:
        """Only what the task says: a file that is there keeps what it does not say."""
        return Entry(self.path, self._params["mode"], self._params["owner"], self._params["group"])

    def _create(self) -> bytes:
        params = self._params
        return identity.create(params["subject"], params["key_type"], params["key_size"], params["valid_days"])

    def _import(self) -> bytes:
        params = self._params
        if params["content"]:
            data = params["content"].encode("utf-8")
        elif params["original_config"]:
            return original.read_identity(original.load(params["original_config"]), original.key_files())
        elif params["pfx_path"]:
            data = files.read(params["pfx_path"])
        else:
            data = files.read(params["certificate_path"])
            if params["privatekey_path"]:
                data += b"\n" + files.read(params["privatekey_path"])
        return identity.import_any(data, params["passphrase"])


def read_mode(mode: Any) -> int | None:
    """A mode as octal text or number. Raises ValueError with a sentence."""
    if mode is None:
        return None
    try:
        number = mode if isinstance(mode, int) else int(str(mode), 8)
    except ValueError:
        number = -1
    if not 0 <= number <= 0o777 or number & 0o007:
        raise ValueError(
            f"The mode {mode!r} cannot be given to a private key: expected octal text such as '0600' or '0640', "
            "without any right for others."
        )
    return number
