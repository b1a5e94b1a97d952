# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as a browser shows it."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import struct
import subprocess
import zlib

import pytest
from agent_process import AgentProcess
from browser import FLAGS, chromium

PICTURES = os.environ.get("TENTACLE_TEST_PICTURES")


def browse(directory: pathlib.Path, *options: str) -> str:
    """Run the browser with a profile of its own; its output. It and its children end, whatever happens."""
    command = [chromium(), *FLAGS, "--window-size=900,500", f"--user-data-dir={directory / 'profile'}", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=directory,
                               start_new_session=True, env={**os.environ, "HOME": str(directory)})
    try:
        out, _unused = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return out


def colours(png: bytes) -> tuple[int, int, set[bytes]]:
    """Width, height and the different pixels of a PNG picture with 8 bits for each colour."""
    position, data, header = 8, b"", b""
    while position < len(png):
        (length,) = struct.unpack(">I", png[position:position + 4])
        kind, chunk = png[position + 4:position + 8], png[position + 8:position + 8 + length]
        header = chunk if kind == b"IHDR" else header
        data += chunk if kind == b"IDAT" else b""
        position += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", header[:10])
    assert depth == 8
    size = {2: 3, 6: 4}[colour]
    stride = width * size
    raw, above, seen = zlib.decompress(data), bytearray(stride), set()
    for row in range(height):
        kind, line = raw[row * (stride + 1)], bytearray(raw[row * (stride + 1) + 1:(row + 1) * (stride + 1)])
        for i in range(stride):
            left = line[i - size] if i >= size else 0
            corner = above[i - size] if i >= size else 0
            line[i] = (line[i] + predict(kind, left, above[i], corner)) & 255
        seen.update(bytes(line[i:i + 3]) for i in range(0, stride, size))
        above = line
    return width, height, seen


def predict(kind: int, left: int, up: int, corner: int) -> int:
    """PNG's five filters."""
    if kind == 4:
        estimate = left + up - corner
        distances = (abs(estimate - left), abs(estimate - up), abs(estimate - corner))
        return (left, up, corner)[distances.index(min(distances))]
    return (0, left, up, (left + up) // 2)[kind]


@pytest.mark.slow
def test_chromium_shows_the_page_with_its_style(agent: AgentProcess, tmp_path: pathlib.Path) -> None:
    url = f"https://127.0.0.1:{agent.port}/"
    text = browse(tmp_path, "--dump-dom", url)
    assert "<h1>Octopus Tentacle configured successfully</h1>" in text
    assert "Content Security Policy" not in text, "the browser refused the page's own style"
    picture = tmp_path / "page.png"
    browse(tmp_path, f"--screenshot={picture}", url)
    width, height, seen = colours(picture.read_bytes())
    assert (width, height) == (900, 500)
    assert {bytes.fromhex("f6f8fa"), bytes.fromhex("0d80d8"), bytes.fromhex("1c2733")} <= seen
    if PICTURES:
        shutil.copy(picture, pathlib.Path(PICTURES) / "page.png")
