"""Who may import whom, and what a file may be: see ARCHITECTURE.md."""

from __future__ import annotations

import ast
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
UTILS = ROOT / "plugins" / "module_utils"
CORE = UTILS / "_halibut"
AGENT = ROOT / "files" / "agent" / "tentacle_agent"
# What is bundled with the agent, beside the agent itself.
BUNDLED = [
    CORE,
    UTILS / "_verify",
    UTILS / "_instance",
    UTILS / "_client",
    UTILS / "_firewall",
    UTILS / "_processes.py",
    UTILS / "_x509.py",
]

STDLIB = set(getattr(sys, "stdlib_module_names", ())) | {"__future__"}  # Python 3.10+
needs_names_of_stdlib = pytest.mark.skipif(sys.version_info < (3, 10), reason="sys.stdlib_module_names is of 3.10")

# The only homes of the agent's two dependencies.
OPENSSL_HOMES = {"files/agent/tentacle_agent/tls.py"}
CRYPTOGRAPHY_HOMES = {
    "plugins/module_utils/_instance/identity.py",
    "plugins/module_utils/_instance/encryption.py",
    "files/agent/tentacle_agent/encryption.py",
}

# More than this and a file has a second subject.
MOST_LINES = 400


def sources(*places: pathlib.Path) -> list[pathlib.Path]:
    found: list[pathlib.Path] = []
    for place in places:
        if place.is_dir():
            found += sorted(place.rglob("*.py"))
        else:
            found += [path for path in (place, place.with_suffix(".py")) if path.is_file()][:1]
    return found


def name_of(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: pathlib.Path) -> set[str]:
    """Every absolutely imported module, by its full dotted name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return names


def packages(path: pathlib.Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def relative_imports(path: pathlib.Path) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                found.add((node.level, f"{node.module}.{alias.name}" if node.module else alias.name))
    return found


def test_there_is_something_to_look_at() -> None:
    assert sources(CORE)
    assert sources(AGENT)


@needs_names_of_stdlib
def test_core_imports_the_standard_library_and_itself() -> None:
    for path in sources(CORE):
        assert packages(path) <= STDLIB, name_of(path)
        assert {level for level, _name in relative_imports(path)} <= {1}, f"{name_of(path)} reaches out of the core"


@pytest.mark.parametrize(
    "module",
    ["asyncio", "os", "pathlib", "select", "selectors", "signal", "socket", "ssl", "subprocess", "threading", "time"],
)
def test_core_does_no_io_and_owns_no_clock(module: str) -> None:
    for path in sources(CORE):
        assert module not in packages(path), name_of(path)


@needs_names_of_stdlib
def test_agent_imports_the_standard_library_and_what_is_bundled_with_it() -> None:
    shared = {f"module_utils.{path.stem}" for path in BUNDLED}
    for path in sources(AGENT):
        extra = {"module_utils"} | ({"OpenSSL"} if name_of(path) in OPENSSL_HOMES else set())
        extra |= {"cryptography"} if name_of(path) in CRYPTOGRAPHY_HOMES else set()
        assert packages(path) <= STDLIB | extra, name_of(path)
        for name in imported(path):
            if name.startswith("module_utils."):
                assert ".".join(name.split(".")[:2]) in shared, f"{name_of(path)} imports {name}, which is not bundled"


@needs_names_of_stdlib
def test_what_is_bundled_needs_neither_ansible_nor_the_agent() -> None:
    for path in sources(*BUNDLED):
        extra = {"cryptography"} if name_of(path) in CRYPTOGRAPHY_HOMES else set()
        assert packages(path) <= STDLIB | extra, name_of(path)
        siblings = {shared.stem for shared in BUNDLED}
        depth = len(path.relative_to(UTILS).parts)
        for level, name in relative_imports(path):
            if level == depth:  # reaches module_utils itself
                assert name.partition(".")[0] in siblings, f"{name_of(path)} imports {name}, which is not bundled"
            assert level <= depth, f"{name_of(path)} reaches out of module_utils"


def test_pyopenssl_and_cryptography_have_one_home_each() -> None:
    for path in sources(AGENT, UTILS):
        if name_of(path) not in OPENSSL_HOMES:
            assert "OpenSSL" not in packages(path), name_of(path)
        if name_of(path) not in CRYPTOGRAPHY_HOMES:
            assert "cryptography" not in packages(path), name_of(path)


def test_module_utils_reach_each_other_by_relative_imports_only() -> None:
    """One source has two names, in the bundle and in Ansible; an absolute import would know only one."""
    for path in sources(UTILS):
        assert not {"ansible_collections", "module_utils", "tentacle_agent"} & packages(path), name_of(path)


def test_modules_import_nothing_of_the_controller() -> None:
    allowed = ("ansible.module_utils", "ansible_collections.listening.tentacle.plugins.module_utils")
    for path in sources(ROOT / "plugins" / "modules"):
        for name in imported(path):
            if name.partition(".")[0] in ("ansible", "ansible_collections"):
                assert name.startswith(allowed), f"{name_of(path)} imports {name}"
    for path in sources(UTILS):
        for name in imported(path):
            if name.partition(".")[0] == "ansible":
                assert name.startswith("ansible.module_utils"), f"{name_of(path)} imports {name}"


def test_the_bundle_is_packed_without_importing_it() -> None:
    for path in sources(ROOT / "plugins" / "plugin_utils" / "_bundle.py"):
        assert not {"tentacle_agent", "module_utils"} & packages(path)


@pytest.mark.parametrize("word", ["utils", "helpers", "helper", "common", "misc", "manager"])
def test_files_are_named_after_what_they_hold(word: str) -> None:
    for path in sources(AGENT, ROOT / "plugins"):
        assert path.stem.strip("_") != word, name_of(path)


def test_only_modules_and_plugins_are_public() -> None:
    """What Ansible's users may rely on has no underscore; everything else that they could import has one."""
    for directory in (UTILS, ROOT / "plugins" / "plugin_utils"):
        for path in directory.iterdir():
            assert path.name.startswith("_"), name_of(path)


def test_files_stay_small() -> None:
    long = {
        name_of(path): lines
        for path in sources(AGENT, ROOT / "plugins")
        if (lines := path.read_text(encoding="utf-8").count("\n")) > MOST_LINES
    }
    assert not long


def test_every_file_says_its_licence() -> None:
    gpl = [ROOT / "plugins" / name for name in ("modules", "action", "plugin_utils", "doc_fragments")]
    for licence, places in (("GPL-3.0-or-later", gpl), ("BSD-2-Clause", [AGENT, UTILS])):
        for path in sources(*places):
            head = path.read_text(encoding="utf-8")[:400]
            if head.strip():  # an empty __init__.py has nothing to license
                assert f"SPDX-License-Identifier: {licence}" in head, name_of(path)


def test_target_code_starts_with_future_annotations() -> None:
    """Python 3.9 evaluates annotations otherwise, and `X | None` fails there."""
    for path in sources(AGENT, ROOT / "plugins"):
        text = path.read_text(encoding="utf-8")
        if any(not isinstance(node, ast.Expr) for node in ast.parse(text).body):
            assert re.search(r"^from __future__ import annotations$", text, re.MULTILINE), name_of(path)


def test_every_module_is_in_the_action_group() -> None:
    meta = (ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8")
    for path in sources(ROOT / "plugins" / "modules"):
        assert re.search(rf"^\s+- {path.stem}$", meta, re.MULTILINE), f"meta/runtime.yml lacks {path.stem}"
