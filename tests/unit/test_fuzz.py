# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `./dev fuzz` has found before stays mended, and it would find such things again."""

from __future__ import annotations

import pathlib
import signal

import pytest
from fuzz import conversation, corpus, live, mutations, shrinking, workers

from module_utils._halibut import bson, slots
from module_utils._halibut.connection import Connection
from module_utils._halibut.errors import RemoteProtocolError


@pytest.mark.parametrize("item", [pytest.param(item, id=name) for name, item in shrinking.kept()])
def test_what_was_found_stays_mended(item: conversation.Input) -> None:
    assert conversation.check(item) >= 0


def test_the_same_seed_gives_the_same_inputs() -> None:
    assert conversation.series(5, 64) == conversation.series(5, 64)
    assert conversation.nth(5, 70) == conversation.series(5, 64)[6]
    assert conversation.series(5, 64) != conversation.series(6, 64)


def test_undamaged_conversations_give_events_and_no_error() -> None:
    for role, side in conversation.SIDES.items():
        for message in corpus.load(side).messages:
            parts = [*corpus.load(side).hellos[0], mutations.stored(message.document)]
            for identifier, payload in message.streams:
                parts += mutations.stream(identifier, payload)
            assert conversation.check(conversation.Input(role, parts, False, [b"".join(parts)])) >= 1


def test_replacing_an_element_keeps_the_sizes_around_it() -> None:
    document = bson.encode({"a": {"b": [1, "x"], "c": None}})
    element = next(e for e in corpus.elements_of(document) if document[e.name : e.value] == b"1\0")
    changed = mutations.with_element(document, element, b"\x021\0" + mutations.text(b"longer"))
    assert bson.decode(changed) == {"a": {"b": [1, "longer"], "c": None}}


def test_another_exception_is_found_made_short_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    original = slots.text

    def text(value: object, where: str) -> str | None:
        if isinstance(value, float):
            raise KeyError(where)
        return original(value, where)

    monkeypatch.setattr(slots, "text", text)
    monkeypatch.setattr(shrinking, "PATIENCE_SECONDS", 5.0)
    report = workers.run_block(1, 0, 8192)
    finding = report.findings[0]
    assert finding.place.startswith("KeyError at test_fuzz.py:")
    item = conversation.nth(1, finding.number)
    short = shrinking.shrink(item, finding.place)
    assert short.size <= item.size
    shrinking.keep(short, finding.text, tmp_path)
    assert [(kept.role, kept.pieces) for _name, kept in shrinking.kept(tmp_path)] == [(short.role, short.pieces)]
    with pytest.raises(KeyError):
        conversation.check(short)


def test_an_event_behind_an_error_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Connection.events

    def events(self: Connection) -> list[object]:
        try:
            return list(original(self))
        except RemoteProtocolError:
            if self.__dict__.setdefault("told", False):
                return []
            self.__dict__["told"] = True
            raise

    monkeypatch.setattr(Connection, "events", events)
    assert "follow the error" in workers.run_block(1, 0, 64).findings[0].text


def test_a_loop_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "STUCK_SECONDS", 0.2)
    before = signal.signal(signal.SIGVTALRM, workers._stuck)

    def check(_unused: conversation.Input) -> int:
        while True:
            pass

    monkeypatch.setattr(workers, "SERIES", 1)
    monkeypatch.setattr(workers, "conversation", _Stub(check))
    try:
        assert "CPU time" in workers.run_block(1, 0, 1).findings[0].text
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class _Stub:
    def __init__(self, check: object) -> None:
        self.check = check

    def series(self, seed: int, number: int) -> list[conversation.Input]:
        return conversation.series(seed, number)[:1]


def test_scripts_that_a_live_agent_gets_do_nothing() -> None:
    source = corpus.load("client")
    tame = live.harmless(source)
    assert len(tame.messages) == len(source.messages)
    for message in tame.messages:
        for element in message.elements:
            if message.document[element.name : element.value] in live.BODIES and message.document[element.start] == 2:
                assert message.document[element.value + 4 : element.end - 1] == b"true"
