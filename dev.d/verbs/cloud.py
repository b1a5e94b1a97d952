"""The rules for clouds, given to the clouds' own modules: AWS against a stand-in on the loopback address, the others
against their argument specifications."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import shutil
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator

import environments
import machine
import steps

COLLECTIONS = ("amazon/aws", "azure/azcollection", "google/cloud")
_LOCK = machine.ROOT / "requirements" / "cloud-collections.txt"
_TESTS = machine.ROOT / "tests" / "cloud"


def parts(_arguments: list[str]) -> list[steps.Step]:
    def run(log: steps.Run) -> None:
        environment = environments.prepare("cloud")
        paths = f"{environments.collections_path()}:{_collections(environment, log)}"
        variables = environment.variables(ANSIBLE_COLLECTIONS_PATH=paths, ANSIBLE_NOCOLOR="1")
        with _aws(environment) as endpoint:
            playbook = ["-i", "localhost,", "-e", f"endpoint={endpoint}", _TESTS / "aws.yml"]
            log.call([environment.tool("ansible-playbook"), *playbook], environment=variables)
        python_path = f"{environments.collections_path()}:{paths.rpartition(':')[2]}"
        log.call(
            [environment.python, _TESTS / "specifications.py"], environment={**variables, "PYTHONPATH": python_path}
        )

    return [steps.Step("cloud", run)]


def _collections(environment: environments.Environment, log: steps.Run) -> pathlib.Path:
    """The three collections, taken out of the package that carries them all: installed it fills half a gigabyte."""
    place = machine.PLACE / "cloud-collections"
    mark = place / "made-from.sha256"
    stamp = hashlib.sha256(_LOCK.read_bytes() + repr(COLLECTIONS).encode()).hexdigest()
    if mark.exists() and mark.read_text() == stamp:
        return place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    log.say("downloading the clouds' collections (55 MB)\n")
    pip = [environment.python, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--dest", place]
    log.call([*pip, "-r", _LOCK])
    wanted = tuple(f"ansible_collections/{name}/" for name in COLLECTIONS)
    with zipfile.ZipFile(next(place.glob("ansible-[0-9]*.whl"))) as wheel:
        wheel.extractall(place, [name for name in wheel.namelist() if name.startswith(wanted)])
    for package in place.glob("*.*"):
        package.unlink()
    mark.write_text(stamp)
    return place


@contextlib.contextmanager
def _aws(environment: environments.Environment) -> Iterator[str]:
    """An AWS of our own on a free port, ended with us."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(environment.tool("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(
        command, env=environment.variables(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _attempt in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if server.poll() is not None:
            break
        time.sleep(0.2)
    raise steps.Failed("the stand-in for AWS did not start")
