# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log and the audit trail: format, rotation, and what peers cannot write into them."""

from __future__ import annotations

import logging
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from module_utils._halibut.bson import Guid
from module_utils._halibut.contracts import ScriptStatusRequestV2, ScriptTicket
from module_utils._halibut.messages import Request
from tentacle_agent import audit, log
from tentacle_agent.dispatch import Dispatcher, Peer
from tentacle_agent.services.capabilities import CapabilitiesService

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{4}  [ \d]{5,}  [ \d]{5,} +[A-Z]+  .*")
DAY = 86400


@pytest.fixture
def logger(tmp_path: pathlib.Path) -> Iterator[logging.Logger]:
    made = log.configure(str(tmp_path), "info", console=False)
    yield made
    for handler in list(made.handlers):
        made.removeHandler(handler)
    made.propagate = True


def text(home: pathlib.Path) -> str:
    return (home / "Logs" / "OctopusTentacle.txt").read_text(encoding="utf-8")


def test_lines_have_the_originals_columns(logger: logging.Logger, tmp_path: pathlib.Path) -> None:
    logger.getChild("session").warning("%s said hello", "C1")
    logger.info("second")
    logger.debug("unseen")
    lines = text(tmp_path).splitlines()
    assert len(lines) == 2
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert lines[0].endswith("  WARN  C1 said hello")
    assert f"  {os.getpid():>5}  " in lines[0]


def test_what_a_peer_says_cannot_look_like_a_line_of_ours(logger: logging.Logger, tmp_path: pathlib.Path) -> None:
    logger.info("%s", "x\n2026-01-01 00:00:00.0000 forged \x1b[31m")
    assert text(tmp_path).count("\n") == 1
    assert "\\x0a2026" in text(tmp_path)


def test_tracebacks_follow_on_lines_of_their_own(logger: logging.Logger, tmp_path: pathlib.Path) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        logger.exception("It broke")
    assert "It broke\nTraceback (most recent call last):" in text(tmp_path)


@pytest.mark.parametrize(("level", "seen"), [("trace", 4), ("debug", 3), ("info", 2), ("warn", 1), ("fatal", 0)])
def test_levels_have_the_originals_names(
    logger: logging.Logger, tmp_path: pathlib.Path, level: str, seen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OCTOPUS__TENTACLE__LOGLEVEL", raising=False)
    log.set_level(level)
    for number in (log.TRACE, logging.DEBUG, logging.INFO, logging.WARNING):
        logger.log(number, "x")
    assert text(tmp_path).count("\n") == seen


def test_the_environment_decides_the_level_as_with_the_original(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTOPUS__TENTACLE__LOGLEVEL", "Error")
    log.set_level("debug")
    assert logger.level == logging.ERROR


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    handler = log.ConsoleHandler()
    for level in (logging.INFO, logging.ERROR):
        handler.emit(logging.LogRecord("x", level, "", 0, "something", None, None))
    out, err = capsys.readouterr()
    assert [line.split()[4] for line in (out, err)] == ["INFO", "ERROR"]


def test_a_new_day_puts_the_file_aside_and_seven_are_kept(tmp_path: pathlib.Path) -> None:
    file = log.DailyFile(str(tmp_path), "X")
    start = time.time()
    for day in range(10):
        file.write(f"day {day}\n", start + day * DAY)
        file.write("more\n", start + day * DAY)
    assert (tmp_path / "X.txt").read_text() == "day 9\nmore\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["X.0.txt", "X.1.txt", "X.2.txt", "X.3.txt", "X.4.txt",
                                                                "X.5.txt", "X.6.txt", "X.txt"]
    assert (tmp_path / "X.0.txt").read_text() == "day 8\nmore\n"
    assert (tmp_path / "X.6.txt").read_text() == "day 2\nmore\n"
    file.close()


def test_a_file_of_yesterday_is_put_aside_at_the_first_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "X.txt").write_text("old\n")
    os.utime(tmp_path / "X.txt", (time.time() - 2 * DAY,) * 2)
    file = log.DailyFile(str(tmp_path), "X")
    file.write("new\n", time.time())
    file.close()
    assert (tmp_path / "X.0.txt").read_text() == "old\n"
    assert (tmp_path / "X.txt").read_text() == "new\n"


