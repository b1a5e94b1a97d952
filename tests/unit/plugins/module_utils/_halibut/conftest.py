"""The recorded conversations as parameters: a test that takes `conversation` runs once for each of them."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None, database=None)  # machines may be busy; nothing is left behind
settings.load_profile("unhurried")

VECTORS = pathlib.Path(__file__).resolve().parents[4] / "vectors"
assert (VECTORS / "index.json").is_file()


@dataclasses.dataclass(frozen=True)
class Conversation:
    """One recorded connection."""

    name: str
    story: dict[str, Any]
    client: bytes
    server: bytes

    @property
    def number(self) -> int:
        return int(self.name[:2])

    @property
    def segments(self) -> list[dict[str, Any]]:
        return self.story["segments"]

    def bytes_of(self, segment: dict[str, Any]) -> bytes:
        data = self.client if segment["from"] == "client" else self.server
        return data[segment["offset"] : segment["offset"] + segment["length"]]

    def of(self, side: str, kind: str | None = None) -> list[dict[str, Any]]:
        """The segments of one side, perhaps of one kind."""
        return [
            segment
            for segment in self.segments
            if segment["from"] == side and (kind is None or segment["kind"] == kind)
        ]

    def ended_by(self, side: str) -> bool:
        return any(close["from"] == side for close in self.story["closes"])


@functools.cache
def load(name: str) -> Conversation:
    folder = VECTORS / name
    return Conversation(
        name=name,
        story=json.loads((folder / "conversation.json").read_text(encoding="utf-8")),
        client=(folder / "client-to-server.bin").read_bytes(),
        server=(folder / "server-to-client.bin").read_bytes(),
    )


def names() -> list[str]:
    index = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
    return [entry["name"] for entry in index["conversations"]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "conversation" in metafunc.fixturenames:
        metafunc.parametrize("conversation", names(), indirect=True)


@pytest.fixture
def conversation(request: pytest.FixtureRequest) -> Conversation:
    return load(request.param)


@pytest.fixture(scope="session")
def recorded():
    """Find a recorded conversation by its number."""
    by_number = {int(name[:2]): name for name in names()}
    return lambda number: load(by_number[number])
