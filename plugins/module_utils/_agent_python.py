# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The Python that runs the agent: what it has, what it lacks, and what to do about that.

This module util is **private** to the collection. An interpreter is asked by running it, isolated as the agent will
be (``-I``), so that neither the module's own path nor an environment variable makes up for a missing library.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

#: The oldest Python and libraries that the agent is tested with.
MINIMUM_PYTHON = (3, 9)
MINIMUM_PYOPENSSL = (20, 0)
MINIMUM_CRYPTOGRAPHY = (3, 3)
#: Where distributions put the Python that their own packages, pyOpenSSL among them, are made for.
DISTRIBUTION_PYTHON = "/usr/bin/python3"

#: Runs a command and returns its status and what it said; raises OSError where it cannot be run.
Run = Callable[[list[str]], tuple[int, str, str]]

# Runs under any Python 3, the unsuitable ones included; a library that is there but broken counts as missing.
_PROBE = """
import json, sys
found = {"executable": sys.executable, "version": "%d.%d.%d" % sys.version_info[:3], "environment":
         sys.prefix != sys.base_prefix, "cache_tag": sys.implementation.cache_tag, "errors": {}}
try:
    import OpenSSL
    from OpenSSL import SSL
    found["pyopenssl"] = OpenSSL.__version__
    found["openssl"] = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()
except Exception as error:
    found["errors"]["pyOpenSSL"] = "%s: %s" % (type(error).__name__, error)
try:
    import cryptography
    import cryptography.hazmat.primitives.serialization.pkcs12
    found["cryptography"] = cryptography.__version__
except Exception as error:
    found["errors"]["cryptography"] = "%s: %s" % (type(error).__name__, error)
print(json.dumps(found))
"""

# (words in ID and ID_LIKE of os-release, how to install a package, the package of pyOpenSSL, which brings cryptography)
_PACKAGES = (
    (("debian", "ubuntu"), "apt-get install", "python3-openssl"),
    (("fedora", "rhel", "centos", "rocky", "almalinux", "amzn"), "dnf install", "python3-pyOpenSSL"),
    (("suse", "opensuse", "sles"), "zypper install", "python3-pyOpenSSL"),
    (("alpine",), "apk add", "py3-openssl"),
    (("arch",), "pacman -S", "python-pyopenssl"),
)


class AgentPython(NamedTuple):
    """What an interpreter said about itself. ``missing`` is empty when the agent can run under it."""

    executable: str
    version: str | None
    cache_tag: str | None
    pyopenssl: str | None
    cryptography: str | None
    openssl: str | None
    missing: tuple[str, ...]
    remedy: str | None

    @property
    def usable(self) -> bool:
        return not self.missing

    def facts(self) -> dict[str, Any]:
        """The public facts as a module returns them."""
        return {
            "executable": self.executable,
            "version": self.version,
            "pyopenssl": self.pyopenssl,
            "cryptography": self.cryptography,
            "openssl": self.openssl,
            "missing": list(self.missing),
            "remedy": self.remedy,
        }

    def complaint(self) -> str:
        """Four sentences for the user: what was tried, what is missing, why that may be, what to do."""
        return (
            f"The agent cannot run under {self.executable} (Python {self.version or 'unknown'}): "
            f"{'; '.join(self.missing)}. The agent needs Python {_dotted(MINIMUM_PYTHON)} or newer with pyOpenSSL and "
            f"cryptography, which a minimal installation does not bring. Remedy: {self.remedy}."
        )


def find(run: Run, wanted: str | None = None, candidates: Iterable[str] | None = None) -> AgentPython:
    """The interpreter ``wanted``, or else the first candidate that can run the agent, or else the first that exists.

    The candidates are the distribution's Python, for which the packaged pyOpenSSL is made, and the running one.
    The result may be unusable: look at ``missing``.
    """
    if wanted:
        return probe(run, wanted)
    found = []
    for candidate in candidates or (DISTRIBUTION_PYTHON, sys.executable):
        if candidate and os.path.exists(candidate):
            python = probe(run, candidate)
            if python.usable:
                return python
            found.append(python)
    return found[0] if found else probe(run, DISTRIBUTION_PYTHON)


