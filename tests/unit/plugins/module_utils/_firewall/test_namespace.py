"""nftables and iptables for real, without root, in a network namespace that ends with the test."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest

_UNSHARE = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
# /etc and /run of its own, but with the links that lead to one of the programs' variants.
_SETUP = """
export PATH=/usr/sbin:/sbin:$PATH
mount -t tmpfs none /run && mkdir /run/alternatives && mount --bind /etc/alternatives /run/alternatives &&
mount -t tmpfs none /etc && ln -s /run/alternatives /etc/alternatives && ip link set lo up && exec "$@"
"""
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def _can_make_namespaces() -> bool:
    return bool(shutil.which("unshare")) and not subprocess.call(
        [*_UNSHARE, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.skipif(not _can_make_namespaces(), reason="namespaces cannot be made here")
@pytest.mark.parametrize(("word", "program"), [("nftables", "nft"), ("iptables", "iptables")])
def test_a_whole_life(word: str, program: str) -> None:
    if not shutil.which(program, path=_PATH):
        pytest.skip(f"no {program} here (apt-get install {word})")
    script = pathlib.Path(__file__).with_name("inside_a_namespace.py")
    command = [*_UNSHARE, "sh", "-c", _SETUP, "sh", sys.executable, str(script), word]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
