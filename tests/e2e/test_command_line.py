# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a user and other programs meet it: a bundle, a process, its output and its exit code."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from ansible_collections.listening.tentacle.plugins.plugin_utils import _bundle

Run = Callable[..., "subprocess.CompletedProcess[str]"]
PIN = "AB" * 20
PYTHONS = ("3.9", "3.13")
THUMBPRINT = re.compile("[0-9A-F]{40}")


@pytest.fixture(name="archive", scope="module")
def fixture_archive(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The bundle as it is delivered."""
    path = tmp_path_factory.mktemp("delivered") / "tentacle-agent.pyz"
    path.write_bytes(_bundle.build().data)
    return path


@pytest.fixture(name="bundle", scope="module")
def fixture_bundle(archive: pathlib.Path) -> pathlib.Path:
    """The bundle as it is installed."""
    directory = archive.parent / "unpacked"
    shutil.unpack_archive(str(archive), str(directory), "zip")
    return directory


@pytest.fixture(name="environment")
def fixture_environment(tmp_path: pathlib.Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "HOME": str(tmp_path),
        "TentacleMachineConfigurationHomeDirectory": str(tmp_path / "machine"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture(name="run")
def fixture_run(bundle: pathlib.Path, environment: dict[str, str], tmp_path: pathlib.Path) -> Run:
    def run(
        *words: str, python: str = sys.executable, program: Sequence[str] = (), stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-I", *(program or [str(bundle)]), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env=environment,
            check=False,
        )

    return run


def _python(version: str) -> str:
    """An interpreter of that version, wherever Pythons usually are; skips by name."""
    root = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    installed = sorted(str(path) for path in root.glob(f"versions/{version}.*/bin/python3"))
    for candidate in [*installed, shutil.which(f"python{version}")]:
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip(f"Python {version} is not installed")


@pytest.mark.parametrize("version", PYTHONS)
def test_every_verb_works_without_any_library_but_those_that_make_keys(version: str, run: Run) -> None:
    python = _python(version)

    def succeed(*words: str) -> str:
        done = run(*words, python=python)
        assert (done.returncode, done.stderr) == (0, ""), words
        return done.stdout

    assert succeed("version") == _bundle.read_version()
    succeed("create-instance", "--instance=Web 1", "--config=web.cfg")
    succeed("configure", f"--trust={PIN}", "--port=10999", "--listenIpAddress=127.0.0.1")
    succeed("update-trust", f"--oldThumbprint={PIN}", f"--newThumbprint={'CD' * 32}")
    shown = json.loads(succeed("show-configuration", "--instance=web 1"))
    assert shown["Tentacle"]["Services"]["PortNumber"] == 10999
    assert shown["Tentacle"]["Communication"]["TrustedOctopusServers"][0]["Thumbprint"] == "CD" * 32
    assert succeed("list-instances").startswith("Instance 'Web 1' uses configuration '")
    assert succeed("show-thumbprint", "--format=json") == '{"Thumbprint":null}'
    assert run("service", "--status", "--manager=standalone", python=python).returncode == 1
    succeed("clear-trusted-servers")
    succeed("delete-instance", "--instance=WEB-1")


def test_certificates(run: Run, tmp_path: pathlib.Path) -> None:
    run("create-instance", "--config=web.cfg", "--home=home")
    made = run("new-certificate", "--config=home/web.cfg")
    shown = run("show-thumbprint", "--config=home/web.cfg").stdout
    assert THUMBPRINT.fullmatch(shown)
    assert made.stdout.splitlines()[1] == shown
    exported = run("new-certificate", "--export-pfx=x.pfx", "--pfx-password-file=-", stdin="sécret\n")
    other = exported.stdout.splitlines()[1]
    imported = run("import-certificate", "--config=home/web.cfg", "-f=x.pfx", "--pfx-password-file=-", stdin="sécret\n")
    assert f"Certificate with thumbprint {other} imported successfully." in imported.stdout
    assert run("show-thumbprint", "--config=home/web.cfg").stdout == other
    wrong = run("import-certificate", "--config=home/web.cfg", "-f=x.pfx", "--pw=wrong")
    assert (wrong.returncode, run("show-thumbprint", "--config=home/web.cfg").stdout) == (1, other)


def test_the_archive_itself_can_be_called(run: Run, archive: pathlib.Path) -> None:
    done = run("version", program=[str(archive)])
    assert (done.returncode, done.stdout, done.stderr) == (0, _bundle.read_version(), "")


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        ([], 2, r"Usage: Tentacle <command> \[<options>\]\n[\s\S]*Or use <command> --help for more details\.\n", ""),
        (["bogus"], 2, r"See 'Tentacle help'\n", r"Command 'bogus' is not supported\n"),
        (["version", "--x=y"], 1, "", r"Unrecognized command line arguments: --x=y\n"),
        (["version", "--format=x"], 1, "", r"The format 'x' is not supported\. Try text or json\.\n"),
        (["poll-server"], 1, "", r"Command 'poll-server' does not apply here\. .*\n"),
        (["show-thumbprint"], 1, "", r"There are no instances of tentacle configured on this machine\. .*\n"),
        (["run", "--instance=x"], 1, "", r"Instance x of tentacle has not been configured on this machine\. .*\n"),
        (["run", "--config=none"], 1, "", r"There is no configuration file .*\n"),
        (["configure", "--port"], 1, "", r"Missing required value for option '--port'\.\n"),
    ],
)
def test_exit_codes_and_where_the_words_go(run: Run, words: list[str], code: int, out: str, err: str) -> None:
    done = run(*words)
    assert done.returncode == code
    assert re.fullmatch(out, done.stdout), done.stdout
    assert re.fullmatch(err, done.stderr), done.stderr


def test_a_reader_that_goes_away_is_no_traceback(bundle: pathlib.Path, environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(bundle), "help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env=environment,
            check=False,
        )
    finally:
        os.close(writing)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_verb_loads_only_what_it_needs(run: Run, bundle: pathlib.Path) -> None:
    """Start-up time and memory of the agent hang on this: nothing heavy may come in by the way."""
    heavy = ["OpenSSL", "cryptography", "ssl", "asyncio", "argparse", "subprocess", "email", "http", "urllib"]
    code = (
        f"import sys; sys.path.insert(0, {str(bundle)!r}); before = set(sys.modules)\n"
        "from tentacle_agent.__main__ import main\n"
        "main(['show-configuration', '--instance=none'])\n"
        f"print(sorted((set(sys.modules) - before) & set({heavy!r})))"
    )
    done = run(program=["-c", code])
    assert done.stdout.splitlines()[-1] == "[]"


def test_check_looks_at_nobody_listening(run: Run) -> None:
    done = run("check", "127.0.0.1:1", "--format=json", "--timeout=5")
    assert done.returncode == 1
    assert json.loads(done.stdout)["cause"] == "refused"