def unasked(executable: str | None = None) -> AgentPython:
    """An interpreter that nobody needs to ask, for instance because the agent goes."""
    return AgentPython(executable or DISTRIBUTION_PYTHON, None, None, None, None, None, (), None)


def probe(run: Run, executable: str) -> AgentPython:
    """Ask one interpreter. Never raises for what the interpreter says or lacks."""
    try:
        status, said, complained = run([executable, "-I", "-c", _PROBE])
    except OSError as error:
        return _unanswered(executable, str(error))
    try:
        answer = json.loads(said)
    except ValueError:
        return _unanswered(executable, f"it ended with status {status}: {complained.strip()[-200:] or 'no message'}")
    return judge(executable, answer, read_os_release())


def judge(executable: str, answer: Mapping[str, Any], os_release: Mapping[str, str]) -> AgentPython:
    """Compare an interpreter's answer with what the agent needs. Pure."""
    missing = []
    version = str(answer.get("version") or "0")
    if _numbers(version) < MINIMUM_PYTHON:
        missing.append(f"Python is {version}, the agent needs {_dotted(MINIMUM_PYTHON)} or newer")
    for name, key, minimum in (
        ("pyOpenSSL", "pyopenssl", MINIMUM_PYOPENSSL),
        ("cryptography", "cryptography", MINIMUM_CRYPTOGRAPHY),
    ):
        seen = answer.get(key)
        if not seen:
            reason = answer.get("errors", {}).get(name, "not found")
            missing.append(f"{name} is missing ({reason})")
        elif _numbers(str(seen)) < minimum:
            missing.append(f"{name} is {seen}, the agent needs {_dotted(minimum)} or newer")
    return AgentPython(
        executable=executable,
        version=answer.get("version"),
        cache_tag=answer.get("cache_tag"),
        pyopenssl=answer.get("pyopenssl"),
        cryptography=answer.get("cryptography"),
        openssl=answer.get("openssl"),
        missing=tuple(missing),
        remedy=_remedy(executable, answer, os_release) if missing else None,
    )


def read_os_release(path: str = "/etc/os-release") -> dict[str, str]:
    """The fields of os-release; empty where there is no such file."""
    fields = {}
    try:
        with open(path, encoding="utf-8") as handle:
            for line in handle:
                key, separator, value = line.strip().partition("=")
                if separator:
                    fields[key] = value.strip("\"'")
    except OSError:
        return {}
    return fields


def package(os_release: Mapping[str, str] | None = None) -> str | None:
    """The distribution's package that brings what the agent needs; None for one that is not known here."""
    known = _package(read_os_release() if os_release is None else os_release)
    return known[1] if known else None


def _package(os_release: Mapping[str, str]) -> tuple[str, str] | None:
    words = f"{os_release.get('ID', '')} {os_release.get('ID_LIKE', '')}".split()
    for names, install, name in _PACKAGES:
        if any(word.startswith(start) for word in words for start in names):
            return install, name
    return None


def _remedy(executable: str, answer: Mapping[str, Any], os_release: Mapping[str, str]) -> str:
    """The exact next step: a package line for the distribution's own Python, pip for any other."""
    quoted = shlex.quote(executable)
    if _numbers(str(answer.get("version") or "0")) < MINIMUM_PYTHON:
        return (
            f"name a newer interpreter in 'agent_python', for instance of an environment made with "
            f"'python3.{MINIMUM_PYTHON[1]} -m venv DIRECTORY' and 'DIRECTORY/bin/pip install pyOpenSSL'"
        )
    if not answer.get("environment") and os.path.realpath(executable) == os.path.realpath(DISTRIBUTION_PYTHON):
        known = _package(os_release)
        if known:
            line = " ".join(known)
            return f"run '{line}' on the target, or name an environment that has pyOpenSSL in 'agent_python'"
    return f"run '{quoted} -m pip install pyOpenSSL' on the target, or name another interpreter in 'agent_python'"


def _unanswered(executable: str, reason: str) -> AgentPython:
    return AgentPython(
        executable=executable,
        version=None,
        cache_tag=None,
        pyopenssl=None,
        cryptography=None,
        openssl=None,
        missing=(f"it does not answer as a Python interpreter ({reason})",),
        remedy=f"install Python {_dotted(MINIMUM_PYTHON)} or newer, or name another interpreter in 'agent_python'",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in numbers)
