# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables: described, defaulted and used under one name."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest
import yaml

ROLE = pathlib.Path(__file__).resolve().parents[2] / "roles" / "tentacle"
# What the role itself sets for other plays.
RESULTS = {"tentacle_result", "tentacle_verified", "tentacle_verified_from_controller"}
OF_PLAYBOOKS = {"tentacle_become"}  # named in a remedy
TAGS = {f"tentacle_{path.stem}" for path in (ROLE / "tasks").glob("*.yml")}


def read(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def described() -> dict[str, dict[str, Any]]:
    return dict(read("meta/argument_specs.yml")["argument_specs"]["main"]["options"])


def test_defaults_are_the_described_ones(described: dict[str, dict[str, Any]]) -> None:
    assert read("defaults/main.yml") == {name: option["default"] for name, option in described.items()}


def test_every_variable_has_the_roles_prefix(described: dict[str, dict[str, Any]]) -> None:
    assert all(name.startswith("tentacle_") for name in described)
    assert all(name.startswith("_tentacle_") for name in read("vars/main.yml"))


def test_every_variable_is_used_and_every_used_one_is_known(described: dict[str, dict[str, Any]]) -> None:
    places = [path for name in ("tasks", "vars", "handlers") for path in (ROLE / name).rglob("*.yml")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in places)
    used = set(re.findall(r"(?<![\w.])tentacle_\w+", text)) - RESULTS - TAGS - OF_PLAYBOOKS
    assert used | {"tentacle_verify"} == set(described)


def test_secrets_are_not_logged(described: dict[str, dict[str, Any]]) -> None:
    secret = {name for name, option in described.items() if option.get("no_log")}
    assert secret == {
        "tentacle_certificate_content", "tentacle_certificate_passphrase", "tentacle_proxy_password"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["preflight", "install", "configure", "run", "verify", "absent"])
def test_every_step_is_a_file_and_a_tag(name: str) -> None:
    assert (ROLE / "tasks" / f"{name}.yml").is_file()
    assert f"tentacle_{name}" in str(read("tasks/main.yml"))


def test_readme_names_the_variables_that_exist(described: dict[str, dict[str, Any]]) -> None:
    text = (ROLE / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\| `(tentacle_\w+)` \| `", text)) <= set(described)
    for name, default in re.findall(r"^\| `(tentacle_\w+)` \| `([^`]*)` \|", text, re.MULTILINE):
        assert yaml.safe_load(default) == described[name]["default"], name
