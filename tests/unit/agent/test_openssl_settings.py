# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings are a saving: where OpenSSL cannot be told, nothing else changes; e2e sees what they do on the wire."""

from __future__ import annotations

import ctypes.util
import sys
import types

import pytest

from tentacle_agent import openssl_settings
from tentacle_agent.tls import ServerContext


@pytest.mark.parametrize("file", [None, "/no/such/library.so", ctypes.util.find_library("c")])
def test_a_binding_that_does_not_lead_to_openssl_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, file: str | None
) -> None:
    for name in openssl_settings.BINDINGS:
        module = types.ModuleType(name)
        module.__file__ = file
        monkeypatch.setitem(sys.modules, name, module)
    assert not openssl_settings.apply(0)


def test_a_pyopenssl_that_is_different_inside_is_left_alone() -> None:
    context = ServerContext.__new__(ServerContext)
    context._context = object()
    assert not context.spare_work()
