"""Log pages: every line once and in order, under any way of asking, and nothing is read twice that need not be."""

from __future__ import annotations

import os
import pathlib
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from module_utils._halibut import bson
from module_utils._halibut.log_list import LogList
from tentacle_agent.masking import Masker
from tentacle_agent.services.script import output_log
from tentacle_agent.services.script.output_log import LogPage, OutputLog, read_file


@pytest.fixture
def path(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "Output.log")


@pytest.fixture
def log(path: str) -> Iterator[OutputLog]:
    log = OutputLog(path)
    log.open()
    yield log
    log.forget()


def texts(page: LogPage) -> list[str | None]:
    if isinstance(page.entries, LogList):
        array = bson.decode(zlib.decompress(page.entries.within({"Logs": []}, ("Logs",)), -15))["Logs"]
        assert len(array) == len(page.entries)
        return [line["Text"] for line in array]
    return [entry.text for entry in page.entries]


def test_starts_with_a_byte_order_mark_and_is_private(log: OutputLog, path: str) -> None:
    assert pathlib.Path(path).read_bytes() == b"\xef\xbb\xbf"
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_pages_by_sequence_number(log: OutputLog) -> None:
    log.append(0, ["one", "two"])
    log.append(1, ["three"])
    assert texts(log.read(0)) == ["one", "two", "three"]
    assert texts(log.read(-5)) == ["one", "two", "three"]
    assert (texts(log.read(2)), log.read(2).next_sequence) == (["three"], 3)
    assert [entry.source for entry in log.read(1).entries] == [0, 1]


def test_a_number_beyond_the_end_is_given_back(log: OutputLog) -> None:
    log.append(0, ["one"])
    assert log.read(1) == output_log.LogPage((), 1)
    assert log.read(99) == output_log.LogPage((), 99)


def test_reading_takes_nothing_away(log: OutputLog) -> None:
    log.append(0, ["one", "two"])
    assert texts(log.read(0)) == texts(log.read(0)) == texts(log.read(0))
    assert log.read(1) == log.read(1)


def test_a_poll_reads_only_what_is_new(log: OutputLog, monkeypatch: pytest.MonkeyPatch) -> None:
    for _unused in range(100):
        log.append(0, ["x" * 1000] * 20)
    seen = log.read(0).next_sequence
    log.append(0, ["new"])
    read: list[int] = []
    pread = os.pread
    monkeypatch.setattr(output_log.os, "pread", lambda fd, size, offset: read.append(size) or pread(fd, size, offset))
    assert texts(log.read(seen)) == ["new"]
    assert sum(read) < 200
    assert texts(log.read(seen - 1)) == ["x" * 1000, "new"]
    assert sum(read) < 3 * output_log.MARK_EVERY


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    batches=st.lists(st.lists(st.integers(0, 3000), min_size=1, max_size=4), min_size=1, max_size=12),
    asked=st.lists(st.integers(-2, 60), max_size=10),
    limit=st.one_of(st.none(), st.integers(1, 5000)),
    piece=st.sampled_from([64, 1000, 1 << 18]),
    bulk=st.sampled_from([1, 3000, 1 << 18]),
)
def test_any_page_is_the_slice_of_the_whole(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, batches: list[list[int]], asked: list[int],
    limit: int | None, piece: int, bulk: int,
) -> None:
    monkeypatch.setattr(output_log, "PIECE", piece)
    monkeypatch.setattr(output_log, "BULK_FROM", bulk)
    path = tmp_path / "property.log"
    path.unlink(missing_ok=True)
    log, written = OutputLog(str(path)), []
    log.open()
    try:
        for number, batch in enumerate(batches):
            lines = [f"{number}:{'z' * size}" for size in batch]
            log.append(0, lines)
            written += lines
            for after in asked:
                page = log.read(after, limit)
                start = max(after, 0)
                got = texts(page)
                assert got == written[start : start + len(got)]
                assert page.next_sequence == start + len(got)
                assert got or start >= len(written)
        collected: list[str | None] = []
        while len(collected) < len(written):
            page = log.read(len(collected), limit)
            collected += texts(page)
            assert page.next_sequence == len(collected)
        assert collected == written
        log.close()
        assert texts(log.read(0)) == written
        for after in asked:
            page = read_file(str(path), after)
            assert texts(page) == written[max(after, 0) :]
            assert page.next_sequence == max(after, len(written))
    finally:
        log.forget()


def test_goes_on_after_the_last_whole_entry_when_opened_again(path: str) -> None:
    first = OutputLog(path)
    first.open()
    first.append(0, ["one", "two"])
    first.close()
    with open(path, "ab") as file:
        file.write(b'["stdout","cut of')
    second = OutputLog(path)
    second.open()
    second.append(0, ["three"])
    assert (texts(second.read(0)), second.read(0).next_sequence) == (["one", "two", "three"], 3)
    second.close()
    assert texts(read_file(path, 0)) == ["one", "two", "three"]


def test_a_cut_entry_reads_as_one_line_that_says_so(path: str) -> None:
    log = OutputLog(path)
    log.open()
    log.append(0, ["one", "two"])
    log.close()
    os.truncate(path, os.path.getsize(path) - 3)
    page = read_file(path, 0)
    assert texts(page) == ["one", "Corrupt Tentacle log at line 2, no more logs will be read"]
    assert page.entries[1].source == 1
    assert page.next_sequence == 2
    assert texts(read_file(path, 2)) == []


def test_no_log_is_an_empty_log(path: str) -> None:
    assert read_file(path, 0) == output_log.LogPage((), 0)
    assert read_file(path, 7) == output_log.LogPage((), 7)
    assert not os.path.exists(path)


def test_what_the_script_does_to_its_log_does_not_matter(log: OutputLog, path: str) -> None:
    log.append(0, ["one"])
    with open(path, "ab") as file:
        file.write(b"scribble")
    log.append(0, ["two"])
    assert texts(log.read(0)) == ["one", "two"]
    with open(path, "ab") as file:
        file.write(b"more scribble")
    log.close()
    assert texts(log.read(0)) == ["one", "two"]
    assert texts(read_file(path, 0)) == ["one", "two"]


def test_a_deleted_log_can_still_be_read(log: OutputLog, path: str) -> None:
    log.append(0, ["one"])
    os.unlink(path)
    log.append(0, ["two"])
    log.close()
    assert texts(log.read(0)) == ["one", "two"]
    assert not os.path.exists(path)


def test_a_full_disk_leaves_whole_entries(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log = OutputLog(path)
    log.open()
    log.append(0, ["one"])
    pwrite = os.pwrite

    def short(descriptor: int, data: memoryview, offset: int) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return pwrite(descriptor, data[: len(data) // 2], offset)

    with monkeypatch.context() as patch:
        patch.setattr(output_log.os, "pwrite", short)
        with pytest.raises(OSError, match="No space"):
            log.append(0, ["two"])
    assert texts(log.read(0)) == ["one"]
    log.append(0, ["three"])
    log.close()
    assert texts(read_file(path, 0)) == ["one", "three"]


def test_secret_values_are_hidden(path: str) -> None:
    log = OutputLog(path, Masker(["s3cret!"]))
    log.open()
    log.append(0, ["the password is s3cret!"])
    log.close()
    assert texts(log.read(0)) == ["the password is ********"]
    assert b"s3cret" not in pathlib.Path(path).read_bytes()


def test_a_link_is_not_followed(path: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "target").write_text("mine")
    os.symlink(tmp_path / "target", path)
    with pytest.raises(OSError):  # noqa: PT011 - the number differs between systems
        OutputLog(path).open()
    assert read_file(path, 0).entries == ()
