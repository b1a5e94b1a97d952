"""One version everywhere."""

from __future__ import annotations

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _only_match(pattern: str, file: str) -> str:
    found = re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == 1, f"{file} should say its version once, as {pattern}"
    return found[0]


def test_agent_and_collection_have_the_same_version() -> None:
    of_collection = _only_match(r"^version: (\S+)$", "galaxy.yml")
    of_agent = _only_match(r'^(?:__version__|VERSION)(?:: \w+)? = "([^"]+)"$', "files/agent/tentacle_agent/_version.py")
    assert of_agent == of_collection


def test_release_summary_waits_for_the_next_version() -> None:
    """The version in galaxy.yml is the next release: its summary is written, or it is released already."""
    version = _only_match(r"^version: (\S+)$", "galaxy.yml")
    fragment = ROOT / "changelogs" / "fragments" / f"{version}.yml"
    released = (ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8")
    assert fragment.exists() or re.search(rf"^  {re.escape(version)}:", released, re.MULTILINE)


def test_supported_ansible_is_the_same_in_meta_and_readme() -> None:
    floor = _only_match(r"^requires_ansible: ['\"]?>=([\d.]+?)(?:\.0)?['\"]?$", "meta/runtime.yml")
    assert f"ansible-core {floor}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_execution_environment_has_this_version_and_a_tested_core() -> None:
    example = (ROOT / "docs" / "execution-environment" / "execution-environment.yml").read_text(encoding="utf-8")
    assert f"version: {_only_match(r'^version: (.+)$', 'galaxy.yml')}\n" in example
    core = _only_match(r"^ansible-core==([\d.]+)", "requirements/core-2.21.txt")
    assert f"package_pip: ansible-core=={core}\n" in example


def test_what_an_execution_environment_needs_is_in_the_collection() -> None:
    definition = (ROOT / "meta" / "execution-environment.yml").read_text(encoding="utf-8")
    needed = re.findall(r"^  (?:python|system): (\S+)$", definition, re.MULTILINE)
    assert len(needed) == 2
    assert all((ROOT / path).is_file() for path in needed)