def test_threads_lose_no_line_while_the_day_changes(tmp_path: pathlib.Path) -> None:
    file = log.DailyFile(str(tmp_path), "X")
    start = time.time()

    def write(number: int) -> None:
        for i in range(200):
            file.write(f"{number} {i}\n", start + (DAY if i > 100 else 0))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file.close()
    assert len((tmp_path / "X.txt").read_text().splitlines() + (tmp_path / "X.0.txt").read_text().splitlines()) == 800


def test_notes_are_written_with_the_next_line_in_order(tmp_path: pathlib.Path) -> None:
    file = log.DailyFile(str(tmp_path), "X")
    file.note("first\n")
    file.note("second\n")
    assert ((tmp_path / "X.txt").read_text(), file.waiting) == ("", 2)
    file.write("third\n", time.time())
    assert ((tmp_path / "X.txt").read_text(), file.waiting) == ("first\nsecond\nthird\n", 0)
    file.close()


def test_frequent_lines_wait_a_second_or_for_the_next_line(logger: logging.Logger, tmp_path: pathlib.Path) -> None:
    log.configure(str(tmp_path), console=False)  # without the handler that pytest has added since
    frequent = log.FrequentLines(logger)
    frequent.log("first\nline")
    assert text(tmp_path) == ""
    logger.warning("second")
    frequent.log("third")
    log.flush()
    lines = text(tmp_path).splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert [line.split("  ", 4)[-1] for line in lines] == ["first\\x0aline", "second", "third"]
    for number in range(log.MOST_WAITING + 1):
        frequent.log(f"many {number}")
    assert text(tmp_path).count("many") == log.MOST_WAITING + 1


def test_frequent_lines_are_no_exception_for_a_level_or_a_console(
    logger: logging.Logger, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_level("warn")
    log.FrequentLines(logger).log("not wanted")
    log.flush()
    assert text(tmp_path) == ""
    log.configure(str(tmp_path))
    log.FrequentLines(logger).log("wanted %s")
    assert text(tmp_path).endswith("INFO  wanted %s\n")
    assert capsys.readouterr().out.endswith("INFO  wanted %s\n")


def test_a_full_disk_does_not_stop_a_logging_thread() -> None:
    class Broken:
        waiting = log.MOST_WAITING + 1

        def note(self, line: str) -> None:
            """Keep nothing."""

        def write(self, line: str, now: float) -> None:
            raise OSError(28, "No space left on device")

    handler = log.FileHandler(Broken())  # type: ignore[arg-type]
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "text", None, None))
    handler.note("text")


def test_sparing_says_a_thing_once_and_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: now[0])
    sparing = log.Sparing(seconds=60, kinds=3)
    assert [sparing.ask("a") for _unused in range(3)] == [0, None, None]
    assert sparing.ask("b") == 0
    now[0] += 61
    assert sparing.ask("a") == 2
    for kind in range(100):
        sparing.ask(kind)
    assert len(sparing._seen) <= 3


# The audit trail


def call(service: str, method: str, *params: object) -> object:
    peer = Peer("10.0.0.1", "AB" * 20, "C000007")
    dispatcher = Dispatcher({"ICapabilitiesServiceV2": CapabilitiesService()})
    made = dispatcher.prepare(Request("id", Guid(bytes(16)), service, method, params), peer)
    made.finish()
    return made


def test_a_call_is_one_line(tmp_path: pathlib.Path) -> None:
    trail = audit.Audit(str(tmp_path))
    trail.record(call("ICapabilitiesServiceV2", "GetCapabilities"), 0.0123)  # type: ignore[arg-type]
    assert (tmp_path / "Logs" / "Audit.txt").read_text() == ""
    trail.flush()
    line = (tmp_path / "Logs" / "Audit.txt").read_text()
    assert re.fullmatch(rf"\S+ \S+\.\d\d\d  C000007  {'AB' * 20}  10\.0\.0\.1  "
                        r"ICapabilitiesServiceV2\.GetCapabilities  -  ok  12\.3 ms\n", line)


