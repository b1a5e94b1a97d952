"""The verb ``check``: what it asks ``_verify``, and how it tells the result."""

from __future__ import annotations

import json
import pathlib
import socket
from typing import Any

import pytest

from module_utils._client.endpoint import Endpoint
from module_utils._client.proxy import Proxy
from module_utils._verify import steps
from module_utils._verify.result import Result
from tentacle_agent.__main__ import main

PIN = "AB" * 20


@pytest.fixture(name="asked")
def fixture_asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Endpoint, steps.Options]]:
    asked: list[tuple[Endpoint, steps.Options]] = []

    def verify(endpoint: Endpoint, options: Any) -> Result:
        asked.append((endpoint, options))
        result = Result(endpoint)
        result.evidence = "All is well."
        result.facts.thumbprint = PIN
        return result

    monkeypatch.setattr(steps, "verify", verify)
    return asked


@pytest.mark.parametrize(
    ("words", "host", "port"),
    [
        (["web01"], "web01", 10933),
        (["web01:11000"], "web01", 11000),
        (["[::1]:11000"], "::1", 11000),
        (["[::1]"], "::1", 10933),
        (["fe80::1"], "fe80::1", 10933),
        (["--host=web01", "--port=11000"], "web01", 11000),
        (["web01", "--port", "11000"], "web01", 11000),
    ],
)
def test_the_target(
    words: list[str], host: str, port: int, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words, f"--thumbprint={PIN.lower()}", "--timeout=3"]) == 0
    endpoint, options = asked[0]
    assert endpoint == Endpoint(host, port, PIN)
    assert (options.timeout, options.identity) == (3.0, None)
    assert capsys.readouterr().out.endswith(f"Thumbprint: {PIN}\nok: All is well.\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Say what to check"),
        (["https://web01/"], "is a URL"),
        (["web01:0"], "0 is no port"),
        (["web01", "--thumbprint=ABC"], "no thumbprint"),
        (["web01", "--timeout=0"], "one second at least"),
        (["web01", "--client-key=x"], "needs --client-cert"),
        (["web01", "--client-cert=/none/x.pem"], "cannot be read"),
        (["web01", "web02"], "Unrecognized command line arguments: web02"),
    ],
)
def test_what_cannot_be_asked(
    words: list[str], sentence: str, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words]) == 1
    assert sentence in capsys.readouterr().err
    assert asked == []


def test_a_failure_is_told_and_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        target = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["check", target]) == 1
        out = capsys.readouterr().out
        assert "tcp          FAILED" in out
        assert out.splitlines()[-1].startswith("refused: ")
        assert main(["check", target, "--format=json"]) == 1
        assert json.loads(capsys.readouterr().out)["cause"] == "refused"


def test_how_to_check(asked: list[Any], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")
    words = ["--proxy=proxy1:3128", "--proxy-username=joe", f"--proxy-password-file={secret}"]
    assert main(["check", "web01", *words, "--tls-versions", "--proof", "--address=192.0.2.1"]) == 0
    options = asked[0][1]
    assert options.proxy == Proxy("proxy1", 3128, "joe", "swordfish")
    assert "swordfish" not in repr(options)
    assert (options.tls_versions, options.proof, options.address) == (True, True, "192.0.2.1")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--proxy-username=joe"], "needs --proxy"),
        (["--proxy=http://proxy1"], "is a URL"),
        (["--proxy=proxy1", "--proxy-password-file=/none/x"], "cannot be read"),
        (["--proxy=proxy1:99999"], "99999 is no port of a proxy"),
    ],
)
def test_what_cannot_be_a_proxy(
    words: list[str], sentence: str, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "web01", *words]) == 1
    assert sentence in capsys.readouterr().err
    assert asked == []