def test_calls_that_do_something_are_written_at_once_and_in_order(tmp_path: pathlib.Path) -> None:
    trail = audit.Audit(str(tmp_path))
    trail.record(call("ICapabilitiesServiceV2", "GetCapabilities"), 0)  # type: ignore[arg-type]
    trail.record(call("I\nX  ok  forged", "Y", ScriptStatusRequestV2(ScriptTicket("t-1"), 0)), 0)  # type: ignore[arg-type]
    lines = (tmp_path / "Logs" / "Audit.txt").read_text().splitlines()
    assert len(lines) == 2
    assert "GetCapabilities" in lines[0]
    assert "  I.Y  t-1  failed: Error: I  " in lines[1]
    trail.close()


def test_an_audit_trail_that_cannot_be_written_is_reported_once(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    trail = audit.Audit(str(tmp_path))

    def fail(text: str, now: float) -> None:
        raise OSError(28, "No space left on device")

    trail._file.write = fail  # type: ignore[method-assign]
    for _unused in range(3):
        trail.record(call("X", "Y"), 0)  # type: ignore[arg-type]
    assert caplog.text.count("Could not write the audit trail") == 1


@pytest.mark.parametrize(("given", "wanted"), [
    (None, "-"), ("", "-"), ("a\nb", "a"), ("a  b", "a b"), ("x" * 500, "x" * 200), ("\x00", "\\x00"),
    ("Größe", "Größe"),
])
def test_fields_stay_fields(given: str | None, wanted: str) -> None:
    assert audit.plain(given) == wanted


def test_a_file_that_has_become_large_is_put_aside_before_its_day_is_over(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LARGEST_BYTES", 1000)
    file = log.DailyFile(str(tmp_path), "x")
    now = time.time()
    for number in range(100):
        file.write(f"{number:099d}\n", now)
    file.close()
    again = log.DailyFile(str(tmp_path), "x")
    again.write("after a restart\n", now)
    again.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["x.0.txt", "x.1.txt", "x.2.txt", "x.3.txt", "x.4.txt", "x.5.txt", "x.6.txt", "x.txt"]
    kept = [line for name in [*names[6::-1], "x.txt"] for line in (tmp_path / name).read_text().splitlines()]
    assert kept[-1] == "after a restart"
    assert [int(line) for line in kept[:-1]] == list(range(100 - len(kept) + 1, 100)), "the newest, in order"


JOURNALLED = """
import logging, sys
from tentacle_agent import log
log.configure(sys.argv[1])
logger = logging.getLogger("tentacle_agent.x")
logger.info("quiet")
logger.warning("careful %s", "a\\nb")
try:
    raise ValueError("broken")
except ValueError:
    logger.exception("loud")
"""


@pytest.mark.parametrize("journal", [True, False])
def test_the_journal_gets_warnings_with_their_level_and_a_console_everything(
    tmp_path: pathlib.Path, journal: bool
) -> None:
    output = tmp_path / "output"
    with open(output, "wb") as file:
        status = os.fstat(file.fileno())
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
        # As systemd names the journal; a console of its own may have been put before a process that inherited the name.
        environment["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino if journal else status.st_ino + 1}"
        command = [sys.executable, "-c", JOURNALLED, str(tmp_path)]
        subprocess.run(command, env=environment, stdout=file, stderr=subprocess.DEVNULL, check=True)
    printed = output.read_text(encoding="utf-8").splitlines()
    if journal:
        assert printed[:2] == ["<4>careful a\\x0ab", "<3>loud"]
        assert printed[2] == "<3>Traceback (most recent call last):"
        assert printed[-1] == "<3>ValueError: broken"
        assert all(line.startswith("<3>") for line in printed[1:])
    else:
        assert [LINE.fullmatch(line) is not None for line in printed] == [True, True]
        assert printed[0].endswith("INFO  quiet")
    assert text(tmp_path).count("quiet") == 1
